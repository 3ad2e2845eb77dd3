"""The weighted item-item matrix that the linear models are solved from.

Each row of the interactions is divided by (its number of items) ** `degree_power` before it
counts, because somebody who took much says less of each pair; the entry of two items is the
sum over rows of the product of weights. Source: M. Deshpande and G. Karypis, ACM TOIS 22 (2004).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommendations.engines import cooccurrence
from recommendations.engines.base import blocks

if TYPE_CHECKING:
    import scipy.sparse as sp

    from recommendations.engines.base import Floats, Integers
    from recommendations.engines.cooccurrence import Taken


def gram(taken: Taken, degree_power: float) -> sp.csr_array:
    """Return items x items, symmetric, from all rows."""
    rows = cooccurrence.by_degree(taken.weighted, degree_power)
    found: sp.csr_array = (rows.T @ rows).tocsr()
    return found


def dense(taken: Taken, degree_power: float, block_bytes: int) -> Floats:
    """Return the same in Fortran order, made in blocks: the sparse product would be larger."""
    rows = cooccurrence.by_degree(taken.weighted, degree_power)
    columns, n_items = rows.T.tocsr(), rows.shape[1]
    found = np.empty((n_items, n_items), dtype=np.float32, order="F")
    for part in blocks(n_items, width=n_items, n_bytes=block_bytes):
        found[:, part] = (columns[part] @ rows).toarray().T
    return found


def mask_rare(weights: Floats, taken: Taken, min_people: int, rows: Integers) -> None:
    """Set to 0, in place, the weights of `rows` that fewer than `min_people` people stand behind."""
    if min_people <= 1:
        return
    counts = (taken.people.T.tocsr()[rows] @ taken.people).toarray()
    weights[counts < min_people] = 0


def diagonal(matrix: sp.csr_array) -> Floats:
    return np.asarray(matrix.diagonal(), dtype=np.float32)
