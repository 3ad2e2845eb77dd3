"""EASE: each item predicted from all others by one ridge regression with a zero diagonal.

Source: H. Steck, WWW 2019, 3251-3257 (closed form: B = -P / diag(P), P = (G + lambda I)^-1).
For catalogues up to about 15,000 items: memory is n_items squared, time its cube.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack

from recommendations.engines import cooccurrence, gram
from recommendations.engines.base import BLOCK_BYTES, Interactions, Items, blocks, no_tick
from recommendations.engines.ranking import LinearModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats

BYTES_OF_A_WEIGHT = 4


class TooLargeError(ValueError):
    """The catalogue does not fit the memory that a model may take."""


@dataclass(frozen=True)
class Ease:
    """`ridge` is lambda in units of a row's weight; see `gram` for `degree_power`.

    Takes n_items² x 4 bytes, of which there must be at most `budget_bytes`.
    Weights that fewer than `min_people` known people stand behind are set to 0.
    """

    as_of: int
    ridge: float = 20
    degree_power: float = 0.5
    half_life_days: float = 0
    min_people: int = 3
    budget_bytes: int = 2**30
    block_bytes: int = BLOCK_BYTES

    @property
    def name(self) -> str:
        return "ease"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> LinearModel:
        needed = interactions.n_items**2 * BYTES_OF_A_WEIGHT
        if needed > self.budget_bytes:
            fits = int((self.budget_bytes / BYTES_OF_A_WEIGHT) ** 0.5)
            raise TooLargeError(
                f"{interactions.n_items} items take {needed // 2**20} MiB, the budget of "
                f"{self.budget_bytes // 2**20} MiB fits {fits}: raise it, or use local_ridge"
            )
        taken = cooccurrence.taken(
            interactions, half_life_days=self.half_life_days, as_of=self.as_of
        )
        tick()
        weights = _solve(gram.gram(taken, self.degree_power).toarray(order="F"), self.ridge)
        tick()
        n_items = interactions.n_items
        for part in blocks(n_items, width=n_items, n_bytes=self.block_bytes):
            gram.mask_rare(weights[part], taken, self.min_people, np.arange(n_items)[part])
            tick()
        return LinearModel(taken.owned, items, self.block_bytes, taken.history, weights)


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
    # LAPACK fills the lower triangle only; mirror it in strips, without a second matrix.
    for column in range(len(matrix)):
        inverse[column, column + 1 :] = inverse[column + 1 :, column]
    scale = -1 / inverse[at, at]
    inverse *= scale[np.newaxis, :]
    inverse[at, at] = 0
    weights: Floats = inverse
    return weights
