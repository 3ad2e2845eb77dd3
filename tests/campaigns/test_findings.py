"""Findings: money against reference results, the verdict's rule, and its false calls."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments import money
from campaigns.experiments.assignment import HOLDOUT
from campaigns.experiments.findings import ArmSums, Code, Findings, Metric, conclude
from campaigns.experiments.money import Missing
from inference.means import Moments
from tests.make import NOW

# The men's e-mail of the MineThatData test (K. Hillstrom, 2008): spend of the two weeks.
NO_MAIL = Moments(21_306, 13_908.33, 2_870_050.3621)
MENS_MAIL = Moments(21_307, 30_311.69, 6_759_024.4973)


def scaled(sums: Moments, factor: float) -> Moments:
    return Moments(sums.n, sums.total * factor, sums.squares * factor**2, sums.cubes * factor**3)


def arm(key: str, n: int, buyers: int, *, spend: float = 50, clicked: int = 0) -> ArmSums:
    """An arm whose buyers all spend the same, with a margin of 40 %."""
    net = Moments(n, buyers * spend, buyers * spend**2, buyers * spend**3)
    return ArmSums(
        key,
        n,
        n_sent=n if key != HOLDOUT else 0,
        n_clicked=clicked,
        n_buyers=buyers,
        net=net,
        margin=scaled(net, 0.4),
    )


def concluded(*arms: ArmSums, cost_minor: int = 0, decide_on: datetime | None = None) -> Findings:
    """Conclude on arms of the sizes they were set to."""
    weights = {one.key: one.n for one in arms if one.key != HOLDOUT}
    held_out, everybody = (
        sum(one.n for one in some) for some in ([one for one in arms if one.key == HOLDOUT], arms)
    )
    return conclude(
        arms,
        holdout_ppm=round(1_000_000 * held_out / everybody),
        weights=weights,
        cost_minor=cost_minor,
        decide_on=decide_on,
    )


def test_the_real_e_mail_test_earned_what_the_reference_says() -> None:
    earned = money.earned(
        net=(scaled(NO_MAIL, 100), scaled(MENS_MAIL, 100)),
        margin=(scaled(NO_MAIL, 40), scaled(MENS_MAIL, 40)),
        cost_minor=21_307 * 10,
    )

    assert earned.revenue
    assert earned.profit
    assert earned.roi
    assert earned.revenue.value / 100 == pytest.approx(16_402.707210644887)
    assert earned.profit.value / 100 == pytest.approx(4_430.382884257955)
    assert earned.roi.value == pytest.approx(2.0793086235781457)
    # The reference interval is Welch's; with even arms the deal gives nearly the same.
    assert earned.roi.low == pytest.approx(0.9405965157151336, abs=0.02)
    assert earned.roi.high == pytest.approx(3.218020731441158, abs=0.02)


@pytest.mark.parametrize(
    ("n_sent", "micros", "exponent", "cost"),
    [
        (1000, 1500, 2, 150 + 500),
        (3, 500_000, 0, 2 + 500),
        (5, 500_000, 0, 2 + 500),
        (0, 9, 2, 500),
    ],
)
def test_cost_is_rounded_to_the_even_minor_unit(
    n_sent: int, micros: int, exponent: int, cost: int
) -> None:
    assert money.cost_minor(n_sent, micros=micros, fixed_minor=500, exponent=exponent) == cost


def test_more_buyers_than_in_the_holdout_raise_sales() -> None:
    found = concluded(arm("A", 9000, 700), arm(HOLDOUT, 1000, 40), cost_minor=2000)

    assert found.verdict.code == Code.SALES_UP
    assert found.verdict.sales
    assert found.verdict.sales.metric in {Metric.BUYERS, Metric.NET}
    assert found.verdict.sales.difference.low > 0
    assert found.verdict.roi
    # 9,000 x (700 / 9,000 - 40 / 1,000) x 50 x 40 % - 2,000, over 2,000.
    assert found.verdict.roi.value == pytest.approx((340 * 50 * 0.4 - 2000) / 2000)


def test_fewer_buyers_than_in_the_holdout_lower_sales() -> None:
    assert concluded(arm("A", 9000, 300), arm(HOLDOUT, 1000, 80)).verdict.code == Code.SALES_DOWN


def test_as_many_buyers_as_in_the_holdout_show_no_effect() -> None:
    found = concluded(arm("A", 9000, 450), arm(HOLDOUT, 1000, 50))

    assert found.verdict.code == Code.NO_EFFECT
    assert found.verdict.sales == found.sales[0]


def test_more_buyers_who_spend_less_are_mixed() -> None:
    found = concluded(arm("A", 9000, 1800, spend=10), arm(HOLDOUT, 1000, 100, spend=100))

    assert found.verdict.code == Code.MIXED


@pytest.mark.parametrize(("buyers", "held_out"), [(19, 0), (9, 10)])
def test_fewer_than_twenty_buyers_are_not_enough(buyers: int, held_out: int) -> None:
    found = concluded(arm("A", 9000, buyers), arm(HOLDOUT, 1000, held_out), cost_minor=10)

    assert (found.verdict.code, found.sales) == (Code.NOT_ENOUGH, ())
    assert (found.earned.roi, found.earned.missing) == (None, Missing.TOO_FEW)


def test_a_tiny_holdout_is_not_enough() -> None:
    assert concluded(arm("A", 951, 100), arm(HOLDOUT, 49, 1)).verdict.code == Code.NOT_ENOUGH


def test_an_open_window_is_too_early_but_shows_its_numbers() -> None:
    closes = NOW + timedelta(days=3)
    found = concluded(arm("A", 9000, 700), arm(HOLDOUT, 1000, 40), decide_on=closes)

    assert (found.verdict.code, found.verdict.decide_on) == (Code.TOO_EARLY, closes)
    assert found.verdict.sales is None
    assert len(found.sales) == 2


def test_without_a_holdout_the_effect_on_sales_is_unknown() -> None:
    found = concluded(arm("A", 500, 50, clicked=50), arm("B", 500, 50, clicked=90), cost_minor=5)

    assert found.verdict.code == Code.NO_HOLDOUT
    assert found.earned.missing == Missing.NO_HOLDOUT
    assert found.verdict.clicks
    assert found.verdict.clicks.difference.low > 0


def test_without_cost_there_is_no_return_on_it() -> None:
    earned = concluded(arm("A", 9000, 700), arm(HOLDOUT, 1000, 40)).earned

    assert (earned.roi, earned.missing) == (None, Missing.NO_COST)
    assert earned.profit == earned.margin


def test_arms_of_other_sizes_than_set_forbid_any_conclusion() -> None:
    found = conclude(
        [arm("A", 4000, 700, clicked=900), arm("B", 5000, 700, clicked=100), arm(HOLDOUT, 1000, 9)],
        holdout_ppm=100_000,
        weights={"A": 1, "B": 1},
    )

    assert found.split.broken
    assert found.verdict.code == Code.SPLIT_BROKEN
    assert (found.verdict.sales, found.verdict.clicks, found.verdict.roi) == (None, None, None)


def test_a_campaign_with_nobody_in_it_says_so() -> None:
    found = conclude([], holdout_ppm=100_000, weights={"A": 1})

    assert found.verdict.code == Code.NOBODY


def test_three_variants_are_held_to_a_stricter_level_than_two() -> None:
    two = concluded(arm("A", 1000, 0, clicked=100), arm("B", 1000, 0, clicked=129))
    three = concluded(
        arm("A", 1000, 0, clicked=100),
        arm("B", 1000, 0, clicked=129),
        arm("C", 1000, 0, clicked=101),
    )

    assert two.clicks[0].difference.direction == 1
    assert three.clicks[0].difference.direction == 0
    assert three.clicks[0].confidence == pytest.approx(0.975)
    assert [one.arm for one in three.clicks] == ["B", "C"]


@given(st.integers(60, 5000), st.integers(0, 50), st.integers(20, 60))
def test_the_order_of_the_arms_changes_nothing(n: int, held_out: int, buyers: int) -> None:
    arms = [arm("A", n, buyers), arm("B", n, buyers // 2), arm(HOLDOUT, 60, held_out)]

    assert concluded(*arms) == concluded(*reversed(arms))


def test_a_campaign_without_effect_is_called_otherwise_in_at_most_one_of_twenty() -> None:
    rng = np.random.default_rng(11)
    money_of = np.where(rng.random(3000) < 0.3, rng.lognormal(9, 1.5, 3000), 0).round()
    calls = 0
    for _ in range(400):
        held_out = rng.random(3000) < 0.1
        calls += (
            concluded(
                *(
                    ArmSums(
                        key,
                        len(some),
                        n_buyers=int((some > 0).sum()),
                        net=(sums := Moments.of(some.tolist())),
                        margin=scaled(sums, 0.3),
                    )
                    for key, some in (("A", money_of[~held_out]), (HOLDOUT, money_of[held_out]))
                )
            ).verdict.code
            != Code.NO_EFFECT
        )

    # 5 % of 400, and three standard deviations.
    assert calls <= 20 + 13
