"""Popularity: how many people took an item in the last days, the same list for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommendations.engines import memory
from recommendations.engines.base import (
    DAY,
    Contribution,
    Interactions,
    Items,
    Ranked,
    hide_unsold,
    no_tick,
    stack,
    top_k,
)
from recommendations.engines.memory import Budgeted, Need, Size
from recommendations.engines.ranking import ScoringModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats, Integers


ALL_TIME_DAYS = 36_500


@dataclass(frozen=True)
class Popular(Budgeted):
    """Counts the people and baskets of the `window_days` before `as_of`, each once an item."""

    as_of: int
    window_days: int = 28

    @property
    def name(self) -> str:
        return "popular" if self.window_days >= ALL_TIME_DAYS else f"popular_{self.window_days}"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> PopularModel:
        memory.require(self, interactions)
        tick()
        recent = interactions.between(self.as_of - self.window_days * DAY, self.as_of)
        counts = np.asarray(recent.matrix().sum(axis=0), dtype=np.float32)
        hide_unsold(counts[np.newaxis, :], items)
        owned = interactions.of_people().matrix()
        return PopularModel(owned, items, self.block, counts)

    def need(self, size: Size) -> Need:
        data = memory.matrices(size)
        return Need(data.peak, data.kept)


@dataclass(frozen=True)
class PopularModel(ScoringModel):
    """The same score for everybody: `counts`, one an item."""

    counts: Floats

    def scores(self, users: Integers) -> Floats:
        return np.tile(self.counts, (len(users), 1))

    def closeness(self, items: Integers) -> Floats:
        scores = np.tile(self.counts, (len(items), 1))
        scores[np.arange(len(scores)), items] = 0
        return scores

    def explain_many(self, user: int, items: Integers) -> list[list[Contribution]]:
        return [[] for _ in items]

    def ranking(self, n: int) -> Ranked:
        """Rank the items for somebody of whom nothing is known: one row."""
        return stack([top_k(self.counts[np.newaxis, :], n)], n)
