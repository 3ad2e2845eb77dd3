"""The nearest columns of each column: the item-item product that keeps only its best.

The whole product of a large shop fits no memory, and most of its work is a few columns that
many rows have. Those are multiplied as dense strips, the rest as a sparse product that keeps
the best of each row as it goes (`sparse_dot_topn`). Where a pair must have enough people
behind it, the rest is made in blocks, since that package cannot leave a pair out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.sparse as sp

from recommendations.engines import cooccurrence
from recommendations.engines.base import (
    LAST_NUMBER,
    Integers,
    Ranked,
    blocks,
    fill_greatest,
    greatest,
    no_tick,
    packed,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats

N_DENSE: Final = 1_024
WIDTH: Final = 64
ROWS_AT_ONCE: Final = 2_048
COLUMNS_AT_ONCE: Final = 16
# A sparse entry while it is ranked takes about three times what a dense place takes.
SPARSE_TO_DENSE: Final = 3


@dataclass(frozen=True)
class Product:
    """What the nearest are looked for in: things x rows times rows x things.

    The score of i to j is the product's entry. A pair that fewer than `least` rows of
    `people` (rows x things, of ones) share scores 0. Without `right` it is `left` turned, which
    is made of parts alone, where they are needed.
    """

    left: sp.csr_array
    right: sp.csr_array | None
    people: sp.csr_array
    least: int = 1

    @classmethod
    def plain(
        cls, left: sp.csr_array, people: sp.csr_array | None = None, least: int = 1
    ) -> Product:
        """Return the product of a matrix with itself turned."""
        there = cooccurrence.empty(0, left.shape[0]) if people is None else people
        return cls(left, None, there, least)

    @property
    def other(self) -> sp.csr_array:
        """The right factor whole, made if it is not there."""
        return self.left.T.tocsr() if self.right is None else self.right

    def columns(self, which: Integers) -> Floats:
        """Return some columns of the right factor, dense."""
        if self.right is None:
            return np.ascontiguousarray(self.left[which].toarray().T)
        found: Floats = self.right[:, which].toarray()
        return found

    def among(self, rest: Integers) -> Product:
        """Return the product of some things with each other, both factors made."""
        left = self.left[rest]
        right = left.T.tocsr() if self.right is None else self.right[:, rest].tocsr()
        people = self.people[:, rest].tocsr() if self.least > 1 else self.people
        return Product(left, right, people, self.least)


def nearest(
    product: Product, k: int, block_bytes: int, tick: Callable[[], None] = no_tick
) -> Ranked:
    """Return the k best others of each thing, ties by lower number."""
    n = product.left.shape[0]
    best = np.zeros((n, min(k, n)), dtype=np.int64)
    if best.size and product.left.nnz:
        degree = np.diff(product.left.indptr)
        dense = np.sort(np.argsort(-degree, kind="stable")[:N_DENSE])
        rest = np.setdiff1d(np.arange(n), dense, assume_unique=True)
        _in_strips(product, dense, rest, best, tick)
        part = product.among(rest)
        if product.least > 1:
            _in_blocks(part, np.arange(len(rest)), rest, best, block_bytes=block_bytes, tick=tick)
        elif len(rest):
            again = _fused(part, rest, best, tick)
            _in_blocks(part, again, rest, best, block_bytes=block_bytes, tick=tick)
    best.sort(axis=1)
    return unpacked(best[:, ::-1])


def _in_strips(
    product: Product, dense: Integers, rest: Integers, best: Integers, tick: Callable[[], None]
) -> None:
    """Multiply what many rows have with everything, a strip at a time."""
    everything = np.arange(len(best))
    back = None if product.right is None else product.right.T.tocsr()
    who = product.people.T.tocsr()
    for start in range(0, len(dense), WIDTH):
        strip = dense[start : start + WIDTH]
        to_strip: Floats = product.left @ product.columns(strip)
        from_strip = to_strip
        if back is not None:
            from_strip = back @ product.left[strip].T.toarray()
        if product.least > 1:
            few = (who @ product.people[:, strip].toarray()) < product.least
            to_strip[few] = from_strip[few] = 0
        from_strip[strip, np.arange(len(strip))] = 0
        for at in range(0, len(strip), COLUMNS_AT_ONCE):
            mine = packed(from_strip[:, at : at + COLUMNS_AT_ONCE].T, everything)
            best[strip[at : at + COLUMNS_AT_ONCE]] = greatest(mine, best.shape[1])
        for at in range(0, len(rest), ROWS_AT_ONCE):
            some = rest[at : at + ROWS_AT_ONCE]
            both = np.concatenate((best[some], packed(to_strip[some], strip)), axis=1)
            best[some] = np.partition(both, len(strip), axis=1)[:, len(strip) :]
        tick()


def _fused(part: Product, rest: Integers, best: Integers, tick: Callable[[], None]) -> Integers:
    """Multiply the rest with itself, keeping a few more than asked for of each row.

    The package may keep any of the equal ones in the last place; rows of which one of these
    is among the best are returned, to be gone through again.
    """
    from sparse_dot_topn import sp_matmul_topn  # noqa: PLC0415 -- only training needs it

    wanted = best.shape[1] + 1  # itself too
    right, again = sp.csr_matrix(part.other), []
    for start in range(0, len(rest), ROWS_AT_ONCE):
        rows = np.arange(start, min(start + ROWS_AT_ONCE, len(rest)))
        left = sp.csr_matrix(part.left[rows])
        found = sp.csr_array(sp_matmul_topn(left, right, top_n=wanted, n_threads=1))
        last = packed(_smallest(found, wanted), np.array([LAST_NUMBER]))
        before = best[rest[rows]]
        _merge(found, rows, rest, best)
        is_open = (last > 0) & (best[rest[rows]].min(axis=1) - LAST_NUMBER <= last)
        best[rest[rows[is_open]]] = before[is_open]
        again.append(rows[is_open])
        tick()
    return np.concatenate(again)


def _smallest(found: sp.csr_array, wanted: int) -> Floats:
    """Return the least score of each row that may have been cut off, else 0."""
    least = np.zeros(found.shape[0], dtype=np.float32)
    filled = np.diff(found.indptr) > 0
    least[filled] = np.minimum.reduceat(found.data, found.indptr[:-1][filled])
    least[np.diff(found.indptr) < wanted] = 0
    return least


def _in_blocks(
    part: Product,
    which: Integers,
    rest: Integers,
    best: Integers,
    *,
    block_bytes: int,
    tick: Callable[[], None],
) -> None:
    """Multiply some of the rest with all of it, whole rows at a time."""
    who, right = part.people.T.tocsr(), part.other
    for cut in blocks(len(which), width=len(rest), n_bytes=block_bytes // SPARSE_TO_DENSE):
        rows = which[cut]
        found = (part.left[rows] @ right).tocsr()
        if part.least > 1:
            counts = (who[rows] @ part.people).toarray()
            row = np.repeat(np.arange(len(rows)), np.diff(found.indptr))
            found.data[counts[row, found.indices] < part.least] = 0
        _merge(found, rows, rest, best)
        tick()


def _merge(found: sp.csr_array, rows: Integers, rest: Integers, best: Integers) -> None:
    """Put the scores of some rows of the rest beside their best, without a row's own."""
    lengths = np.diff(found.indptr)
    found.data[np.repeat(rows, lengths) == found.indices] = 0
    keys = packed(found.data, rest[found.indices])
    some = best[rest[rows]]
    kept = keys > np.repeat(some.min(axis=1), lengths)
    n_kept = np.bincount(np.repeat(np.arange(len(rows)), lengths)[kept], minlength=len(rows))
    fill_greatest(some, keys[kept], np.concatenate(([0], np.cumsum(n_kept))))
    best[rest[rows]] = some
