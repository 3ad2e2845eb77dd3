"""Local ridge: each item predicted from the items that it shares most people with.

The same regression as EASE, solved for each item on its own neighbourhood, so that memory
grows with n_items x n_neighbours and not with n_items squared.
Sources: X. Ning and G. Karypis, ICDM 2011 (SLIM with neighbourhood selection); H. Steck, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from recommendations.engines import cooccurrence, gram
from recommendations.engines.base import (
    BLOCK_BYTES,
    NOTHING,
    Interactions,
    Items,
    Ranked,
    blocks,
    no_tick,
    top_k,
)
from recommendations.engines.ranking import LinearModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats, Integers
    from recommendations.engines.cooccurrence import Taken


DENSE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class LocalRidge:
    """`n_neighbours` items by cosine, then a ridge regression with lambda = `ridge` on them."""

    as_of: int
    n_neighbours: int = 100
    ridge: float = 20
    degree_power: float = 0.5
    half_life_days: float = 0
    min_people: int = 3
    block_bytes: int = BLOCK_BYTES
    dense_bytes: int = DENSE_BYTES

    @property
    def name(self) -> str:
        return "local_ridge"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> LinearModel:
        taken = cooccurrence.taken(
            interactions, half_life_days=self.half_life_days, as_of=self.as_of
        )
        tick()
        matrix = gram.gram(taken, self.degree_power)
        # A block of a small catalogue's matrix is read ten times faster where it is dense.
        dense = interactions.n_items**2 * 4 <= self.dense_bytes
        table: sp.csr_array | Floats = matrix.toarray() if dense else matrix
        n_items = interactions.n_items
        own = gram.diagonal(matrix)
        scale = np.sqrt(np.where(own > 0, own, 1))
        columns, rows, values = [], [], []
        for part in blocks(n_items, width=n_items, n_bytes=self.block_bytes):
            targets = np.arange(n_items)[part]
            near = self._nearest(matrix, scale, taken, targets)
            tick()
            for target, found in zip(targets, near.ids, strict=True):
                sources = found[found != NOTHING]
                if len(sources):
                    rows.append(sources)
                    columns.append(np.full(len(sources), target))
                    values.append(self._regress(table, sources, target))
            tick()
        return LinearModel(
            taken.owned, items, self.block_bytes, taken.history,
            _matrix(rows, columns, values, n_items),
        )  # fmt: skip

    def _nearest(
        self, matrix: sp.csr_array, scale: Floats, taken: Taken, targets: Integers
    ) -> Ranked:
        """Rank, for each target, the items of the greatest cosine."""
        block = matrix[targets].toarray()
        gram.mask_rare(block, taken, self.min_people, targets)
        block /= scale[targets, np.newaxis]
        block /= scale
        block[np.arange(len(targets)), targets] = 0
        return top_k(block, self.n_neighbours)

    def _regress(self, table: sp.csr_array | Floats, sources: Integers, target: int) -> Floats:
        """Return the weights of the sources in the regression of the target on them."""
        near = np.append(sources, target)
        if isinstance(table, np.ndarray):
            inner = table[np.ix_(sources, near)].astype(np.float64)
        else:
            inner = table[sources][:, near].toarray().astype(np.float64)
        square = inner[:, :-1]
        at = np.arange(len(sources))
        square[at, at] += self.ridge
        _, solved, failed = lapack.dposv(square, inner[:, -1])
        if failed:
            raise ArithmeticError(f"the matrix of {len(sources)} items is not positive definite")
        weights: Floats = solved.astype(np.float32)
        return weights


def _matrix(
    rows: list[Integers], columns: list[Integers], values: list[Floats], n_items: int
) -> sp.csr_array:
    if not rows:
        return cooccurrence.empty(n_items, n_items)
    weights = sp.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(n_items, n_items),
    )
    weights.sort_indices()
    return weights
