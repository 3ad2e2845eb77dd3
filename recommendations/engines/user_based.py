"""User-based collaborative filtering: what people with a like history took.

Source: J. Herlocker, J. Konstan, A. Borchers and J. Riedl, SIGIR 1999, 230-237 (neighbourhoods
of the k most similar people).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from recommendations.engines import cooccurrence, memory
from recommendations.engines.base import (
    Contribution,
    Interactions,
    Items,
    no_tick,
)
from recommendations.engines.memory import Budgeted, Need, Size
from recommendations.engines.nearest import Product, nearest
from recommendations.engines.ranking import ScoringModel, contributions, row_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats, Integers


@dataclass(frozen=True)
class UserBased(Budgeted):
    """An item's score is the sum of the likeness of the nearest `n_neighbours` who took it.

    Likeness is the cosine of two histories whose items are divided by (how many took them)
    ** `rarity_power`: to share what few have says more. An item that fewer than `min_people`
    of the neighbours took is left out: it would show one person's basket to another.
    """

    as_of: int
    n_neighbours: int = 100
    rarity_power: float = 0.3
    half_life_days: float = 0
    min_people: int = 3

    @property
    def name(self) -> str:
        return "user_based"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> UserBasedModel:
        memory.require(self, interactions)
        taken = cooccurrence.taken(
            interactions, half_life_days=self.half_life_days, as_of=self.as_of
        )
        counts = np.maximum(np.asarray(taken.people.sum(axis=0)), 1).astype(np.float32)
        scaled = taken.history.multiply(counts ** -np.float32(self.rarity_power)).tocsr()
        length = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1), dtype=np.float32))
        unit = scaled.multiply(1 / np.where(length > 0, length, 1)[:, np.newaxis]).tocsr()
        return UserBasedModel(
            owned=taken.owned,
            items=items,
            block_bytes=self.block,
            profiles=unit.astype(np.float32),
            people=taken.people,
            neighbours=self._neighbours(unit.astype(np.float32), tick),
            min_people=self.min_people,
        )

    def _neighbours(self, unit: sp.csr_array, tick: Callable[[], None]) -> sp.csr_array:
        """Return people x people with each one's nearest others."""
        near = nearest(Product.plain(unit), self.n_neighbours, self.block, tick)
        return cooccurrence.sparse(near, unit.shape[0])

    def need(self, size: Size) -> Need:
        data, near = memory.matrices(size), memory.neighbours(size.n_people, self.n_neighbours)
        profiles = 6 * memory.BYTES_OF_PAIR * size.n_events
        peak = data.peak + profiles + near.peak + 4 * self.block
        return Need(peak, data.kept + profiles + near.kept)


@dataclass(frozen=True)
class UserBasedModel(ScoringModel):
    """`profiles` people x items of length 1; `people` ones; `neighbours` people x people."""

    profiles: sp.csr_array
    people: sp.csr_array
    neighbours: sp.csr_array
    min_people: int

    def scores(self, users: Integers) -> Floats:
        nearest = self.neighbours[users]
        found: Floats = (nearest @ self.people).toarray().astype(np.float32, copy=False)
        if self.min_people > 1:
            found[(cooccurrence.ones(nearest) @ self.people).toarray() < self.min_people] = 0
        return found

    def closeness(self, items: Integers) -> Floats:
        """Return the cosine of the people of two items."""
        columns = self.people.T.tocsr()
        shared: Floats = (columns[items] @ self.people).toarray().astype(np.float32, copy=False)
        shared[shared < self.min_people] = 0
        counts = np.maximum(np.asarray(self.people.sum(axis=0)), 1).astype(np.float32)
        shared /= np.sqrt(counts[items, np.newaxis] * counts)
        shared[np.arange(len(items)), items] = 0
        return shared

    def explain_many(self, user: int, items: Integers) -> list[list[Contribution]]:
        """Share a score among the person's own items, by what each adds to the likeness."""
        near, _ = row_of(self.neighbours, user)
        own, values = row_of(self.profiles, user)
        # Likeness to each neighbour, item by item, then summed over those who took the target.
        shares = self.profiles[near][:, own].multiply(values).tocsr()
        took = self.people[near][:, items]
        table = np.asarray((shares.T @ took).todense(), dtype=np.float32)
        if self.min_people > 1:
            table[:, np.asarray(took.sum(axis=0)) < self.min_people] = 0
        sources, places = np.nonzero(table)
        return contributions(own[sources], places, table[sources, places], len(items))
