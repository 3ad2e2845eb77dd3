"""EASE: each item predicted from all others by one ridge regression with a zero diagonal.

Source: H. Steck, WWW 2019, 3251-3257 (closed form: B = -P / diag(P), P = (G + lambda I)^-1).
For catalogues up to 15,000 items: memory is n_items squared, time its cube.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack

from recommendations.engines import cooccurrence, gram, memory
from recommendations.engines.base import Interactions, Items, blocks, no_tick
from recommendations.engines.local_ridge import LocalRidge
from recommendations.engines.memory import Budgeted, Need, Size
from recommendations.engines.ranking import LinearModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats

BYTES_OF_A_WEIGHT = 4
# Above it, the time that a matrix takes to invert, which is its cube, counts more than it gains.
MOST_ITEMS = 15_000


@dataclass(frozen=True)
class Ease(Budgeted):
    """`ridge` is lambda in units of a row's weight; see `gram` for `degree_power`.

    Takes little more than n_items² x 4 bytes, of which there must be at most `budget_bytes`.
    Weights that fewer than `min_people` known people stand behind are set to 0.
    """

    as_of: int
    ridge: float = 20
    degree_power: float = 0.5
    half_life_days: float = 0
    min_people: int = 3

    @property
    def name(self) -> str:
        return "ease"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> LinearModel:
        memory.require(
            self, interactions, (LocalRidge(self.as_of, budget_bytes=self.budget_bytes),)
        )
        taken = cooccurrence.taken(
            interactions, half_life_days=self.half_life_days, as_of=self.as_of
        )
        tick()
        n_items = interactions.n_items
        weights = _solve(gram.dense(taken, self.degree_power, self.block // 4), self.ridge)
        tick()
        for part in blocks(n_items, width=n_items, n_bytes=self.block // 4):
            gram.mask_rare(weights[part], taken, self.min_people, np.arange(n_items)[part])
            tick()
        return LinearModel(taken.owned, items, self.block, taken.history, weights)

    def need(self, size: Size) -> Need:
        """One dense matrix, in which everything is done, and blocks of the product."""
        data, square = memory.matrices(size), BYTES_OF_A_WEIGHT * size.n_items**2
        products = 2 * memory.BYTES_OF_PAIR * size.n_events + self.block
        return Need(max(data.peak, data.kept + products + square), data.kept + square)


def _solve(matrix: Floats, ridge: float) -> Floats:
    """Return the weights in the place of the given matrix (Fortran order, float32)."""
    if not matrix.size:
        return matrix
    at = np.arange(len(matrix))
    matrix[at, at] += np.float32(ridge)
    factor, failed = lapack.spotrf(matrix, lower=1, overwrite_a=1)
    if failed:
        raise ArithmeticError(f"the matrix of {len(matrix)} items is not positive definite")
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    # LAPACK fills the lower triangle only; mirror it in strips, without a second matrix. What
    # is symmetric is its own turned self, and as that it lies row by row.
    for column in range(len(matrix)):
        inverse[column, column + 1 :] = inverse[column + 1 :, column]
    weights: Floats = inverse.T
    weights *= (-1 / weights[at, at])[np.newaxis, :]
    weights[at, at] = 0
    return weights
