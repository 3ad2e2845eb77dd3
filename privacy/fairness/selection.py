"""Who is chosen: selection rates of groups, compared by the four-fifths rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference import proportions
from inference.estimate import Estimate
from inference.proportions import Proportion
from privacy.fairness.findings import ENOUGH, Finding, Verdict, against
from privacy.fairness.groups import OTHERS, SMALLEST, merged


@dataclass(frozen=True, slots=True)
class Chosen:
    """`hits` of the `n` people of a group were chosen."""

    hits: int
    n: int

    def __add__(self, other: Chosen) -> Chosen:
        return Chosen(self.hits + other.hits, self.n + other.n)


def selection_rates(groups: Mapping[str, Chosen], *, smallest: int = SMALLEST) -> list[Finding]:
    """Compare each group's rate with the highest: below four fifths is taken as adverse impact.

    The reference is the known group with the highest rate of those with `ENOUGH` people; ratios
    carry Koopman's interval, all of them together at 95 %. Since the highest is picked after
    looking, a ratio somewhat below 1 is to be expected by luck alone.

    Source: Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D (1978).
    """
    kept = merged(groups, smallest=smallest)
    rates = {name: group.hits / group.n for name, group in kept.items()}
    known = {name: group for name, group in kept.items() if name not in {"", OTHERS}}
    large = [name for name, group in known.items() if group.n >= ENOUGH]
    sizes = {name: group.n for name, group in kept.items()}
    if not large or not any(kept[name].hits for name in large):
        nothing = {name: Verdict.TOO_FEW if name else Verdict.UNKNOWN for name in sorted(kept)}
        return [
            Finding(name, sizes[name], rates[name], None, verdict)
            for name, verdict in nothing.items()
        ]
    best = max(large, key=lambda name: (rates[name], sizes[name], name))

    def ratio(name: str, confidence: float) -> Estimate | None:
        one, top = (Proportion(kept[which].hits, kept[which].n) for which in (name, best))
        return proportions.ratio(top, one, confidence=confidence)

    return against(sizes, rates, ratio, both_ways=False, reference=best)
