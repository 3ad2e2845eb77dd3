"""Whether a score treats groups of people alike, told before it is used: counts of each group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from inference import means
from inference.estimate import Estimate
from inference.means import Moments
from privacy.fairness.findings import ENOUGH, Finding, Verdict, confidence_of_each
from privacy.fairness.groups import total
from privacy.fairness.selection import Chosen, selection_rates

MATERIAL: Final = 0.1  # a gap below a tenth of the level is no matter, however sure


@dataclass(frozen=True)
class Counts:
    """A group in the judged window.

    `n_chosen` have a score among the highest fifth; of the `n_deserving` who left, or who are
    of the fifth that spent most, `n_found` were chosen. `gaps` are what came less what was
    foretold, one a person.
    """

    n: int
    n_chosen: int
    n_deserving: int
    n_found: int
    foretold: float
    gaps: Moments

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.n + other.n,
            self.n_chosen + other.n_chosen,
            self.n_deserving + other.n_deserving,
            self.n_found + other.n_found,
            self.foretold + other.foretold,
            self.gaps + other.gaps,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(**{**kept, "gaps": Moments(**kept["gaps"])})


Groups = Mapping[str, Counts]


def selection(counts: Groups) -> list[Finding]:
    """Compare how likely every group is to be among the highest fifth."""
    return selection_rates({name: Chosen(one.n_chosen, one.n) for name, one in counts.items()})


def opportunity(counts: Groups) -> list[Finding]:
    """Compare how likely those who deserve it are found in every group.

    Source: M. Hardt, E. Price, N. Srebro, NIPS 2016, definition 2.2, as a ratio.
    """
    return selection_rates(
        {name: Chosen(one.n_found, one.n_deserving) for name, one in counts.items() if one.n_deserving}
    )  # fmt: skip


@dataclass(frozen=True)
class Meaning:
    """What a score means in a group: `gap` is how far it misses there beyond everybody else."""

    group: str
    n: int
    foretold: float
    came: float
    gap: Estimate | None
    verdict: Verdict


def meaning(counts: Groups) -> list[Meaning]:
    """Tell whether a score means the same in every group; Welch's intervals, together at 95 %.

    A miss that all groups share is no unfairness, so each is compared with all others.
    """
    known = [name for name, one in counts.items() if name and one.n >= ENOUGH]
    confidence = confidence_of_each(len(known))
    found = []
    for name, one in sorted(counts.items()):
        gap = None
        others = [other for key, other in counts.items() if key != name]
        if name in known and others and (rest := total(others)).n >= ENOUGH:
            gap = _gap(rest.gaps, one.gaps, confidence)
        level = one.foretold / one.n
        found.append(
            Meaning(name, one.n, level, level + one.gaps.mean, gap, _judged(name, one, gap))
        )
    return found  # fmt: skip


def _gap(rest: Moments, one: Moments, confidence: float) -> Estimate | None:
    if rest.variance <= 0 or one.variance <= 0:
        return None
    return means.welch(rest, one, confidence=confidence)


def _judged(name: str, one: Counts, gap: Estimate | None) -> Verdict:
    if not name:
        return Verdict.UNKNOWN
    if gap is None:
        return Verdict.TOO_FEW
    material = MATERIAL * abs(one.foretold / one.n)
    if gap.low > material or gap.high < -material:
        return Verdict.UNEVEN
    return Verdict.EVEN if gap.low >= -material and gap.high <= material else Verdict.UNCLEAR


def uneven(by_attribute: Mapping[str, Groups]) -> list[str]:
    """Return what is shown to be uneven, as "gender:female:meaning", in order."""
    return sorted(
        f"{attribute}:{one.group}:{kind}"
        for attribute, counts in by_attribute.items()
        for kind, findings in (
            ("selection", selection(counts)),
            ("opportunity", opportunity(counts)),
            ("meaning", meaning(counts)),
        )
        for one in findings
        if one.verdict == Verdict.UNEVEN
    )
