"""Ranking metrics over the whole catalogue, one value a person, and what they are worth.

nDCG is binary with the ideal cut at min(k, wanted); recall is hits / wanted (the protocol of
LightGCN and BARS). Places without an item (NOTHING) are misses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp

from recommendations.engines.base import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recommendations.engines.base import Integers

    Doubles = NDArray[np.float64]

RESAMPLES = 2_000
CHUNK_OF_DRAWS = 4_000_000
SEED = 20_100_901


class Estimate(NamedTuple):
    """A mean over people with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def hits(ranked: Integers, wanted: Sequence[Integers]) -> NDArray[np.bool_]:
    """Return, for each person and place, whether that item was wanted."""
    if not len(wanted):
        return np.zeros(ranked.shape, dtype=np.bool_)
    # One number for each pair of person and item; NOTHING gets the number before the first item.
    items = np.concatenate(wanted)
    width = max(int(ranked.max(initial=0)), int(items.max(initial=0))) + 2
    first = np.arange(len(wanted)) * width + 1
    asked = np.repeat(first, [len(row) for row in wanted]) + items
    found: NDArray[np.bool_] = np.isin(ranked + first[:, np.newaxis], asked)
    return found


def ndcg(found: NDArray[np.bool_], n_wanted: Integers, k: int) -> Doubles:
    """Return nDCG@k of each person, in 0-1.

    Source: K. Järvelin and J. Kekäläinen, ACM TOIS 20 (2002) 422-446, with log base 2.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = found[:, :k] @ discounts[: found.shape[1]]
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(n_wanted, k)]
    shares: Doubles = np.divide(gained, ideal, out=np.zeros_like(gained), where=ideal > 0)
    return shares


def recall(found: NDArray[np.bool_], n_wanted: Integers, k: int) -> Doubles:
    """Return the share of each person's wanted items among the first k, in 0-1."""
    gained = found[:, :k].sum(axis=1).astype(np.float64)
    shares: Doubles = np.divide(gained, n_wanted, out=np.zeros_like(gained), where=n_wanted > 0)
    return shares


def coverage(ranked: Integers, k: int, n_items: int) -> float:
    """Return the share of the catalogue that is in anybody's first k places."""
    shown = np.unique(ranked[:, :k])
    return float((shown != NOTHING).sum() / n_items) if n_items else 0.0


def precision(found: NDArray[np.bool_], k: int) -> Doubles:
    """Return the share of the first k places that were wanted, in 0-1."""
    shares: Doubles = found[:, :k].sum(axis=1).astype(np.float64) / k
    return shares


def average_precision(found: NDArray[np.bool_], n_wanted: Integers, k: int) -> Doubles:
    """Return the mean of the precisions at each hit, over min(k, wanted), in 0-1.

    Source: C. Buckley and E. Voorhees, SIGIR 2000, 33-40; cut at k.
    """
    first = found[:, :k]
    at_hits = first.cumsum(axis=1) / np.arange(1, first.shape[1] + 1) * first
    most = np.minimum(n_wanted, k)
    gained = at_hits.sum(axis=1)
    shares: Doubles = np.divide(gained, most, out=np.zeros_like(gained), where=most > 0)
    return shares


def reciprocal_rank(found: NDArray[np.bool_], k: int) -> Doubles:
    """Return 1 / the place of the first hit among the first k, or 0 without one."""
    first = found[:, :k]
    places = first.argmax(axis=1) + 1
    ranks: Doubles = np.divide(first.any(axis=1), places, dtype=np.float64)
    return ranks


def hit_rate(found: NDArray[np.bool_], k: int) -> Doubles:
    """Return 1 for each person with a hit among the first k, else 0."""
    hit = np.asarray(found[:, :k].any(axis=1))
    return hit.astype(np.float64)


