"""Ranking metrics over the whole catalogue, one value a person, and what they are worth.

nDCG is binary with the ideal cut at min(k, wanted); recall is hits / wanted (the protocol of
LightGCN and BARS). Places without an item (NOTHING) are misses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recommendations.engines.base import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recommendations.engines.base import Integers

    Doubles = NDArray[np.float64]

RESAMPLES = 2_000
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


def estimate(values: Doubles) -> Estimate:
    """Return the mean of one value a person with its percentile-bootstrap interval.

    People are drawn with replacement, with a fixed seed: the same values always give the
    same interval. For the difference of two models hand in the paired differences.
    Raises ValueError without values.
    """
    if not len(values):
        raise ValueError("an estimate needs at least one value")
    random = np.random.default_rng(SEED)
    means = np.array(
        [values[random.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))
