"""Choosing parameters on the validation window, and measuring a model on a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from recommendations.engines.base import no_tick
from recommendations.evaluation import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from recommendations.engines.base import Engine, Items
    from recommendations.evaluation.metrics import Doubles
    from recommendations.evaluation.splits import Split

    Chosen = TypeVar("Chosen")

CUTOFF_NDCG = 10
CUTOFF_RECALL = 20


@dataclass(frozen=True)
class Quality:
    """What a model foresaw of a split: one value a warm person, in their order; coverage."""

    ndcg: Doubles
    recall: Doubles
    coverage: float


def measure(
    engine: Engine, split: Split, items: Items, tick: Callable[[], None] = no_tick
) -> Quality:
    """Fit on the split's training part and rank the whole catalogue for its warm people."""
    model = engine.fit(split.train, items, tick)
    ranked = model.recommend(split.warm, max(CUTOFF_NDCG, CUTOFF_RECALL)).ids
    found = metrics.hits(ranked, split.wanted)
    n_wanted = np.array([len(wanted) for wanted in split.wanted])
    return Quality(
        ndcg=metrics.ndcg(found, n_wanted, CUTOFF_NDCG),
        recall=metrics.recall(found, n_wanted, CUTOFF_RECALL),
        coverage=metrics.coverage(ranked, CUTOFF_RECALL, len(items.ids)),
    )


def best_along_axes(
    start: Chosen,
    axes: Iterable[Callable[[Chosen], Iterable[Chosen]]],
    score: Callable[[Chosen], float],
) -> tuple[Chosen, float, int]:
    """Improve `start` one axis after the other; return the best, its score, trials made.

    An axis gives the alternatives of the best so far along one parameter. The number of
    trials is the sum of the axes' lengths, not their product; a tie keeps the earlier one.
    """
    best, best_score, n_trials = start, score(start), 1
    for axis in axes:
        centre = best
        for candidate in axis(centre):
            if candidate == centre:
                continue
            n_trials += 1
            if (value := score(candidate)) > best_score:
                best, best_score = candidate, value
    return best, best_score, n_trials