def gini(ranked: Integers, k: int, n_items: int) -> float:
    """Return how unequally the first k places are spread over the catalogue: 0 even, near 1 one item.

    Source: C. Gini 1912, as used by D. Fleder and K. Hosanagar, Management Science 55 (2009).
    """
    shown = ranked[:, :k]
    counts = np.sort(np.bincount(shown[shown != NOTHING], minlength=n_items))
    total = counts.sum()
    if not total:
        return 0.0
    place = np.arange(1, n_items + 1)
    return float((2 * place - n_items - 1) @ counts / (n_items * total))


def novelty(ranked: Integers, popularity: Doubles, k: int) -> Doubles:
    """Return each person's mean of -log2 of the share of people who took the shown items.

    `popularity` is that share, one an item; an item that nobody took counts as 1 in (number of
    items + 1) takers would. Source: T. Zhou et al., PNAS 107 (2010) 4511-4515.
    """
    floor = 1 / (len(popularity) + 1)
    bits = -np.log2(np.maximum(popularity, floor))
    return _mean_shown(ranked[:, :k], bits)


def popularity_bias(ranked: Integers, popularity: Doubles, k: int) -> Doubles:
    """Return each person's mean popularity of the shown items over that of all taken ones.

    1 means that what is shown is as popular as what people take; above 1 the lists favour what
    is popular anyway. Source: H. Abdollahpouri et al., RMSE 2019 (popularity lift).
    """
    weighted = float((popularity * popularity).sum() / max(popularity.sum(), 1e-12))
    return _mean_shown(ranked[:, :k], popularity / max(weighted, 1e-12))


def diversity(ranked: Integers, vectors: sp.csr_array, k: int) -> Doubles:
    """Return each person's mean distance (1 - cosine) between two shown items, in 0-1.

    `vectors` are items x terms of length 1. Source: C.-N. Ziegler et al., WWW 2005, 22-32.
    """
    shown = ranked[:, :k]
    there = shown != NOTHING
    n = there.sum(axis=1)
    picked = sp.csr_array(
        (
            np.ones(there.sum(), dtype=np.float32),
            (np.repeat(np.arange(len(shown)), n), shown[there]),
        ),
        shape=(len(shown), vectors.shape[0]),
    )
    sums = (
        picked @ vectors
    )  # |sum of vectors|² = sum of all cosines, those of an item to itself too
    length = np.asarray(vectors.multiply(vectors).sum(axis=1), dtype=np.float64)
    own = np.asarray(picked @ length, dtype=np.float64)
    cosines = np.asarray(sums.multiply(sums).sum(axis=1), dtype=np.float64) - own
    pairs = n * (n - 1)
    mean: Doubles = np.divide(cosines, pairs, out=np.zeros_like(cosines), where=pairs > 0)
    return np.where(pairs > 0, 1 - mean, 0.0)


def estimate(values: Doubles) -> Estimate:
    """Return the mean of one value a person with its interval, as `estimates` does."""
    return estimates(values[:, np.newaxis])[0]


def estimates(columns: Doubles) -> list[Estimate]:
    """Return the mean of each column with its percentile-bootstrap interval; rows are people.

    Every column sees the same drawn people, so that a column of paired differences is judged
    on the pairs. Raises ValueError without rows.
    """
    n = len(columns)
    if not n:
        raise ValueError("an estimate needs at least one value")
    random = np.random.default_rng(SEED)
    chunk = max(1, CHUNK_OF_DRAWS // n)
    means = []
    for start in range(0, RESAMPLES, chunk):
        size = min(chunk, RESAMPLES - start)
        drawn = random.integers(n, size=(size, n)) + np.arange(size)[:, np.newaxis] * n
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        means.append(times @ columns / n)
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975], axis=0)
    return [
        Estimate(float(value), float(a), float(b))
        for value, a, b in zip(columns.mean(axis=0), low, high, strict=True)
    ]


def _mean_shown(shown: Integers, values: Doubles) -> Doubles:
    there = shown != NOTHING
    n = there.sum(axis=1)
    total = np.where(there, values[shown], 0.0).sum(axis=1)
    mean: Doubles = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    return mean
