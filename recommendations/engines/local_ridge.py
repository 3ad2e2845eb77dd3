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

from recommendations.engines import cooccurrence, gram, memory
from recommendations.engines.base import NOTHING, Interactions, Items, Ranked, no_tick
from recommendations.engines.memory import Budgeted, Need, Size
from recommendations.engines.nearest import Product, nearest
from recommendations.engines.ranking import LinearModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats, Integers
    from recommendations.engines.cooccurrence import Taken

    Between = Callable[[Integers, Integers], Floats]


DENSE_BYTES = 256 * 2**20
BYTES_OF_A_WEIGHT = 4
BYTES_OF_SOLVED = 52  # row, column and value: one by one, end to end, and sorted
TARGETS_OF_A_TICK = 500


@dataclass(frozen=True)
class LocalRidge(Budgeted):
    """`n_neighbours` items by cosine, then a ridge regression with lambda = `ridge` on them."""

    as_of: int
    n_neighbours: int = 100
    ridge: float = 20
    degree_power: float = 0.5
    half_life_days: float = 0
    min_people: int = 3
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
        memory.require(self, interactions)
        taken = cooccurrence.taken(
            interactions, half_life_days=self.half_life_days, as_of=self.as_of
        )
        tick()
        n_items = interactions.n_items
        near = self._nearest(taken, tick)
        columns, rows, values = [], [], []
        between = self._between(taken, Size.of(interactions))
        for target, found in enumerate(near.ids):
            sources = found[found != NOTHING]
            if len(sources):
                rows.append(sources)
                columns.append(np.full(len(sources), target))
                values.append(self._regress(between(sources, np.append(sources, target))))
            if target % TARGETS_OF_A_TICK == 0:
                tick()
        return LinearModel(
            taken.owned, items, self.block, taken.history,
            _matrix(rows, columns, values, n_items),
        )  # fmt: skip

    def need(self, size: Size) -> Need:
        """The whole product of items is kept only where it fits beside this."""
        data, near = memory.matrices(size), memory.neighbours(size.n_items, self.n_neighbours)
        factors = 6 * memory.BYTES_OF_PAIR * size.n_events
        solved = BYTES_OF_SOLVED * size.n_items * min(self.n_neighbours, size.n_items)
        fitting = data.kept + factors + near.peak + solved + 4 * self.block
        return Need(max(data.peak, fitting), data.kept + near.kept)

    def _nearest(self, taken: Taken, tick: Callable[[], None]) -> Ranked:
        """Rank, for each target, the items of the greatest cosine."""
        rows = cooccurrence.by_degree(taken.weighted, self.degree_power)
        own = np.asarray(rows.multiply(rows).sum(axis=0), dtype=np.float32)
        unit = cooccurrence.scaled(
            rows.T.tocsr(), source=np.where(own > 0, own, np.float32(1)) ** np.float32(-0.5)
        )
        product = Product.plain(unit, taken.people, self.min_people)
        return nearest(product, self.n_neighbours, self.block, tick)

    def _between(self, taken: Taken, size: Size) -> Between:
        """Return what reads the product between items: from all of it made once, if that fits."""
        square = size.n_items**2 * BYTES_OF_A_WEIGHT
        room = self.budget_bytes - self.need(size).peak
        if square <= min(self.dense_bytes, room):
            table = gram.dense(taken, self.degree_power, self.block)
            return lambda sources, near: table[np.ix_(sources, near)]
        if 2 * memory.BYTES_OF_PAIR * size.n_entries(size.n_items) <= room:
            matrix = gram.gram(taken, self.degree_power)
            return lambda sources, near: matrix[sources][:, near].toarray()
        columns = cooccurrence.by_degree(taken.weighted, self.degree_power).T.tocsr()

        def between(sources: Integers, near: Integers) -> Floats:
            both = columns[near]
            found: Floats = (both[: len(sources)] @ both.T).toarray()
            return found

        return between

    def _regress(self, product: Floats) -> Floats:
        """Return the weights of the sources in the regression of the last column on them."""
        inner = product.astype(np.float64)
        square = inner[:, :-1]
        at = np.arange(len(inner))
        square[at, at] += self.ridge
        _, solved, failed = lapack.dposv(square, inner[:, -1])
        if failed:
            raise ArithmeticError(f"the matrix of {len(inner)} items is not positive definite")
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
