"""Means, their differences and lifts: reference results by two routes, and invariants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import means, randomisation
from inference.means import Moments

# Heavy-tailed money of an arm: most customers spend nothing.
SPENDING = st.lists(
    st.one_of(st.just(0.0), st.integers(1, 1_000_000).map(float)), min_size=8, max_size=60
).filter(lambda values: len(set(values)) > 2)
# Sums as the public test suites of PostHog and GrowthBook state them.
POSTHOG = (Moments(2507, 1196.87, 37377.9767), Moments(2461, 1922.7, 94698.29))
GROWTHBOOK = (Moments(3407, 1396.87, 52377.9767), Moments(3461, 2422.7, 134698.29))
HILLSTROM = (
    Moments(21_306, 13_908.33, 2_870_050.3621),
    Moments(21_307, 30_311.69, 6_759_024.4973),
)


@given(SPENDING)
def test_sums_give_the_moments_of_the_values(values: list[float]) -> None:
    found, n = Moments.of(values), len(values)
    centred = np.array(values) - np.mean(values)

    assert found.mean == pytest.approx(np.mean(values))
    assert found.variance == pytest.approx(np.var(values, ddof=1), rel=1e-6)
    assert found.third == pytest.approx(
        float((centred**3).sum()) * n / (n - 1) / (n - 2), rel=1e-5, abs=1e-3 * found.variance**1.5
    )


def test_values_that_are_all_the_same_have_no_negative_variance() -> None:
    assert Moments.of([0.1] * 7).variance >= 0


@pytest.mark.parametrize(
    ("arms", "value", "low", "high"),
    [
        (POSTHOG, 0.3038565288, 0.0180437921, 0.5896692655),
        (GROWTHBOOK, 0.29, 0.04538, 0.53462),
        (HILLSTROM, 0.76983, 0.48514, 1.05451),
    ],
)
def test_welch_gives_the_reference_interval(
    arms: tuple[Moments, Moments], value: float, low: float, high: float
) -> None:
    found = means.welch(*arms)

    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=1e-5)


@pytest.mark.parametrize(
    ("arms", "low", "high"),
    [
        (GROWTHBOOK, 1.09417, 2.70840),
        (POSTHOG, 1.0325402794, 2.5989761967),
        (HILLSTROM, 1.64369, 2.97745),
    ],
)
def test_lift_gives_the_reference_interval(
    arms: tuple[Moments, Moments], low: float, high: float
) -> None:
    found = means.lift(*arms)

    assert found is not None
    assert (found.low + 1, found.high + 1) == pytest.approx((low, high), abs=1e-5)


def test_a_control_that_hardly_spends_allows_no_percentage() -> None:
    assert means.lift(Moments.of([0.0] * 99 + [1.0]), Moments.of([1.0] * 50 + [2.0])) is None


def test_interval_of_a_mean_is_that_of_a_textbook_sample() -> None:
    # Student's own data (sleep, drug 2), n 10, mean 2.33: R's t.test gives 0.8976775 3.7623225.
    found = means.interval(Moments.of([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]))

    assert (found.value, found.low, found.high) == pytest.approx(
        (2.33, 0.8976775, 3.7623225), abs=1e-4
    )


@given(SPENDING, SPENDING)
def test_swapped_arms_mirror_the_deal(one: list[float], other: list[float]) -> None:
    a, b = Moments.of(one), Moments.of(other)
    found, mirrored = randomisation.difference(a, b), randomisation.difference(b, a)
    width = found.high - found.low

    assert found.low == pytest.approx(-mirrored.high, abs=1e-6 * width)
    assert found.high == pytest.approx(-mirrored.low, abs=1e-6 * width)


@given(SPENDING, SPENDING, st.floats(0.01, 100))
def test_the_unit_of_money_does_not_matter(
    one: list[float], other: list[float], factor: float
) -> None:
    found = randomisation.difference(Moments.of(one), Moments.of(other)).times(factor)
    scaled = randomisation.difference(
        Moments.of([x * factor for x in one]), Moments.of([x * factor for x in other])
    )

    width = found.high - found.low
    assert (scaled.low, scaled.high) == pytest.approx((found.low, found.high), abs=1e-5 * width)


@given(SPENDING, SPENDING)
def test_p_is_below_five_percent_exactly_where_the_deal_leaves_zero_out(
    one: list[float], other: list[float]
) -> None:
    arms = Moments.of(one), Moments.of(other)

    assert (randomisation.p_value(*arms) < 0.05) == (randomisation.difference(*arms).direction != 0)


def test_the_deal_has_the_quantiles_of_ten_thousand_shuffles() -> None:
    rng = np.random.default_rng(7)
    money = np.where(rng.random(4000) < 0.3, rng.lognormal(5, 1.4, 4000), 0.0)
    shuffled = np.array([rng.permutation(money)[:400].sum() for _ in range(10_000)])
    gaps = (money.sum() - shuffled) / 3600 - shuffled / 400

    found = randomisation.difference(Moments.of(money[:400]), Moments.of(money[400:]))

    # 0.03 standard deviations: the error of a shuffled quantile.
    spread = float(gaps.std())
    low, high = np.quantile(gaps, [0.025, 0.975])
    assert found.value - found.high == pytest.approx(float(low), abs=0.07 * spread)
    assert found.value - found.low == pytest.approx(float(high), abs=0.07 * spread)


def test_customers_who_all_spend_the_same_show_no_effect() -> None:
    assert randomisation.p_value(Moments.of([5.0] * 4), Moments.of([5.0] * 9)) == 1.0


def test_even_arms_without_a_tail_agree_with_welch() -> None:
    rng = np.random.default_rng(1)
    arms = Moments.of(rng.normal(10, 3, 5000)), Moments.of(rng.normal(10.1, 3, 5000))

    found, textbook = randomisation.difference(*arms), means.welch(*arms)

    assert math.isclose(found.low, textbook.low, rel_tol=0.01)
    assert math.isclose(found.high, textbook.high, rel_tol=0.01)
