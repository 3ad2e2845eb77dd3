"""Comparing engines on files: what is read, how it is split, tuned and judged, and what is said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from django.core.management import CommandError, call_command

from recommendations.engines.base import DAY, NOTHING, Items
from recommendations.evaluation import comparing, data, metrics, splits
from recommendations.evaluation.climbing import Axis, Climb, Place
from tests.recommendations.interactions import interactions

HEAD = "customer,product,occurred_at,quantity,text\n"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# Reading --------------------------------------------------------------------------------------


def test_lines_are_numbered_together_in_the_order_of_ids(tmp_path: Path) -> None:
    first, second = data.of_lines(
        written(tmp_path, "a", "u2 b a\n\nu1 a\n"), written(tmp_path, "b", "u1 c\nu3\n")
    )

    assert first.people == second.people == ("u1", "u2", "u3")
    assert first.items.ids == ("a", "b", "c")
    assert first.interactions.users.tolist() == [1, 1, 0]
    assert first.interactions.items.tolist() == [1, 0, 0]
    assert first.interactions.at.tolist() == [0, 1, 0]
    assert second.interactions.items.tolist() == [2]


def test_events_that_cannot_be_used_are_counted_by_reason(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "events.csv",
        HEAD
        + "c1,p1,2026-01-01T10:00:00Z,1,Headphones\n"
        + "c1,p2,2026-01-02,2,\n"
        + ",p1,2026-01-02,1,\n"
        + "c2,,2026-01-02,1,\n"
        + "c2,p1,yesterday,1,\n"
        + "c2,p1,2026-01-03,-1,\n"
        + "c2,p1,2026-01-03,NaN,\n"
        + "c2,p1,2026-01-03,inf,\n"
        + "c2,p1,2026-01-03T00:00:01+01:00,1,Headphones II\n",
    )

    found = data.of_events(path)

    assert found.rejected == {
        "no customer": 1,
        "no product": 1,
        "occurred_at is no ISO 8601 time": 1,
        "quantity is no number above 0": 3,
    }
    assert len(found.interactions) == 3
    assert found.items.texts == ("Headphones II", "")
    assert found.interactions.at.tolist() == [1767261600, 1767312000, 1767394801]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("customer,product\nc,p\n", "it lacks occurred_at"),
        (HEAD, "no row can be used: there is none"),
        (HEAD + ",p,2026-01-01,1,\n", "1 × no customer"),
        ("", "the file is empty"),
        (HEAD.replace(",", "\t"), "columns are parted by commas"),
        (HEAD.replace(",", ";"), "columns are parted by commas"),
        ("\ufeff" + HEAD.replace(",", "\t"), "columns are parted by commas"),
        (HEAD + "c,p,2026-01-01,1,a,b\n", "line 2.*; put a text that holds a comma in quotes"),
        (HEAD + '"c,p,2026-01-01,1,a\n', "close every quote"),
    ],
)
def test_a_file_without_usable_events_is_refused_in_words(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(data.DataError, match=said):
        data.of_events(written(tmp_path, "events.csv", text))


def test_lines_without_an_item_or_in_another_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "gbk").write_bytes("用户 产品\n".encode("gb18030"))

    with pytest.raises(data.DataError, match="no line holds an item"):
        data.of_lines(written(tmp_path, "empty", "u1\n"))
    with pytest.raises(data.DataError, match="not UTF-8"):
        data.of_lines(tmp_path / "gbk")
    with pytest.raises(data.DataError, match="No such file"):
        data.of_lines(tmp_path / "none")


# Splitting ------------------------------------------------------------------------------------


def test_the_last_event_is_test_and_the_one_before_validation() -> None:
    events = interactions(
        [(0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 3, 0), (1, 4, 1), (2, 0, 0)], n_people=3, n_items=5
    )

    test, validation = splits.last_out(events), splits.last_out(events, n_back=1)

    assert test.warm.tolist() == [0, 1]
    assert [row.tolist() for row in test.wanted] == [[2], [4]]
    assert sorted(test.train.items.tolist()) == [0, 1, 3]
    assert validation.warm.tolist() == [0]
    assert [row.tolist() for row in validation.wanted] == [[1]]


def test_a_random_share_is_held_out_of_everybody_who_can_spare_it() -> None:
    events = interactions(
        [(user, item, 0) for user in range(20) for item in range(user)], n_people=20, n_items=20
    )

    split = splits.without_some(events, share=0.25)

    held = {int(user): len(row) for user, row in zip(split.warm, split.wanted, strict=True)}
    assert held == {user: max(1, round(0.25 * user)) for user in range(2, 20)}
    assert split.test.n + len(split.train) == len(events)


def test_repeats_newcomers_and_cold_items_are_told_apart() -> None:
    events = interactions(
        [(0, 0, 0), (1, 1, 0), (0, 0, DAY), (0, 1, DAY), (0, 2, DAY), (2, 0, DAY)],
        n_people=3,
        n_items=3,
    )

    split = splits.at(events, DAY, days=1)

    assert [row.tolist() for row in split.wanted] == [[1, 2]]
    assert split.repeats.people.tolist() == [0]
    assert split.newcomers.people.tolist() == [2]
    assert [row.tolist() for row in split.cold_items.items] == [[2]]


def test_where_nobody_can_be_judged_it_is_said() -> None:
    single = interactions([(0, 0, 0), (1, 1, 0)], n_people=2, n_items=2)

    with pytest.raises(splits.TooLittleDataError, match="nobody has two items"):
        splits.without_some(single)
    with pytest.raises(splits.TooLittleDataError, match="nobody has 2 events"):
        splits.last_out(single)


# Tuning ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    x: int = 0
    y: int = 0


AXES = (Axis("x", tuple(range(10))), Axis("y", tuple(range(10))))


def test_a_climb_finds_the_top_of_a_hill_and_tries_nothing_twice() -> None:
    def height(at: Point) -> float:
        return -float((at.x - 4) ** 2 + (at.y - 7) ** 2)

    climb = Climb(height, 100)

    assert climb.run(Point(), AXES) == Point(4, 7)
    assert climb.n_trials == len(climb.tried) < 30


@pytest.mark.parametrize("budget", [0, 1, 5])
def test_a_climb_keeps_to_its_budget(budget: int) -> None:
    def height(at: Point) -> float:
        return float(at.x + at.y)

    climb = Climb(height, budget)

    best = climb.run(Point(), AXES)

    assert climb.n_trials == budget
    assert best == Point(x=max(0, budget - 1))


def test_patience_looks_beyond_one_step_that_is_no_better() -> None:
    value = {(0.0,): 1.0, (0.1,): 0.5, (0.3,): 2.0, (0.6,): 0.0, (1.0,): 0.0}
    place = [Place(0, (0.0, 0.1, 0.3, 0.6, 1.0))]

    assert Climb(value.__getitem__, 10).run((0.0,), place) == (0.0,)
    assert Climb(value.__getitem__, 10, patience=2).run((0.0,), place) == (0.3,)


# Measuring ------------------------------------------------------------------------------------


def test_metrics_of_a_hand_example() -> None:
    found = np.array([[False, True, True, False], [False, False, False, False]])
    n_wanted = np.array([3, 1])

    assert metrics.precision(found, 4).tolist() == [0.5, 0]
    assert metrics.average_precision(found, n_wanted, 4) == pytest.approx([(1 / 2 + 2 / 3) / 3, 0])
    assert metrics.reciprocal_rank(found, 4).tolist() == [0.5, 0]
    assert metrics.reciprocal_rank(found, 1).tolist() == [0, 0]
    assert metrics.hit_rate(found, 4).tolist() == [1, 0]


def test_gini_is_none_for_even_lists_and_near_one_for_one_item() -> None:
    even = np.arange(8).reshape(4, 2)
    one = np.zeros((4, 1), dtype=np.int64)

    assert metrics.gini(even, 2, 8) == 0
    assert metrics.gini(one, 1, 8) == pytest.approx(7 / 8)
    assert metrics.gini(np.full((2, 2), NOTHING), 2, 8) == 0


def test_novelty_is_bits_and_popularity_bias_a_ratio_to_what_is_taken() -> None:
    popularity = np.array([0.5, 0.25, 0.25])
    shown = np.array([[0, 1], [2, NOTHING], [NOTHING, NOTHING]])

    assert metrics.novelty(shown, popularity, 2).tolist() == [1.5, 2, 0]
    usual = (0.5**2 + 0.25**2 * 2) / 1
    assert metrics.popularity_bias(shown, popularity, 2) == pytest.approx(
        [0.375 / usual, 0.25 / usual, 0]
    )


def test_diversity_is_the_mean_distance_of_the_pairs_shown() -> None:
    vectors = sp.csr_array(np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32))
    shown = np.array([[0, 1, 2], [0, 2, NOTHING], [1, NOTHING, NOTHING]])

    found = metrics.diversity(shown, vectors, 3)

    assert found == pytest.approx([1 - (0 + 0.6 + 0.8) / 3, 0.4, 0], abs=1e-6)


def test_paired_differences_are_judged_on_the_same_drawn_people() -> None:
    random = np.random.default_rng(1)
    base = random.random(400)
    better = base + 0.01 + 0.001 * random.random(400)

    one, other, gain = metrics.estimates(np.stack([better, base, better - base], axis=1))

    assert one.low < other.high
    assert 0.0099 < gain.low <= gain.value <= gain.high < 0.0111


# The command ----------------------------------------------------------------------------------


def lines(seed: int, n_people: int = 60) -> list[list[str]]:
    """People of two tastes: each takes eight of the fifteen items of their own."""
    random = np.random.default_rng(seed)
    return [
        [f"u{user}", *(f"i{item}" for item in random.permutation(15)[:8] + 15 * (user % 2))]
        for user in range(n_people)
    ]


def test_the_command_prints_a_table_and_writes_what_it_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everybody = lines(1)
    train = "\n".join(" ".join(line[:-2]) for line in everybody)
    test = "\n".join(" ".join([line[0], *line[-2:]]) for line in everybody)

    call_command(
        "evaluate_recommendations",
        "--train", str(written(tmp_path, "train.txt", train)),
        "--test", str(written(tmp_path, "test.txt", test)),
        "--tune", "3", "--cutoffs", "5,10", "--json", str(tmp_path / "found.json"),
    )  # fmt: skip

    said = capsys.readouterr()
    found = {one["engine"]: one for one in json.loads((tmp_path / "found.json").read_text())}
    assert "60 people, 120 pairs to foresee, 30 items" in said.out
    assert "next_item: left out, the data have no order" in said.err
    assert set(found) == {
        "popular", "user_based", "item_based", "ease", "local_ridge", "blend",
    }  # fmt: skip
    assert all(one["n_trials"] <= 3 for one in found.values())
    recall = {name: one["metrics"]["recall@10"] for name, one in found.items()}
    assert recall["item_based"]["low"] > recall["popular"]["high"]
    assert recall["blend"]["value"] > 0.9
    assert {"value", "low", "high"} == set(recall["blend"])
    assert all(one["cpu_seconds"] >= 0 and one["peak_rss_mb"] > 0 for one in found.values())
    assert "blend − popular: +" in said.out or "− popular: +" in said.out


def test_sequences_and_events_are_foreseen_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    round_ = "\n".join(
        f"u{user} " + " ".join(f"i{(user + step) % 12}" for step in range(7)) for user in range(40)
    )
    call_command(
        "evaluate_recommendations",
        "--sequences", str(written(tmp_path, "sequences.txt", round_)),
        "--engines", "popular,next_item", "--tune", "1", "--json", str(tmp_path / "s.json"),
    )  # fmt: skip
    found = {one["engine"]: one["metrics"] for one in json.loads((tmp_path / "s.json").read_text())}
    assert found["next_item"]["mrr@10"]["value"] == 1
    assert found["popular"]["mrr@10"]["high"] < 1

    table = HEAD + "".join(
        f"{line[0]},{item},2026-01-{day:02}T00:00:00Z,1,{'audio' if item < 'i15' else 'photo'}\n"
        for line in lines(2)
        for day, item in zip(range(1, 28, 4), line[1:], strict=False)
    )
    call_command(
        "evaluate_recommendations",
        "--events", str(written(tmp_path, "events.csv", table)), "--split-at", "2026-01-21",
        "--engines", "popular_28,item_based,content,blend", "--tune", "2",
        "--json", str(tmp_path / "e.json"),
    )  # fmt: skip
    found = {one["engine"]: one["metrics"] for one in json.loads((tmp_path / "e.json").read_text())}
    assert set(found) == {"popular_28", "item_based", "content", "blend"}
    assert "diversity@10" in found["content"]
    assert "set apart: 0 repeats" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give one of --train"),
        (["--train", "x"], "--train needs --test"),
        (["--events", "x"], "--events needs --split-at"),
        (["--sequences", "none.txt"], "No such file"),
        (["--sequences", "x", "--engines", "magic"], "no engine magic; there are popular"),
        (["--sequences", "x", "--engines", "blend"], "a blend mixes"),
        (["--sequences", "x", "--cutoffs", "ten"], "whole numbers with commas"),
        (["--sequences", "x", "--cutoffs", "0"], "numbers from 1 on"),
    ],
)
def test_what_is_asked_wrongly_is_answered_with_the_fix(options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("evaluate_recommendations", *options)


def test_an_engine_that_does_not_fit_is_left_out_with_the_reason() -> None:
    events = interactions(
        [(user, (user + step) % 9, step) for user in range(9) for step in range(5)],
        n_people=9,
        n_items=9,
    )
    task = comparing.Task(
        validation=(splits.without_some(events),),
        test=splits.without_some(events, seed=1),
        items=Items.plain("abcdefghi"),
        has_times=False,
        has_order=False,
        memory_bytes=4 * 8**2,
        budget=1,
    )

    (skipped,) = comparing.compare(task, ("ease",))

    assert isinstance(skipped, comparing.Skipped)
    assert "for 9 products" in skipped.reason
