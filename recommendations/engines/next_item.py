"""What comes next: items taken soon after one another, in their order.

What a person took at one moment is a session. A pair counts more the fewer sessions lie
between its items, and less the longer the history.
Source: R. Agrawal and R. Srikant, ICDE 1995 (sequences of baskets); the decays are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from recommendations.engines import memory
from recommendations.engines.base import Interactions, Items, no_tick
from recommendations.engines.memory import Budgeted, Need, Size
from recommendations.engines.ranking import LinearModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from recommendations.engines.base import Integers


@dataclass(frozen=True)
class NextItem(Budgeted):
    """The weight of a before b is the sum over people of n ** -`degree_power` x `decay` ** (gap - 1).

    `n` is a person's number of items and `gap` the number of sessions from a to b, at most
    `reach`. The other direction counts `back` of that, items of one session half of one each
    way. A weight is divided by (people of a) ** `source_power` x (people of b) **
    `target_power`. An item of a history counts `recency` ** (sessions after it).
    """

    as_of: int
    reach: int = 5
    decay: float = 0.7
    back: float = 0.3
    degree_power: float = 0.3
    source_power: float = 0.3
    target_power: float = 0.3
    recency: float = 0.8
    min_people: int = 3

    @property
    def name(self) -> str:
        return "next_item"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> LinearModel:
        memory.require(self, interactions)
        owned = interactions.of_people().matrix()[: interactions.n_people]
        pairs = interactions.last_of_each_pair().latest().of_people()
        whose, session = _sessions(pairs)
        tick()
        weights = self._weights(pairs, whose, session, tick)
        after = np.searchsorted(whose, whose[session], side="right") - 1 - session
        values = np.float32(self.recency) ** after.astype(np.float32)
        history = sp.csr_array((values, (pairs.users, pairs.items)), shape=owned.shape)
        history.sort_indices()
        return LinearModel(owned, items, self.block, history, weights)

    def need(self, size: Size) -> Need:
        """Of a row's pairs, those within reach; sums of sparse matrices hold three at a time."""
        data = memory.matrices(size)
        weights = memory.BYTES_OF_PAIR * size.n_entries(size.n_items)
        return Need(data.peak + 3 * weights, data.kept + weights)

    def _weights(
        self,
        pairs: Interactions,
        whose: Integers,
        session: Integers,
        tick: Callable[[], None],
    ) -> sp.csr_array:
        n_items = pairs.n_items
        length = np.maximum(np.bincount(pairs.users, minlength=pairs.n_rows), 1)
        share = length[pairs.users].astype(np.float32) ** -np.float32(self.degree_power)
        shape = (len(whose), n_items)
        ones = sp.csr_array((np.ones(len(pairs), np.float32), (session, pairs.items)), shape=shape)
        shares = sp.csr_array((share, (session, pairs.items)), shape=shape)
        within: Any = shares.T @ ones
        total: Any = 0.5 * within
        for gap in range(1, self.reach + 1):
            from_, to = np.arange(len(whose) - gap), np.arange(gap, len(whose))
            same = whose[from_] == whose[to]
            forth: Any = shares[from_[same]].T @ ones[to[same]]
            total = total + self.decay ** (gap - 1) * (forth + self.back * forth.T)
            tick()
        if self.min_people > 1:
            people = sp.csr_array(
                (np.ones(len(pairs), np.float32), (pairs.users, pairs.items)),
                shape=(pairs.n_rows, n_items),
            )
            total = total.multiply((people.T @ people) >= self.min_people)
        degree = np.maximum(np.bincount(pairs.items, minlength=n_items), 1).astype(np.float32)
        total = total.multiply(degree[:, np.newaxis] ** -np.float32(self.source_power))
        total = total.multiply(degree ** -np.float32(self.target_power)).tocoo()
        others = total.row != total.col
        weights = sp.csr_array(
            (total.data[others].astype(np.float32), (total.row[others], total.col[others])),
            shape=(n_items, n_items),
        )
        weights.sort_indices()
        return weights


def _sessions(pairs: Interactions) -> tuple[Integers, Integers]:
    """Return the person of each session, in the order of time, and the session of each pair."""
    order = np.lexsort((pairs.at, pairs.users))
    users, at = pairs.users[order], pairs.at[order]
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (np.diff(users) > 0) | (np.diff(at) > 0)
    session = np.empty(len(order), dtype=np.int64)
    session[order] = np.cumsum(begins) - 1
    return users[begins], session
