"""The fairness formulas, against published numbers, a second way, and what must always hold."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.means import Moments
from inference.proportions import Proportion
from privacy.fairness import exposure, popularity
from privacy.fairness.calibration import calibration_error, reliability
from privacy.fairness.findings import Finding, Verdict, judged
from privacy.fairness.groups import OTHERS, merged
from privacy.fairness.opportunity import opportunity_difference
from privacy.fairness.selection import Chosen, selection_rates

COUNTS = st.tuples(st.integers(0, 400), st.integers(0, 400)).map(lambda x: Chosen(min(x), max(x)))
GROUPS = st.dictionaries(st.text(max_size=3), COUNTS, max_size=8)


def by_group(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.group: finding for finding in findings}


def test_the_guidelines_own_example_is_adverse_impact() -> None:
    # Questions and Answers on the Uniform Guidelines (1979): 48 of 80 and 12 of 40 are hired.
    found = by_group(selection_rates({"white": Chosen(48, 80), "black": Chosen(12, 40)}))
    larger = by_group(selection_rates({"white": Chosen(480, 800), "black": Chosen(120, 400)}))

    assert found["white"].verdict == Verdict.REFERENCE
    assert found["black"].verdict == Verdict.TOO_FEW  # forty are few, whatever their rate
    assert larger["black"].ratio is not None
    assert larger["black"].ratio.value == pytest.approx(0.5)
    assert larger["black"].verdict == Verdict.UNEVEN


def test_a_gap_that_may_be_chance_is_not_called() -> None:
    found = by_group(selection_rates({"a": Chosen(30, 60), "b": Chosen(22, 60)}))

    assert found["b"].verdict == Verdict.UNCLEAR


@given(GROUPS)
def test_nobody_is_lost_and_no_small_group_is_shown(groups: dict[str, Chosen]) -> None:
    kept = merged(groups)

    assert all(group.n >= 10 for group in kept.values())
    everybody = sum(group.n for group in groups.values())
    assert sum(group.n for group in kept.values()) in {
        everybody,
        0 if everybody < 10 else everybody,
    }


@given(GROUPS)
def test_the_reference_has_the_highest_rate_of_those_compared(groups: dict[str, Chosen]) -> None:
    findings = selection_rates(groups)

    ratios = {one.group: one.ratio for one in findings if one.ratio is not None}
    assert all(ratio.low <= ratio.value <= ratio.high for ratio in ratios.values())
    # What is left over is no group one can be compared with, so it may lie above the reference.
    assert all(ratio.value <= 1 for group, ratio in ratios.items() if group != OTHERS)
    assert sum(one.verdict == Verdict.REFERENCE for one in findings) <= 1


def test_merging_takes_the_smallest_group_along_rather_than_leave_a_few_to_be_told() -> None:
    groups = {"a": Chosen(5, 100), "b": Chosen(5, 20), "c": Chosen(1, 3)}

    assert merged(groups) == {"a": Chosen(5, 100), OTHERS: Chosen(6, 23)}


def test_equal_opportunity_of_compas_as_propublica_counted_it() -> None:
    # Broward County, two years: 1369 of 1901 black and 505 of 966 white recidivists were
    # labelled high risk, false negative rates of 28.0 and 47.7 %.
    found = opportunity_difference(Proportion(1369, 1901), Proportion(505, 966))

    assert found.value == pytest.approx(0.2799 - 0.4772, abs=1e-4)
    assert found.high < 0


def test_scores_of_compas_are_right_alike_for_both_groups_as_northpointe_said() -> None:
    # Of those labelled high risk 1369 of 2174 and 505 of 854 did it again: 63.0 and 59.1 %.
    for hits, n, rate in ((1369, 2174, 0.630), (505, 854, 0.591)):
        [one] = reliability([(0.61, i < hits) for i in range(n)])
        assert one.came.value == pytest.approx(rate, abs=5e-4)
        assert one.is_right == (one.came.low <= 0.61 <= one.came.high)


def test_the_calibration_error_is_the_mean_gap_weighted_by_people() -> None:
    low = [(0.1, False)] * 9 + [(0.1, True)]
    high = [(0.9, True)] * 20 + [(0.9, False)] * 10

    bins = reliability([*low, *high])

    assert [one.n for one in bins] == [10, 30]
    assert calibration_error(bins) == pytest.approx((10 * 0 + 30 * abs(2 / 3 - 0.9)) / 40)
    with pytest.raises(ValueError, match="within 0 and 1"):
        reliability([(1.1, True)])


def test_exposure_of_the_job_seekers_of_singh_and_joachims() -> None:
    # KDD 2018, figure 1: three men with relevance .82 .81 .80 ahead of three women .79 .78 .77
    # get 0.71 and 0.39 of the attention on average, though they differ by 0.03 in relevance.
    men, women = exposure.mean_exposure([1, 2, 3]), exposure.mean_exposure([4, 5, 6])

    assert (round(men, 2), round(women, 2)) == (0.71, 0.39)
    assert exposure.treatment_ratio(men, 0.81, women, 0.78) == pytest.approx(1.75, abs=0.01)


def test_the_places_of_a_list_share_its_attention() -> None:
    flags = [True, False, True, False]

    assert exposure.share(flags) + exposure.share([not flag for flag in flags]) == pytest.approx(1)
    assert max(permutations(flags), key=exposure.share)[:2] == (True, True)


def test_people_shown_the_same_are_alike_and_people_shown_half_are_not() -> None:
    even, half = Moments.of([0.3, 0.5] * 200), Moments.of([0.15, 0.25] * 200)

    alike = exposure.parity({"a": even, "b": even})
    unlike = by_group(exposure.parity({"a": even, "b": half}))

    assert {one.verdict for one in alike} == {Verdict.EVEN}
    assert unlike["b"].ratio is not None
    assert unlike["b"].ratio.value == pytest.approx(0.5)
    assert {one.verdict for one in unlike.values()} == {Verdict.UNEVEN}


@pytest.mark.parametrize(
    ("counts", "index"), [([1, 1, 1, 1], 0), ([0, 0, 0, 1], 0.75), ([1, 2, 3, 4], 0.25), ([], 0)]
)
def test_gini_of_known_distributions(counts: list[float], index: float) -> None:
    assert popularity.gini(counts) == pytest.approx(index)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30), st.integers(1, 9))
def test_gini_is_half_the_mean_difference_and_knows_no_unit(counts: list[int], times: int) -> None:
    index = popularity.gini(counts)

    n, total = len(counts), sum(counts)
    pairs = sum(abs(a - b) for a in counts for b in counts)
    assert index == pytest.approx(pairs / (2 * n * total) if total else 0)
    assert popularity.gini([count * times for count in counts]) == pytest.approx(index)


def test_popularity_lift_of_a_group() -> None:
    sold = {"hit": 100, "rare": 10}
    bought = popularity.average_popularity(["hit", "rare"], sold)
    shown = popularity.average_popularity(["hit", "hit"], sold)

    assert popularity.popularity_lift(bought, shown) == pytest.approx(100 / 55 - 1)


def test_no_ratio_is_no_verdict() -> None:
    assert judged(None, both_ways=True) == Verdict.UNCLEAR
