"""Which items were taken by the same rows: the matrix that the item engines start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recommendations.engines.base import NOTHING, Floats, Interactions, Ranked


@dataclass(frozen=True)
class Taken:
    """Recent pairs as matrices of rows x items, and what people ever took.

    `weighted` has all rows with the weight of each pair, `people` ones in the rows of known
    people, `history` their weights, `owned` ones for all they ever took.
    """

    weighted: sp.csr_array
    people: sp.csr_array
    history: sp.csr_array
    owned: sp.csr_array


def taken(interactions: Interactions, *, half_life_days: float, as_of: int) -> Taken:
    """Take each row's latest pairs; older ones count less with a half-life in days (0: never)."""
    kept = interactions.last_of_each_pair().latest()
    weighted = kept.matrix(half_life_days=half_life_days, as_of=as_of)
    history = weighted[: interactions.n_people]
    owned = interactions.of_people().matrix()[: interactions.n_people]
    return Taken(weighted, ones(history), history, owned)


def ones(matrix: sp.csr_array) -> sp.csr_array:
    """Return the same pairs, each of weight 1."""
    data = np.ones(matrix.nnz, dtype=np.float32)
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def by_degree(matrix: sp.csr_array, power: float) -> sp.csr_array:
    """Divide each row by (its number of items) ** power: long histories say less of a pair."""
    lengths = np.diff(matrix.indptr)
    degree = np.maximum(lengths, 1).astype(np.float32)
    data = matrix.data / np.repeat(degree**power, lengths)
    return sp.csr_array(
        (data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape
    )


def scaled(
    matrix: sp.csr_array, *, source: Floats | None = None, target: Floats | None = None
) -> sp.csr_array:
    """Return the matrix with each row times its `source`, each column times its `target`."""
    data = matrix.data
    if source is not None:
        data = data * np.repeat(source, np.diff(matrix.indptr))
    if target is not None:
        data = data * target[matrix.indices]
    return sp.csr_array(
        (data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape
    )


def empty(n_rows: int, n_columns: int) -> sp.csr_array:
    """Return a matrix without any entry."""
    nowhere = np.zeros(0, dtype=np.int64)
    values = np.zeros(0, dtype=np.float32)
    return sp.csr_array((values, (nowhere, nowhere)), shape=(n_rows, n_columns))


def sparse(ranked: Ranked, n_items: int) -> sp.csr_array:
    """Return rankings as a sparse matrix whose rows are in the order of the items."""
    there = ranked.ids != NOTHING
    rows = np.repeat(np.arange(len(ranked.ids)), there.sum(axis=1))
    matrix = sp.csr_array(
        (ranked.scores[there], (rows, ranked.ids[there])), shape=(len(ranked.ids), n_items)
    )
    matrix.sort_indices()
    return matrix
