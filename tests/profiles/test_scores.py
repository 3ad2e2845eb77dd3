"""Scores as numbers: each metric a second way, what beats the rule and what does not, who is treated alike."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_tweedie_deviance

from inference.means import Moments
from privacy.fairness.findings import Verdict
from profiles.scores import counting, fitting, groups, judging
from profiles.scores.features import FACTS, NAMES, OUTCOMES, Snapshot, matrix, snapshot
from profiles.scores.groups import Counts


def window(n: int = 1_200, *, seed: int, season: float = 1.0, told: bool = True) -> Snapshot:
    """Customers who come back as often as they used to: recency tells little of it, orders much.

    With `told` off, what comes has nothing to do with what was.
    """
    dice = np.random.default_rng(seed)
    rate = dice.choice([0.1, 1.0, 4.0], size=n)
    orders = 1 + dice.poisson(rate * 4)
    recency = dice.integers(0, 180, size=n)
    facts: dict[str, Any] = dict.fromkeys(FACTS, np.zeros(n))
    facts |= {
        "recency_days": recency,
        "tenure_days": recency + 200,
        "n_orders": orders,
        "n_orders_365": orders,
        "spent": orders * 5_000,
    }
    after = dice.poisson((rate if told else np.full(n, 0.7)) * season)
    table = [np.arange(n), *facts.values(), after, after * 5_000]
    return snapshot(np.column_stack(table).astype(int).tolist())


def test_a_snapshot_keeps_facts_and_outcomes_apart() -> None:
    row = [7, *range(1, len(FACTS) + 1), 2, 9_900]
    gone = [8, *range(1, len(FACTS) + 1), 0, -500]

    both = snapshot([row, gone])

    assert both.customers.tolist() == [7, 8]
    assert both.facts[0].tolist() == list(range(1, len(FACTS) + 1))
    assert both.left.tolist() == [False, True]
    assert both.spent_after.tolist() == [9_900, 0]
    assert len(OUTCOMES) == 2
    assert matrix(both).shape == (2, len(NAMES))
    assert np.isfinite(matrix(both)).all()


def test_an_empty_snapshot_is_no_fault() -> None:
    assert len(snapshot([])) == 0


def test_a_score_that_knows_more_than_recency_beats_it_and_its_chances_come_true() -> None:
    train, held_out, last = (window(seed=seed) for seed in (1, 2, 3))

    ours = fitting.churn(train, held_out)
    rule = fitting.churn(train, held_out, by_recency=True)
    foretold = ours.predict(last)
    compared = judging.compare(judging.CHURN, last.left, foretold, rule.predict(last))
    parts = judging.reliability(last.left, foretold)

    assert compared["brier"].margin.low > 0
    assert compared["auc"].ours.value > 0.75
    assert ours.weights["n_orders"] < 0 or ours.kind == "trees"
    assert judging.calibration_error(parts) < 0.06
    assert sum(part.n for part in parts) == len(last)


def test_a_score_of_what_cannot_be_foretold_does_not_beat_the_rule() -> None:
    train, held_out, last = (window(seed=seed, told=False) for seed in (1, 2, 3))

    ours = fitting.churn(train, held_out).predict(last)
    rule = fitting.churn(train, held_out, by_recency=True).predict(last)

    assert judging.compare(judging.CHURN, last.left, ours, rule)["brier"].margin.low <= 0


def test_money_is_foretold_in_its_level_and_the_window_before_tells_the_season() -> None:
    train, held_out, last = window(seed=1), window(seed=2, season=2), window(seed=3, season=2)

    ours = fitting.value(train, held_out)
    rule = fitting.value(train, held_out, by_recency=True)
    foretold = ours.predict(last)
    compared = judging.compare(judging.VALUE, last.spent_after, foretold, rule.predict(last))

    assert foretold.mean() == pytest.approx(last.spent_after.mean(), rel=0.1)
    assert compared["deviance"].margin.low > 0
    assert compared["top_share"].ours.value > compared["top_share"].rule.value
    assert len(judging.money_reliability(last.spent_after, foretold)) == 10


@pytest.mark.parametrize(("n", "calibration"), [(1_200, "sigmoid"), (4_000, "isotonic")])
def test_steps_calibrate_where_both_outcomes_are_common_and_a_curve_elsewhere(
    n: int, calibration: str
) -> None:
    fitted = fitting.churn(window(n, seed=1), window(n, seed=2))

    chances = fitted.predict(window(n, seed=3))

    assert fitted.calibration == calibration
    assert 0 < chances.min() < chances.max() < 1


def test_the_recency_rule_looks_at_nothing_else() -> None:
    train, held_out, last = (window(seed=seed) for seed in (1, 2, 3))
    rule = fitting.churn(train, held_out, by_recency=True)
    known = rule.predict(last)

    other = last.facts.copy()
    other[:, 1:] = 1
    same = rule.predict(Snapshot(last.customers, other, last.came_back, last.spent_after))

    assert list(rule.weights) == ["recency_days"]
    assert same.tolist() == known.tolist()


def test_the_same_data_give_the_same_scores() -> None:
    first, second = (
        fitting.churn(window(seed=1), window(seed=2)).predict(window(seed=3)) for _ in range(2)
    )

    assert first.tolist() == second.tolist()


chances = st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=2, max_size=30)


@given(chances)
def test_auc_is_the_share_of_pairs_in_the_right_order(scored: list[tuple[float, bool]]) -> None:
    chance, left = np.array([c for c, _ in scored]), np.array([came for _, came in scored])
    pairs = list(product(chance[left], chance[~left]))

    by_hand = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs) if pairs else 0.5

    assert judging.auc(left, chance) == pytest.approx(by_hand)


def test_a_chance_of_half_costs_a_quarter_and_the_log_of_two() -> None:
    left, chance = np.array([True, False]), np.array([0.5, 0.5])

    assert judging.brier(left, chance) == 0.25
    assert judging.log_loss(left, chance) == pytest.approx(np.log(2))


def test_what_the_top_tenth_spent_is_a_share_of_all_money() -> None:
    spent, foretold = np.arange(1.0, 21), np.arange(1.0, 21)

    assert judging.top_share(spent, foretold) == pytest.approx((19 + 20) / 210)
    assert judging.top_share(spent, -foretold) == pytest.approx((1 + 2) / 210)
    assert judging.top_share(spent * 0, foretold) == 0


def test_the_deviance_is_that_of_scikit_learn() -> None:
    spent, foretold = np.array([0.0, 10, 20]), np.array([5.0, 10, 25])

    assert judging.deviance(spent, foretold) == pytest.approx(
        mean_tweedie_deviance(spent / 10, foretold / 10, power=1.5)
    )


def test_the_deviance_does_not_depend_on_the_currency() -> None:
    spent, foretold = np.array([0.0, 10, 30]), np.array([5.0, 10, 20])

    assert judging.deviance(spent * 100, foretold * 100) == pytest.approx(
        judging.deviance(spent, foretold)
    )


@pytest.mark.parametrize(
    ("windows", "code"),
    [
        ((window(299, seed=1), window(seed=2)), "customers"),
        ((window(400, seed=1, season=30), window(seed=2)), "left"),
        ((window(400, seed=1, season=0.0), window(seed=2)), "bought"),
        ((window(seed=1), window(seed=2)), ""),
    ],
)
def test_too_little_data_is_told_by_what_is_lacking(
    windows: tuple[Snapshot, ...], code: str
) -> None:
    lacking = judging.too_little(*windows)

    assert (lacking[0] if lacking else "") == code


# Fairness ---------------------------------------------------------------------------------------


def counted(bias: float) -> dict[str, Counts]:
    """Two cities that leave alike; of the second, `bias` more is foretold."""
    dice = np.random.default_rng(9)
    cities = ["Graz", "Linz"] * 10_000
    chance = dice.uniform(0.2, 0.6, size=20_000)
    left = dice.random(20_000) < chance
    return counting.count(cities, left, np.clip(chance + np.tile([0.0, bias], 10_000), 0, 1))


def test_a_score_that_means_the_same_everywhere_is_even() -> None:
    assert {one.verdict for one in groups.meaning(counted(0.0))} == {Verdict.EVEN}
    assert groups.uneven({"city": counted(0.0)}) == []


def test_a_score_that_overstates_one_group_is_uneven_in_meaning_and_choice() -> None:
    found = counted(0.2)

    [graz, linz] = groups.meaning(found)

    assert (graz.verdict, linz.verdict) == (Verdict.UNEVEN, Verdict.UNEVEN)
    assert linz.gap is not None
    assert linz.gap.value == pytest.approx(-0.2, abs=0.04)
    assert "city:Graz:selection" in groups.uneven({"city": found})
    assert "city:Graz:opportunity" in groups.uneven({"city": found})


def test_a_gap_that_all_groups_share_is_a_season_and_not_unfair() -> None:
    dice = np.random.default_rng(9)
    left = dice.random(2_000) < 0.3
    found = counting.count(["a", "b"] * 1_000, left, dice.uniform(0.5, 0.7, size=2_000))

    assert Verdict.UNEVEN not in {one.verdict for one in groups.meaning(found)}


def test_small_groups_are_merged_and_unknown_ones_not_compared() -> None:
    names = ["Graz"] * 500 + [""] * 100 + [f"village {n}" for n in range(20)]
    dice = np.random.default_rng(1)
    found = counting.count(names, dice.random(620) < 0.5, dice.random(620))

    verdicts = {one.group: one.verdict for one in groups.meaning(found)}

    assert set(found) == {"Graz", "", "others"}
    assert verdicts[""] == Verdict.UNKNOWN
    assert verdicts["others"] == Verdict.TOO_FEW


def test_of_money_those_deserve_it_who_spent_most() -> None:
    spent = np.array([0.0] * 80 + [10.0] * 10 + [100.0] * 10)

    found = counting.count(["a"] * 100, spent, np.arange(100.0))["a"]

    assert (found.n_chosen, found.n_deserving, found.n_found) == (20, 20, 20)
    assert found.foretold == pytest.approx(sum(range(100)))


def test_counts_are_kept_as_json_and_come_back_the_same() -> None:
    one = Counts(9, 2, 3, 1, 4.5, Moments(9, 1.0, 2.0, 3.0))

    assert Counts.from_json(one.to_json()) == one
    assert (one + one).n_found == 2
