"""Item-based collaborative filtering: what was taken by the same people belongs together.

Sources: M. Deshpande and G. Karypis, ACM TOIS 22 (2004) 143-177 (item-based top-n, people
with long histories count less); F. Aiolli, RecSys 2013 (asymmetric cosine).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from recommendations.engines.base import (
    BLOCK_BYTES,
    NOTHING,
    Contribution,
    Interactions,
    Items,
    Ranked,
    blocks,
    hide_owned,
    hide_unsold,
    no_tick,
    stack,
    top_k,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats, Integers


@dataclass(frozen=True)
class ItemBased:
    """Neighbours by degree-weighted cosine.

    Each row is divided by (its number of items) ** `degree_power`; the weight from item i to
    item j is gram_ij / (gram_ii ** (1 - p) * gram_jj ** p) with p = `target_power` (0.5 is
    the cosine, less favours popular j). Events lose half their weight every
    `half_life_days` before `as_of` (0: never). A pair counts only if at least `min_people`
    known people took both: one person's basket must not show in another's list, and
    anonymous baskets might all be one person's.
    """

    as_of: int
    n_neighbours: int = 50
    degree_power: float = 0.5
    target_power: float = 0.5
    half_life_days: float = 0
    min_people: int = 3
    block_bytes: int = BLOCK_BYTES

    @property
    def name(self) -> str:
        return "item_based"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> ItemBasedModel:
        kept = interactions.last_of_each_pair().latest()
        weighted = kept.matrix(half_life_days=self.half_life_days, as_of=self.as_of)
        history = weighted[: interactions.n_people]
        return ItemBasedModel(
            neighbours=self._neighbours(weighted, _ones(history), tick),
            history=history,
            owned=interactions.of_people().matrix()[: interactions.n_people],
            items=items,
            block_bytes=self.block_bytes,
        )

    def _neighbours(
        self, weighted: sp.csr_array, people: sp.csr_array, tick: Callable[[], None]
    ) -> sp.csr_array:
        """Return items x items with the strongest `n_neighbours` weights of each row."""
        degree = np.maximum(np.diff(weighted.indptr), 1).astype(np.float32)
        rows = sp.csr_array(
            (
                weighted.data / np.repeat(degree**self.degree_power, np.diff(weighted.indptr)),
                weighted.indices,
                weighted.indptr,
            ),
            shape=weighted.shape,
        )
        columns, who = rows.T.tocsr(), people.T.tocsr()
        own = np.asarray(rows.multiply(rows).sum(axis=0), dtype=np.float32)
        own[own == 0] = 1
        n_items = rows.shape[1]
        parts = []
        for part in blocks(n_items, width=n_items, n_bytes=self.block_bytes):
            gram: Floats = (columns[part] @ rows).toarray().astype(np.float32, copy=False)
            gram[(who[part] @ people).toarray() < self.min_people] = 0
            gram[np.arange(len(gram)), np.arange(part.start, part.stop)] = 0
            gram /= own[part, np.newaxis] ** (1 - self.target_power)
            gram /= own**self.target_power
            parts.append(top_k(gram, self.n_neighbours))
            tick()
        return _sparse(stack(parts, min(self.n_neighbours, n_items)), n_items)


@dataclass(frozen=True)
class ItemBasedModel:
    """`neighbours` items x items; `history` and `owned` people x items (recent, ever)."""

    neighbours: sp.csr_array
    history: sp.csr_array
    owned: sp.csr_array
    items: Items
    block_bytes: int

    def recommend(self, users: Integers, n: int) -> Ranked:
        parts = []
        for part in blocks(len(users), width=self.neighbours.shape[1], n_bytes=self.block_bytes):
            rows = users[part]
            scores = (self.history[rows] @ self.neighbours).toarray()
            parts.append(top_k(hide_owned(scores, self.owned[rows], self.items), n))
        return stack(parts, n)

    def similar(self, items: Integers, n: int) -> Ranked:
        parts = []
        for part in blocks(len(items), width=self.neighbours.shape[1], n_bytes=self.block_bytes):
            scores = self.neighbours[items[part]].toarray()
            parts.append(top_k(hide_unsold(scores, self.items), n))
        return stack(parts, n)

    def explain(self, user: int, item: int) -> list[Contribution]:
        return self.explain_many(user, np.array([item]))[0]

    def explain_many(self, user: int, items: Integers) -> list[list[Contribution]]:
        """Explain several items of one person's list for the price of one."""
        place_of = np.full(self.neighbours.shape[1], NOTHING)
        place_of[items] = np.arange(len(items))
        taken, weights = _row(self.history, user)
        found: list[list[Contribution]] = [[] for _ in items]
        starts = self.neighbours.indptr[taken]
        lengths = self.neighbours.indptr[taken + 1] - starts
        # Positions of all neighbours of all taken items, end to end.
        flat = np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        places = place_of[self.neighbours.indices[flat]]
        sources = np.repeat(taken, lengths)
        values = self.neighbours.data[flat] * np.repeat(weights, lengths)
        asked = np.flatnonzero(places != NOTHING)
        for row in asked[np.lexsort((sources[asked], -values[asked]))]:
            found[places[row]].append(Contribution(int(sources[row]), float(values[row])))
        return found


def _ones(matrix: sp.csr_array) -> sp.csr_array:
    ones = np.ones(matrix.nnz, dtype=np.float32)
    return sp.csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


def _row(matrix: sp.csr_array, number: int) -> tuple[Integers, Floats]:
    span = slice(matrix.indptr[number], matrix.indptr[number + 1])
    return matrix.indices[span].astype(np.int64), matrix.data[span]


def _sparse(ranked: Ranked, n_items: int) -> sp.csr_array:
    """Return rankings as a sparse matrix whose rows are in the order of the items."""
    there = ranked.ids != NOTHING
    rows = np.repeat(np.arange(len(ranked.ids)), there.sum(axis=1))
    matrix = sp.csr_array(
        (ranked.scores[there], (rows, ranked.ids[there])), shape=(len(ranked.ids), n_items)
    )
    matrix.sort_indices()
    return matrix
