"""Fitting clusters so that the same customers give the same clusters, on any machine run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from profiles.clustering.scaling import Floats

Labels = NDArray[np.intp]

SEED = 20_091_201
FIT_ALL_TO = 100_000
FIT_ON = 50_000
STARTS_ON_A_SAMPLE = 3


def fit(matrix: Floats, n_clusters: int, *, n_init: int = 10, seed: int = SEED) -> KMeans:
    """Fit k-means on one thread: with several, sums would depend on who finishes first."""
    with threadpool_limits(limits=1):
        return KMeans(n_clusters, n_init=n_init, random_state=seed).fit(matrix)


def predict(model: KMeans, matrix: Floats) -> Labels:
    with threadpool_limits(limits=1):
        labels: Labels = model.predict(matrix).astype(np.intp)
    return labels


def sample(matrix: Floats, n: int, *, seed: int = SEED) -> Floats:
    """Return `n` rows drawn without replacement in their old order; all, if there are fewer."""
    if len(matrix) <= n:
        return matrix
    chosen = np.random.default_rng(seed).choice(len(matrix), size=n, replace=False)
    return np.asarray(matrix[np.sort(chosen)])


def cluster(matrix: Floats, n_clusters: int) -> Labels:
    """Return each customer's cluster, fitted on all up to 100,000, else on 50,000 of them.

    Several starts on a sample find better clusters than one start on all, in less time:
    `python -m benchmarks clustering`.
    """
    if n_clusters == 1:
        return np.zeros(len(matrix), dtype=np.intp)
    if len(matrix) <= FIT_ALL_TO:
        return predict(fit(matrix, n_clusters), matrix)
    chosen = sample(matrix, FIT_ON)
    return predict(fit(chosen, n_clusters, n_init=STARTS_ON_A_SAMPLE), matrix)


def numbered(labels: Labels, worth: NDArray[np.int64]) -> Labels:
    """Return the labels as 1, 2, ... by falling mean worth; the larger one first on a tie.

    `worth` is whole (minor units), so the sums are exact and the order is stable.
    """
    n_clusters = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=n_clusters)
    sums = np.zeros(n_clusters, dtype=np.int64)
    np.add.at(sums, labels, worth)
    means = sums / np.maximum(sizes, 1)
    places = np.empty(n_clusters, dtype=np.intp)
    places[np.lexsort((np.arange(n_clusters), -sizes, -means))] = np.arange(1, n_clusters + 1)
    return np.asarray(places[labels])
