"""One finding a group: its level, the ratio to who it is compared with, and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from inference.estimate import CONFIDENCE, Estimate

FOUR_FIFTHS = 0.8
ENOUGH = 50


class Verdict(StrEnum):
    """What the interval of a ratio allows to say."""

    REFERENCE = "reference"
    EVEN = "even"
    UNEVEN = "uneven"
    UNCLEAR = "unclear"
    TOO_FEW = "too_few"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A group of `n` people: `level` is its own rate or mean, `ratio` that to the reference's."""

    group: str
    n: int
    level: float
    ratio: Estimate | None
    verdict: Verdict


def judged(ratio: Estimate | None, *, limit: float = FOUR_FIFTHS, both_ways: bool) -> Verdict:
    """Even if the whole interval is above `limit` (and below its inverse), uneven if outside.

    A ratio that cannot be told at all is unclear.
    """
    if ratio is None:
        return Verdict.UNCLEAR
    top = 1 / limit if both_ways else float("inf")
    if ratio.high < limit or ratio.low > top:
        return Verdict.UNEVEN
    return Verdict.EVEN if ratio.low >= limit and ratio.high <= top else Verdict.UNCLEAR


def confidence_of_each(n_comparisons: int) -> float:
    """Return the confidence of each interval so that all together hold at 95 %.

    Source: C. E. Bonferroni's inequality; O. J. Dunn, JASA 56 (1961) 52-64.
    """
    return 1 - (1 - CONFIDENCE) / max(n_comparisons, 1)


def against(
    sizes: Mapping[str, int],
    levels: Mapping[str, float],
    ratio: Callable[[str, float], Estimate | None],
    *,
    both_ways: bool,
    reference: str = "",
) -> list[Finding]:
    """Return a finding for each group, the lowest level first.

    `ratio(group, confidence)` compares a group of at least `ENOUGH` people. Those of whom the
    group is not known (its name is empty) have nothing in common and are not compared.
    """
    compared = [name for name, n in sizes.items() if name and n >= ENOUGH and name != reference]
    confidence = confidence_of_each(len(compared))
    found = []
    for name, n in sizes.items():
        told = ratio(name, confidence) if name in compared else None
        if name == reference:
            verdict = Verdict.REFERENCE
        elif name not in compared:
            verdict = Verdict.TOO_FEW if name else Verdict.UNKNOWN
        else:
            verdict = judged(told, both_ways=both_ways)
        found.append(Finding(name, n, levels[name], told, verdict))
    return sorted(found, key=lambda one: (one.level, one.group))
