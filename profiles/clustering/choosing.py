"""How many clusters: the number that is clear, comes back on new samples, and is not tiny."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from profiles.clustering.fitting import SEED, fit, predict, sample
from profiles.clustering.scaling import Floats

CANDIDATES = (2, 3, 4, 5, 6, 7, 8)
TELLING = 3  # two groups say little of a shop's customers; they serve where no more hold
WEIGH_ON = 10_000
SILHOUETTE_ON = 2_000
BOOTSTRAPS = 10
ENOUGH = 60  # customers below which nothing is split
SMALLEST = 10  # customers, so that nobody can be recognised in a persona

MIN_SHARE = 0.02
MIN_STABILITY = 0.75
AS_CLEAR = 0.05


@dataclass(frozen=True)
class Evidence:
    """What speaks for `n_clusters`.

    `silhouette` is -1 to 1, `stability` the mean adjusted Rand index between the clusters
    and those of bootstrap samples (1 is the same, 0 is chance), `n_smallest` the customers
    of the smallest cluster, `smallest_share` their share, 0 to 1.
    """

    n_clusters: int
    silhouette: float
    stability: float
    n_smallest: int
    smallest_share: float

    @property
    def is_large_enough(self) -> bool:
        return self.n_smallest >= SMALLEST and self.smallest_share >= MIN_SHARE

    @property
    def holds(self) -> bool:
        return self.stability >= MIN_STABILITY and self.is_large_enough


def weigh(matrix: Floats, candidates: Sequence[int] = CANDIDATES) -> Iterator[Evidence]:
    """Yield the evidence for each number of clusters, on at most 10,000 customers."""
    rows = sample(matrix, WEIGH_ON)
    for n_clusters in candidates:
        labels = predict(model := fit(rows, n_clusters, n_init=5), rows)
        n_smallest = int(np.bincount(labels, minlength=n_clusters).min())
        with threadpool_limits(limits=1):
            clear = silhouette_score(
                rows, labels, sample_size=min(SILHOUETTE_ON, len(rows)), random_state=SEED
            )
        yield Evidence(
            n_clusters=model.n_clusters,
            silhouette=float(clear),
            stability=_stability(rows, n_clusters, labels),
            n_smallest=n_smallest,
            smallest_share=n_smallest / len(rows),
        )


def choose(evidence: Sequence[Evidence]) -> Evidence | None:
    """Return the finest of the numbers that hold and are as clear as the clearest of them.

    As clear means a silhouette at most 0.05 lower: smaller differences say nothing, and finer
    groups say more. If none above two holds, the most stable that is large enough, or None.
    """
    holding = [one for one in evidence if one.holds and one.n_clusters >= TELLING]
    if not holding:
        large = [one for one in evidence if one.is_large_enough]
        return max(large, key=lambda one: (one.stability, -one.n_clusters), default=None)
    clearest = max(one.silhouette for one in holding)
    return max(
        (one for one in holding if one.silhouette >= clearest - AS_CLEAR),
        key=lambda one: one.n_clusters,
    )


def _stability(rows: Floats, n_clusters: int, labels: object) -> float:
    dice = np.random.default_rng(SEED)
    agreements = []
    for n in range(BOOTSTRAPS):
        drawn = rows[np.sort(dice.integers(0, len(rows), len(rows)))]
        again = predict(fit(drawn, n_clusters, n_init=2, seed=SEED + n), rows)
        agreements.append(float(adjusted_rand_score(labels, again)))
    return sum(agreements) / BOOTSTRAPS
