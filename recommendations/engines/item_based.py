"""Item-based collaborative filtering: what was taken by the same people belongs together.

Sources: M. Deshpande and G. Karypis, ACM TOIS 22 (2004) 143-177 (item-based top-n, people
with long histories count less); F. Aiolli, RecSys 2013 (asymmetric cosine).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from recommendations.engines import cooccurrence, memory
from recommendations.engines.base import Interactions, Items, no_tick
from recommendations.engines.memory import Budgeted, Need, Size
from recommendations.engines.nearest import Product, nearest
from recommendations.engines.ranking import LinearModel

if TYPE_CHECKING:
    from collections.abc import Callable

    import scipy.sparse as sp

    from recommendations.engines.cooccurrence import Taken


COSINE: Final = 0.5


@dataclass(frozen=True)
class ItemBased(Budgeted):
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

    @property
    def name(self) -> str:
        return "item_based"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> LinearModel:
        memory.require(self, interactions)
        taken = cooccurrence.taken(
            interactions, half_life_days=self.half_life_days, as_of=self.as_of
        )
        return LinearModel(
            owned=taken.owned,
            items=items,
            block_bytes=self.block,
            history=taken.history,
            weights=self._neighbours(taken, tick),
        )

    def _neighbours(self, taken: Taken, tick: Callable[[], None]) -> sp.csr_array:
        """Return items x items with the strongest `n_neighbours` weights of each row."""
        rows = cooccurrence.by_degree(taken.weighted, self.degree_power)
        own = np.asarray(rows.multiply(rows).sum(axis=0), dtype=np.float32)
        own[own == 0] = 1
        left = cooccurrence.scaled(rows.T.tocsr(), source=own ** (self.target_power - 1))
        if self.target_power == COSINE:
            product = Product.plain(left, taken.people, self.min_people)
        else:
            right = cooccurrence.scaled(rows, target=own**-self.target_power)
            product = Product(left, right, taken.people, self.min_people)
        return cooccurrence.sparse(
            nearest(product, self.n_neighbours, self.block, tick), rows.shape[1]
        )

    def need(self, size: Size) -> Need:
        data, near = memory.matrices(size), memory.neighbours(size.n_items, self.n_neighbours)
        # Both factors of the product, and of what few rows have once more.
        factors = 4 * memory.BYTES_OF_PAIR * size.n_events
        peak = data.peak + factors + near.peak + 4 * self.block
        return Need(peak, data.kept + near.kept)
