"""Rates and their differences: published intervals, and what must hold of any."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats.contingency import relative_risk

from inference import proportions
from inference.proportions import Proportion


@st.composite
def parts(draw: st.DrawFn) -> Proportion:
    n = draw(st.integers(1, 100_000))
    return Proportion(draw(st.integers(0, n)), n)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_rate_has_the_published_score_interval(hits: int, n: int, low: float, high: float) -> None:
    found = proportions.interval(Proportion(hits, n))

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("treated", "control", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10.
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_difference_has_the_published_hybrid_interval(
    treated: tuple[int, int], control: tuple[int, int], low: float, high: float
) -> None:
    found = proportions.difference(Proportion(*control), Proportion(*treated))

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(parts(), st.floats(0.5, 0.999))
def test_interval_of_a_rate_holds_it_and_stays_within_0_and_1(
    part: Proportion, confidence: float
) -> None:
    found = proportions.interval(part, confidence=confidence)

    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


@given(parts(), parts())
def test_swapped_arms_mirror_the_difference(one: Proportion, other: Proportion) -> None:
    found = proportions.difference(one, other)
    mirrored = proportions.difference(other, one)

    assert (found.value, found.low, found.high) == pytest.approx(
        (-mirrored.value, -mirrored.high, -mirrored.low), abs=1e-12
    )


@given(parts(), parts())
def test_difference_stays_within_minus_1_and_1(one: Proportion, other: Proportion) -> None:
    found = proportions.difference(one, other)

    assert -1 - 1e-12 <= found.low <= found.value <= found.high <= 1 + 1e-12


@given(parts(), parts())
def test_ten_times_the_customers_narrow_the_difference(one: Proportion, other: Proportion) -> None:
    few = proportions.difference(one, other)
    many = proportions.difference(
        Proportion(one.hits * 10, one.n * 10), Proportion(other.hits * 10, other.n * 10)
    )

    assert many.high - many.low < few.high - few.low


@given(parts(), parts())
def test_p_is_below_five_percent_exactly_where_zero_is_left_out(
    one: Proportion, other: Proportion
) -> None:
    p = proportions.p_value(one, other)

    assert (p < 0.05) == (proportions.difference(one, other).direction != 0)
    assert p == pytest.approx(proportions.p_value(other, one), abs=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_an_impossible_proportion_is_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="is no proportion"):
        Proportion(hits, n)


def test_koopmans_own_example_of_a_ratio() -> None:
    # P. A. R. Koopman, Biometrics 40 (1984), page 516: 36 of 40 against 16 of 80.
    found = proportions.ratio(Proportion(16, 80), Proportion(36, 40))

    assert found is not None
    assert found.value == pytest.approx(4.5)
    assert (found.low, found.high) == pytest.approx((2.94, 7.15), abs=0.005)


def test_with_many_units_the_ratio_is_as_by_the_logarithm() -> None:
    found = proportions.ratio(Proportion(1500, 4000), Proportion(1200, 4000))
    second = relative_risk(1200, 4000, 1500, 4000).confidence_interval()

    assert found is not None
    assert (found.low, found.high) == pytest.approx((second.low, second.high), rel=1e-3)


@given(parts(), parts())
def test_a_ratio_leaves_one_out_exactly_where_the_score_test_calls(
    control: Proportion, treated: Proportion
) -> None:
    found = proportions.ratio(control, treated)

    if found is None:
        assert control.hits == 0
        return
    pooled = (control.hits + treated.hits) / (control.n + treated.n)
    variance = pooled * (1 - pooled) * (1 / control.n + 1 / treated.n)
    z = (treated.rate - control.rate) / variance**0.5 if variance else 0.0
    assert found.low <= found.value <= found.high
    assume(abs(abs(z) - 1.959964) > 1e-6)
    assert (not found.low <= 1 <= found.high) == (abs(z) > 1.959964)


def test_without_a_hit_there_is_no_ratio_to_the_control() -> None:
    assert proportions.ratio(Proportion(0, 10), Proportion(3, 10)) is None
    none = proportions.ratio(Proportion(3, 10), Proportion(0, 10))
    assert none is not None
    assert (none.value, none.low) == (0, 0)
