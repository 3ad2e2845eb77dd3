"""How much of the attention a list of products gets goes to whom or to what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2

from inference import means
from inference.estimate import Estimate
from inference.means import Moments
from privacy.fairness.findings import Finding, against
from privacy.fairness.groups import SMALLEST, merged


def attention(position: int) -> float:
    """Return the part of the first place's attention that a place gets, counted from 1.

    Source: the logarithmic discount of K. Jarvelin and J. Kekalainen, ACM TOIS 20 (2002) 422-446.
    """
    return 1 / log2(1 + position)


def share(flags: Sequence[bool]) -> float:
    """Return which part of a list's attention goes to the flagged places, best place first."""
    whole = sum(attention(position) for position in range(1, len(flags) + 1))
    got = sum(attention(position) for position, flag in enumerate(flags, start=1) if flag)
    return got / whole if whole else 0.0


def mean_exposure(positions: Sequence[int]) -> float:
    """Return the mean attention of the places that the things of a group got.

    Parity holds where it is the same for every group, or in the same ratio to their merit.
    Source: A. Singh and T. Joachims, Fairness of Exposure in Rankings, KDD 2018, section 4.1.
    """
    return sum(map(attention, positions)) / len(positions)


def treatment_ratio(
    exposure: float, merit: float, other_exposure: float, other_merit: float
) -> float:
    """Return how much more exposure for its merit one group gets than the other; 1 is parity.

    Source: A. Singh and T. Joachims, KDD 2018, equation 6 (disparate treatment ratio).
    """
    return (exposure / merit) / (other_exposure / other_merit)


def parity(groups: Mapping[str, Moments], *, smallest: int = SMALLEST) -> list[Finding]:
    """Compare what each group of people is shown with what everybody else is, as ratio of means.

    A value a person, such as `share` of their list; intervals are Fieller's, all together at
    95 %. Uneven is less than four fifths or more than five fourths.
    """
    kept = merged(groups, smallest=smallest)
    everybody = sum(kept.values(), Moments(0))

    def ratio(name: str, confidence: float) -> Estimate | None:
        one = kept[name]
        others = Moments(
            everybody.n - one.n,
            everybody.total - one.total,
            everybody.squares - one.squares,
            everybody.cubes - one.cubes,
        )
        if others.n < 2 or others.total <= 0:  # noqa: PLR2004 -- a variance needs two
            return None
        told = means.lift(others, one, confidence=confidence)
        return told and told.plus(1)

    sizes = {name: one.n for name, one in kept.items()}
    levels = {name: one.mean for name, one in kept.items()}
    return against(sizes, levels, ratio, both_ways=True)
