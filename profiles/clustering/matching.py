"""Which cluster of one run is which of the run before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from profiles.clustering.fitting import Labels
from profiles.clustering.scaling import Floats

LEAST = 0.3  # of agreement, below which two clusters are not the same


def overlap(before: Labels, after: Labels, olds: Sequence[int], news: Sequence[int]) -> Floats:
    """Return for each old (row) and new (column) cluster the share of customers in both.

    It is of those in either (Jaccard's index): 1 if they are the same, 0 if nobody is in both.
    """
    both = np.zeros((len(olds), len(news)))
    for row, old in enumerate(olds):
        was = before == old
        for column, new in enumerate(news):
            now = after == new
            either = int((was | now).sum())
            both[row, column] = int((was & now).sum()) / either if either else 0.0
    return both


def match(agreement: Floats, *, least: float = LEAST) -> dict[int, int]:
    """Return the old cluster of each new one (by place) so that all of them agree best.

    Every old one is given once at most; a pair that agrees less than `least` is none.

    Source: H. W. Kuhn, Naval Research Logistics Quarterly 2 (1955), the Hungarian method.
    """
    if not agreement.size:
        return {}
    olds, news = linear_sum_assignment(np.where(agreement >= least, agreement, 0.0), maximize=True)
    return {
        int(new): int(old)
        for old, new in zip(olds, news, strict=True)
        if agreement[old, new] >= least
    }
