"""Blend: the scores of several engines added, each scaled to a person's best and weighted.

The weights are chosen on the last window of time (`evaluation.tuning`), where what is popular
now, what goes together and what is alike each know something that the others do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommendations.engines import memory
from recommendations.engines.base import (
    NOTHING,
    Contribution,
    Engine,
    Interactions,
    Items,
    Model,
    no_tick,
)
from recommendations.engines.memory import Budgeted, Need, Size
from recommendations.engines.ranking import ScoringModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Floats, Integers


@dataclass(frozen=True)
class Blend(Budgeted):
    """`parts` are engines and their weights; one of weight 0 is not even fitted."""

    parts: tuple[tuple[Engine, float], ...]

    @property
    def name(self) -> str:
        return "blend"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> BlendModel:
        memory.require(self, interactions)
        fitted = tuple(
            (engine.fit(interactions, items, tick), weight)
            for engine, weight in self.parts
            if weight
        )
        owned = interactions.of_people().matrix()[: interactions.n_people]
        return BlendModel(owned, items, self.block, fitted)

    def need(self, size: Size) -> Need:
        """The parts are fitted one after the other, and all are kept."""
        peak, kept = 0, memory.matrices(size).kept
        for engine, weight in self.parts:
            if weight:
                of_part = engine.need(size)
                peak, kept = max(peak, kept + of_part.peak), kept + of_part.kept
        return Need(peak, kept)


@dataclass(frozen=True)
class BlendModel(ScoringModel):
    parts: tuple[tuple[Model, float], ...]

    def scores(self, users: Integers) -> Floats:
        total = np.zeros((len(users), len(self.items.ids)), dtype=np.float32)
        for model, weight in self.parts:
            found = np.maximum(model.scores(users), 0)
            found *= np.float32(weight) * _scale(found)
            total += found
        return total

    def shares(self, users: Integers, ids: Integers) -> Floats:
        """Return users x places x parts: what each part adds to the scores of `recommend`."""
        found = np.zeros((*ids.shape, len(self.parts)), dtype=np.float32)
        asked = np.where(ids == NOTHING, 0, ids)
        for place, (model, weight) in enumerate(self.parts):
            scores = np.maximum(model.scores(users), 0)
            added = np.take_along_axis(scores, asked, axis=1) * np.float32(weight) * _scale(scores)
            found[:, :, place] = np.where(ids == NOTHING, 0, added)
        return found

    def closeness(self, items: Integers) -> Floats:
        total = np.zeros((len(items), len(self.items.ids)), dtype=np.float32)
        for model, weight in self.parts:
            found = np.maximum(model.closeness(items), 0)
            found *= np.float32(weight) * _scale(found)
            total += found
        return total

    def explain_many(self, user: int, items: Integers) -> list[list[Contribution]]:
        """Add up what an item of the person's own adds in each part; popularity adds none."""
        return self.explain_lists(np.array([user]), items[np.newaxis, :])[0]

    def explain_lists(self, users: Integers, ids: Integers) -> list[list[list[Contribution]]]:
        sums: list[list[dict[int, float]]] = [
            [{} for _ in range((row != NOTHING).sum())] for row in ids
        ]
        for model, weight in self.parts:
            scale = weight * _scale(np.maximum(model.scores(users), 0))[:, 0]
            lists = model.explain_lists(users, ids)
            for row, (total_row, shares_row) in enumerate(zip(sums, lists, strict=True)):
                for total, shares in zip(total_row, shares_row, strict=True):
                    for share in shares:
                        value = share.value * float(scale[row])
                        total[share.item] = total.get(share.item, 0) + value
        return [[_sorted(total) for total in row] for row in sums]


def _sorted(total: dict[int, float]) -> list[Contribution]:
    found = (Contribution(item, value) for item, value in total.items())
    return sorted(found, key=lambda one: (-one.value, one.item))


def _scale(found: Floats) -> Floats:
    """Return what makes each row's best 1, or 0 for a row without any."""
    best = found.max(axis=1, initial=0, keepdims=True)
    scale: Floats = np.divide(1, best, out=np.zeros_like(best), where=best > 0)
    return scale
