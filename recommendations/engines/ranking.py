"""From a model's scores to ranked lists: the part that every model shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recommendations.engines.base import (
    NOTHING,
    Contribution,
    Items,
    Ranked,
    blocks,
    hide_owned,
    hide_unsold,
    stack,
    top_k,
    top_of_sparse,
)

if TYPE_CHECKING:
    import scipy.sparse as sp

    from recommendations.engines.base import Floats, Integers


@dataclass(frozen=True)
class ScoringModel(ABC):
    """A model that gives every item a score; `owned` is people x items, all they ever took.

    Scores of 0 and below rank nothing. Work is cut into blocks of about `block_bytes`.
    """

    owned: sp.csr_array
    items: Items
    block_bytes: int

    @abstractmethod
    def scores(self, users: Integers) -> Floats:
        """Return users x items, in an array of its own."""

    @abstractmethod
    def closeness(self, items: Integers) -> Floats:
        """Return items x items: how much each of them goes with the asked ones; 0 to itself."""

    @abstractmethod
    def explain_many(self, user: int, items: Integers) -> list[list[Contribution]]:
        """Return, for each item, what its score is the sum of; empty where it is impersonal."""

    def explain_lists(self, users: Integers, ids: Integers) -> list[list[list[Contribution]]]:
        """Explain a list a user: `ids` as `recommend` gave them; empty places are left out."""
        return [
            self.explain_many(int(user), row[row != NOTHING])
            for user, row in zip(users, ids, strict=True)
        ]

    def recommend(self, users: Integers, n: int) -> Ranked:
        parts = []
        for part in blocks(len(users), width=len(self.items.ids), n_bytes=self.block_bytes):
            rows = users[part]
            parts.append(top_k(hide_owned(self.scores(rows), self.owned[rows], self.items), n))
        return stack(parts, n)

    def similar(self, items: Integers, n: int) -> Ranked:
        parts = [
            top_k(hide_unsold(self.closeness(items[part]), self.items), n)
            for part in blocks(len(items), width=len(self.items.ids), n_bytes=self.block_bytes)
        ]
        return stack(parts, n)

    def explain(self, user: int, item: int) -> list[Contribution]:
        return self.explain_many(user, np.array([item]))[0]


@dataclass(frozen=True)
class LinearModel(ScoringModel):
    """Scores are sums over a person's own items: history (people x items) times weights.

    `weights` (items x items, from row to column) is sparse, or dense where most are not 0.
    """

    history: sp.csr_array
    weights: sp.csr_array | Floats

    def scores(self, users: Integers) -> Floats:
        return _dense(self.history[users] @ self.weights)

    def recommend(self, users: Integers, n: int) -> Ranked:
        """With sparse weights only what is near to the history is ranked, not the catalogue."""
        if isinstance(self.weights, np.ndarray):
            return super().recommend(users, n)
        parts, width = [], len(self.items.ids)
        for part in blocks(len(users), width=width, n_bytes=self.block_bytes):
            found = (self.history[users[part]] @ self.weights).tocsr()
            self._hide(found, users[part])
            parts.append(top_of_sparse(found, n))
        return stack(parts, n)

    def _hide(self, found: sp.csr_array, users: Integers) -> None:
        """Set to 0, in place, what each row has already or what cannot be bought."""
        found.data[~self.items.on_sale[found.indices]] = 0
        owned = self.owned[users]
        is_owned = np.zeros(found.shape[1], dtype=np.bool_)
        for row in range(found.shape[0]):
            mine = owned.indices[owned.indptr[row] : owned.indptr[row + 1]]
            there = slice(found.indptr[row], found.indptr[row + 1])
            is_owned[mine] = ~self.items.repeatable[mine]
            found.data[there][is_owned[found.indices[there]]] = 0
            is_owned[mine] = False

    def closeness(self, items: Integers) -> Floats:
        return _dense(self.weights[items])

    def explain_many(self, user: int, items: Integers) -> list[list[Contribution]]:
        """Explain several items of one person's list for the price of one."""
        taken, weights = row_of(self.history, user)
        if isinstance(self.weights, np.ndarray):
            values = self.weights[np.ix_(taken, items)] * weights[:, np.newaxis]
            sources, places = np.nonzero(values)
            return contributions(taken[sources], places, values[sources, places], len(items))
        place_of = np.full(self.weights.shape[1], NOTHING)
        place_of[items] = np.arange(len(items))
        starts = self.weights.indptr[taken]
        lengths = self.weights.indptr[taken + 1] - starts
        # Positions of all neighbours of all taken items, end to end.
        flat = np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        places = place_of[self.weights.indices[flat]]
        asked = np.flatnonzero(places != NOTHING)
        values = self.weights.data[flat] * np.repeat(weights, lengths)
        return contributions(
            np.repeat(taken, lengths)[asked], places[asked], values[asked], len(items)
        )


def contributions(
    sources: Integers, places: Integers, values: Floats, n: int
) -> list[list[Contribution]]:
    """Sort the shares of `n` scores, one entry a share, greatest first, ties by lower item."""
    found: list[list[Contribution]] = [[] for _ in range(n)]
    for at in np.lexsort((sources, -values)):
        found[places[at]].append(Contribution(int(sources[at]), float(values[at])))
    return found


def row_of(matrix: sp.csr_array, number: int) -> tuple[Integers, Floats]:
    """Return the columns and values of a row."""
    span = slice(matrix.indptr[number], matrix.indptr[number + 1])
    return matrix.indices[span].astype(np.int64), matrix.data[span]


def _dense(block: Any) -> Floats:
    array: Floats = block if isinstance(block, np.ndarray) else block.toarray()
    return array.astype(np.float32, copy=False)
