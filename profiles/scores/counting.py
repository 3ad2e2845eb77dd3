"""Counting how a score fares in each group of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from inference.means import Moments
from privacy.fairness.groups import SMALLEST, merged
from profiles.scores.features import Floats
from profiles.scores.groups import Counts
from profiles.scores.judging import Outcome

CHOSEN: Final = 0.2  # the fifth with the highest scores, as a campaign would take them


def count(
    groups: Sequence[str], came: Outcome, foretold: Floats, *, smallest: int = SMALLEST
) -> dict[str, Counts]:
    """Return the counts of each group, small ones merged; an empty name is not known."""
    names = np.asarray(groups, dtype=object)
    chosen = foretold >= _highest(foretold)
    deserving = came if came.dtype == bool else (came >= _highest(came)) & (came > 0)
    gaps = came.astype(np.float64) - foretold
    found = {}
    for name in sorted(set(groups)):
        of = names == name
        found[name] = Counts(
            n=int(of.sum()),
            n_chosen=int(chosen[of].sum()),
            n_deserving=int(deserving[of].sum()),
            n_found=int((chosen & deserving)[of].sum()),
            foretold=float(foretold[of].sum()),
            gaps=Moments.of(gaps[of].tolist()),
        )
    return merged(found, smallest=smallest)


def _highest(values: Floats) -> float:
    return float(np.quantile(values, 1 - CHOSEN, method="higher"))
