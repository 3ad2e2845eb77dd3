"""Popularity: how many people took an item in the last days, the same list for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommendations.engines.base import (
    BLOCK_BYTES,
    DAY,
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

    import scipy.sparse as sp

    from recommendations.engines.base import Floats, Integers


@dataclass(frozen=True)
class Popular:
    """Counts the people and baskets of the `window_days` before `as_of`, each once an item."""

    as_of: int
    window_days: int = 28
    block_bytes: int = BLOCK_BYTES

    @property
    def name(self) -> str:
        return "popular"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> PopularModel:
        tick()
        recent = interactions.between(self.as_of - self.window_days * DAY, self.as_of)
        counts = np.asarray(recent.matrix().sum(axis=0), dtype=np.float32)
        hide_unsold(counts[np.newaxis, :], items)
        return PopularModel(counts, interactions.of_people().matrix(), items, self.block_bytes)


@dataclass(frozen=True)
class PopularModel:
    counts: Floats
    owned: sp.csr_array
    items: Items
    block_bytes: int

    def recommend(self, users: Integers, n: int) -> Ranked:
        parts = []
        for part in blocks(len(users), width=len(self.counts), n_bytes=self.block_bytes):
            rows = users[part]
            scores = np.tile(self.counts, (len(rows), 1))
            parts.append(top_k(hide_owned(scores, self.owned[rows], self.items), n))
        return stack(parts, n)

    def similar(self, items: Integers, n: int) -> Ranked:
        parts = []
        for part in blocks(len(items), width=len(self.counts), n_bytes=self.block_bytes):
            scores = np.tile(self.counts, (len(items[part]), 1))
            scores[np.arange(len(scores)), items[part]] = 0
            parts.append(top_k(scores, n))
        return stack(parts, n)

    def explain(self, user: int, item: int) -> list[Contribution]:
        return []

    def ranking(self, n: int) -> Ranked:
        """Rank the items for somebody of whom nothing is known: one row."""
        return stack([top_k(self.counts[np.newaxis, :], n)], n)
