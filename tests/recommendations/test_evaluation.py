from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.engines.base import DAY, NOTHING, Items
from recommendations.evaluation import comparing, metrics, splits
from tests.recommendations.interactions import checkerboard, interactions, rows


def test_ndcg_of_a_hand_example() -> None:
    # Of three wanted items two are found, in places 2 and 4.
    found = metrics.hits(np.array([[7, 1, 8, 2, NOTHING]]), [rows(1, 2, 3)])

    value = metrics.ndcg(found, rows(3), 5)

    gained = 1 / math.log2(3) + 1 / math.log2(5)
    assert value[0] == pytest.approx(gained / (1 + 1 / math.log2(3) + 1 / math.log2(4)))
    assert metrics.recall(found, rows(3), 3)[0] == pytest.approx(1 / 3)
    assert metrics.recall(found, rows(3), 5)[0] == pytest.approx(2 / 3)


def test_a_perfect_list_has_ndcg_1_even_if_more_is_wanted_than_is_shown() -> None:
    found = metrics.hits(np.array([[0, 1], [5, NOTHING]]), [rows(0, 1, 2, 3), rows(5)])

    assert metrics.ndcg(found, rows(4, 1), 2).tolist() == pytest.approx([1, 1])


def slow_ndcg(ranked: list[int], wanted: set[int], k: int) -> float:
    gained = sum(1 / math.log2(i + 2) for i, item in enumerate(ranked[:k]) if item in wanted)
    return gained / sum(1 / math.log2(i + 2) for i in range(min(k, len(wanted))))


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), min_size=1), st.integers(1, 12))
def test_metrics_agree_with_a_slow_second_way(ranked: list[int], wanted: set[int], k: int) -> None:
    found = metrics.hits(np.array([ranked]), [np.array(sorted(wanted))])

    assert metrics.ndcg(found, rows(len(wanted)), k)[0] == pytest.approx(
        slow_ndcg(ranked, wanted, k)
    )
    assert metrics.recall(found, rows(len(wanted)), k)[0] == pytest.approx(
        len(wanted & set(ranked[:k])) / len(wanted)
    )


def test_coverage_counts_each_item_shown_once_and_no_empty_place() -> None:
    ranked = np.array([[0, 1, 9], [1, NOTHING, NOTHING]])

    assert metrics.coverage(ranked, 2, 10) == pytest.approx(0.2)


def test_the_interval_of_a_mean_is_that_of_the_normal_law_for_many_people() -> None:
    values = np.random.default_rng(1).normal(0.3, 0.1, size=2_000)

    value, low, high = metrics.estimate(values)

    error = 1.96 * values.std() / math.sqrt(2_000)
    assert value == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((value - error, value + error), abs=error / 8)
    assert metrics.estimate(values) == (value, low, high)


def test_an_estimate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        metrics.estimate(np.array([]))


def test_a_split_tests_new_items_of_people_known_before_it() -> None:
    events = interactions(
        [
            (0, 0, 10), (0, 1, 10),  # known with items 0 and 1
            (0, 1, 20), (0, 2, 25), (0, 2, 26), (0, 3, 20),  # 1 repeats; 3 is cold
            (1, 2, 5),  # comes back only after the window
            (2, 0, 21),  # not known before
            (3, 2, 22),  # a basket of nobody
        ],
        n_people=3, n_baskets=1, n_items=4,
    )  # fmt: skip

    split = splits.at(replace(events, at=events.at * DAY), 20 * DAY, days=10)

    assert split.warm.tolist() == [0]
    assert [wanted.tolist() for wanted in split.wanted] == [[2, 3]]
    assert split.n_repeats == 1
    assert split.n_cold_items == 1
    assert split.train.at.max() < split.at


def test_validation_is_the_window_before_the_test() -> None:
    days = [(user, day // 3, day * DAY) for user in range(4) for day in range(90)]
    events = interactions(days, n_people=4, n_items=30)

    validation, test = splits.last_windows(events, end=90 * DAY, days=28, min_warm=4)

    assert (validation.at, test.at) == (34 * DAY, 62 * DAY)
    assert validation.wanted[0].max() * 3 < 62


def test_too_short_a_time_and_too_few_people_are_said() -> None:
    short = interactions([(0, 0, 0), (0, 1, 50 * DAY)], n_people=1, n_items=2)
    few = interactions([(0, n, n * 10 * DAY) for n in range(12)], n_people=1, n_items=12)

    with pytest.raises(splits.TooLittleDataError, match="less than 84 days"):
        splits.last_windows(short, end=60 * DAY)
    with pytest.raises(splits.TooLittleDataError, match="fewer than 30 customers"):
        splits.last_windows(few, end=115 * DAY)


def test_measuring_popularity_on_a_split_gives_the_hand_count() -> None:
    events = interactions(
        [(0, 0, 0), (1, 1, 0), (2, 1, 0), (0, 1, 2), (1, 0, 2), (2, 2, 2)], n_people=3, n_items=3
    )
    split = splits.at(events, 1, days=1)

    task = comparing.Task((split,), split, Items.plain("abc"), has_times=True, has_order=True)
    (found,) = comparing.compare(task, ("popular",))

    assert isinstance(found, comparing.Result)
    assert found.per_person["ndcg@10"].tolist() == [1, 1, 0]
    assert found.metrics["coverage@20"].value == pytest.approx(2 / 3)


def test_a_model_is_not_judged_on_what_it_has_seen() -> None:
    events = checkerboard(8)

    assert splits.at(events, 1, days=28).wanted == ()


def test_lists_of_unequal_length_stand_in_one_array_filled_up_with_nothing() -> None:
    table = splits.padded((rows(3, 1), rows(), rows(2)))

    assert table.tolist() == [[3, 1], [NOTHING, NOTHING], [2, NOTHING]]
    assert splits.padded(()).shape == (0, 0)
