"""Multiple comparisons, splits and quantiles against published numbers."""

from __future__ import annotations

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import chdtrc, stdtrit

from inference.comparisons import holm, holm_confidences
from inference.counts import chi_square
from inference.distributions import (
    chi_square_tail,
    normal_quantile,
    skewed_normal_score,
    skewed_quantile,
    t_quantile,
)
from inference.estimate import Estimate

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("given_p", "adjusted"),
    [
        # GrowthBook, packages/shared/test/experiments.test.ts.
        ([0.01, 0.04, 0.03, 0.005, 0.55, 0.6], [0.05, 0.12, 0.12, 0.03, 1, 1]),
        # statsmodels multipletests.
        ([0.02, 0.02, 0.02, 0.5], [0.08, 0.08, 0.08, 0.5]),
        ([0.898, 0.138, 0.007, 0.964, 0.538, 0.006, 0.138], [1, 0.69, 0.042, 1, 1, 0.042, 0.69]),
        ([], []),
    ],
)
def test_holm_gives_the_published_values(given_p: list[float], adjusted: list[float]) -> None:
    assert holm(given_p) == pytest.approx(adjusted)


@given(P_VALUES)
def test_level_of_each_interval_agrees_with_holm(values: list[float]) -> None:
    levels = holm_confidences(values, confidence=0.95)

    for p, adjusted, confidence in zip(values, holm(values), levels, strict=True):
        if abs(adjusted - 0.05) > 1e-9:
            assert (p < 1 - confidence) == (adjusted < 0.05)


@pytest.mark.parametrize(
    ("observed", "shares", "statistic", "p"),
    [
        ([5032, 4968], [1, 1], 0.4096, 0.5221725993857229),
        ([9120, 6400], [1, 1], 476.70103092783506, 1.1158275464490397e-105),
        ([3400, 3300, 3250], [1, 1, 1], 3.517587939698493, 0.17225248028679596),
        ([44700, 45489], [0.5, 0.5], 6.9024049496058275, 0.008607987810836262),
        ([10, 0], [1, 0], 0.0, 1.0),
        ([0, 0], [1, 1], 0.0, 1.0),
        ([10, 1], [1, 0], float("inf"), 0.0),
    ],
)
def test_chi_square_gives_the_reference_values(
    observed: list[int], shares: list[float], statistic: float, p: float
) -> None:
    assert chi_square(observed, shares) == pytest.approx((statistic, p))


@given(st.floats(-4, 4), st.floats(-3, 3))
def test_normal_score_undoes_the_skewed_quantile(z: float, skewness: float) -> None:
    value = skewed_quantile(z, skewness)

    # Near the end of a skewed variable the quantile hardly moves with z.
    assert skewed_quantile(skewed_normal_score(value, skewness), skewness) == pytest.approx(
        value, abs=1e-9
    )


@pytest.mark.parametrize(
    # US Water Resources Council, Bulletin 17B (1982), appendix 3.
    ("probability", "skewness", "factor"),
    [(0.99, 1.0, 3.02256), (0.99, -1.0, 1.58838), (0.9, 0.0, 1.28155), (0.01, 1.0, -1.58838)],
)
def test_skewed_quantile_is_near_the_tabled_factor(
    probability: float, skewness: float, factor: float
) -> None:
    z = NormalDist().inv_cdf(probability)

    assert skewed_quantile(z, skewness) == pytest.approx(factor, abs=0.02)


@given(st.floats(30, 1e7), st.floats(0.8, 0.995))
def test_t_quantile_agrees_with_scipy(degrees: float, confidence: float) -> None:
    exact = stdtrit(degrees, (1 + confidence) / 2)

    assert t_quantile(confidence, degrees) == pytest.approx(exact, abs=2e-5)


def test_t_quantile_is_that_of_the_tables() -> None:
    assert t_quantile(0.95, 9) == pytest.approx(2.262157, abs=1e-4)
    assert t_quantile(0.95, 30) == pytest.approx(2.042272, abs=1e-6)


@given(st.integers(1, 9), st.floats(0, 300))
def test_chi_square_tail_agrees_with_scipy(degrees: int, statistic: float) -> None:
    assert chi_square_tail(statistic, degrees) == pytest.approx(
        float(chdtrc(degrees, statistic)), rel=1e-9
    )


def test_a_negative_factor_turns_an_estimate_over() -> None:
    assert Estimate(1, -2, 3).times(-2) == Estimate(-2, -6, 4)
    assert Estimate(1, -2, 3).plus(1) == Estimate(2, -1, 4)
    assert [Estimate(0, a, b).direction for a, b in [(1, 2), (-2, -1), (-1, 1)]] == [1, -1, 0]


def test_a_confidence_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        normal_quantile(1.0)
