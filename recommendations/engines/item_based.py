"""Item-based collaborative filtering: what was taken by the same people belongs together.

Sources: M. Deshpande and G. Karypis, ACM TOIS 22 (2004) 143-177 (item-based top-n, people
with long histories count less); F. Aiolli, RecSys 2013 (asymmetric cosine).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommendations.engines import cooccurrence
from recommendations.engines.base import (
    BLOCK_BYTES,
    Interactions,
    Items,
    blocks,
    no_tick,
    stack,
    top_k,
)
from recommendations.engines.ranking import LinearModel

if TYPE_CHECKING:
    from collections.abc import Callable

    import scipy.sparse as sp

    from recommendations.engines.base import Floats
    from recommendations.engines.cooccurrence import Taken


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
    ) -> LinearModel:
        taken = cooccurrence.taken(
            interactions, half_life_days=self.half_life_days, as_of=self.as_of
        )
        return LinearModel(
            owned=taken.owned,
            items=items,
            block_bytes=self.block_bytes,
            history=taken.history,
            weights=self._neighbours(taken, tick),
        )

    def _neighbours(self, taken: Taken, tick: Callable[[], None]) -> sp.csr_array:
        """Return items x items with the strongest `n_neighbours` weights of each row."""
        people = taken.people
        rows = cooccurrence.by_degree(taken.weighted, self.degree_power)
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
        return cooccurrence.sparse(stack(parts, min(self.n_neighbours, n_items)), n_items)
