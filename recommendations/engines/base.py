"""What every engine speaks: numbered people and items in, ranked items with scores out.

People and items are numbered in the order of their own ids, so that "ties by number" means
ties by id, whichever database the events came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

NOTHING = -1
EVENTS_OF_ONE = 500
DAY = 86_400
BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Interactions:
    """Who took which item when: three columns with one entry an event, in any order.

    Rows up to `n_people` are known people; rows from there up to `n_rows` are anonymous
    baskets, which add to what is bought together but never get a list. `at` is in seconds
    since the epoch. Raises ValueError for numbers out of range.
    """

    users: Integers
    items: Integers
    at: Integers
    n_people: int
    n_rows: int
    n_items: int

    def __post_init__(self) -> None:
        if not len(self.users) == len(self.items) == len(self.at):
            raise ValueError("users, items and at must be equally long")
        for name, numbers, end in (
            ("users", self.users, self.n_rows),
            ("items", self.items, self.n_items),
        ):
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < end:
                raise ValueError(f"{name} must be numbers from 0 to {end - 1}")

    def __len__(self) -> int:
        return len(self.users)

    def select(self, chosen: Flags) -> Interactions:
        """Return the chosen events; rows and columns keep their numbers."""
        return Interactions(
            self.users[chosen],
            self.items[chosen],
            self.at[chosen],
            self.n_people,
            self.n_rows,
            self.n_items,
        )

    def between(self, start: int, end: int) -> Interactions:
        """Return the events from `start` up to, but not at, `end`."""
        return self.select((self.at >= start) & (self.at < end))

    def of_people(self) -> Interactions:
        """Return the events of known people."""
        return self.select(self.users < self.n_people)

    def last_of_each_pair(self) -> Interactions:
        """Return the latest event of each row and item, ordered by row, then item."""
        pairs = self.users * np.int64(self.n_items) + self.items
        order = np.lexsort((self.at, pairs))
        is_last = np.ones(len(order), dtype=np.bool_)
        is_last[:-1] = np.diff(pairs[order]) > 0
        kept = order[is_last]
        return Interactions(
            self.users[kept], self.items[kept], self.at[kept], self.n_people, self.n_rows,
            self.n_items,
        )  # fmt: skip

    def latest(self, n: int = EVENTS_OF_ONE) -> Interactions:
        """Return each row's last `n` events; of equally late ones those of lower items."""
        order = np.lexsort((self.items, -self.at, self.users))
        users = self.users[order]
        first = np.searchsorted(users, users, side="left")
        kept = np.zeros(len(users), dtype=np.bool_)
        kept[order[np.arange(len(users)) - first < n]] = True
        return self.select(kept)

    def matrix(self, *, half_life_days: float = 0, as_of: int = 0) -> sp.csr_array:
        """Return rows x items with 1 where there is an event, in canonical order.

        With a half-life, the weight of a pair halves with every such span between its last
        event and `as_of`.
        """
        pairs = self.last_of_each_pair()
        weights = np.ones(len(pairs), dtype=np.float32)
        if half_life_days:
            age_days = np.maximum(as_of - pairs.at, 0) / DAY
            weights = np.exp2(-age_days / half_life_days).astype(np.float32)
        return sp.csr_array(
            (weights, (pairs.users, pairs.items)), shape=(self.n_rows, self.n_items)
        )


@dataclass(frozen=True)
class Items:
    """What engines may know of the items beside who took them.

    `repeatable` marks items a person takes again and again: they may be recommended to
    somebody who has them already. Only items on sale are ranked at all. `texts` are what the
    shop says of each item, or nothing at all.
    """

    ids: tuple[str, ...]
    repeatable: Flags
    on_sale: Flags
    texts: tuple[str, ...] = ()

    @classmethod
    def plain(cls, ids: Sequence[str], texts: tuple[str, ...] = ()) -> Items:
        """Return items that are all on sale and taken once."""
        return cls(tuple(ids), np.zeros(len(ids), np.bool_), np.ones(len(ids), np.bool_), texts)


class Ranked(NamedTuple):
    """Item numbers and scores, a row for each thing asked about, best first.

    Places without an item hold NOTHING and score 0.
    """

    ids: Integers
    scores: Floats


class Contribution(NamedTuple):
    """How much of a score comes from one item of the person's own history."""

    item: int
    value: float


class Model(Protocol):
    """A fitted engine."""

    def recommend(self, users: Integers, n: int) -> Ranked:
        """Rank items for rows of known people, those they have left out."""

    def similar(self, items: Integers, n: int) -> Ranked:
        """Rank the items taken by the same people."""

    def explain(self, user: int, item: int) -> list[Contribution]:
        """Return what the item's score is the sum of, greatest first; empty if impersonal."""

    def explain_many(self, user: int, items: Integers) -> list[list[Contribution]]:
        """Explain several items of one person's list."""

    def explain_lists(self, users: Integers, ids: Integers) -> list[list[list[Contribution]]]:
        """Explain the lists that `recommend` gave to users."""

    def scores(self, users: Integers) -> Floats:
        """Return users x items, in an array of its own."""

    def closeness(self, items: Integers) -> Floats:
        """Return items x items: how much each goes with the asked ones; 0 to itself."""


class Engine(Protocol):
    """A way to learn a model; its parameters are fields of a frozen dataclass."""

    @property
    def name(self) -> str: ...

    def fit(
        self, interactions: Interactions, items: Items, tick: Callable[[], None] = ...
    ) -> Model:
        """Learn a model; `tick` is called every second or so, for progress and leases."""


def no_tick() -> None:
    """Tell nobody."""


def top_k(scores: Floats, k: int) -> Ranked:
    """Return the k greatest scores above 0 of each row, ties by lower number.

    The score's bits and the item's number make one integer key, so the order is total and
    no sort can break a tie in its own way.
    """
    n_rows, n_items = scores.shape
    k = min(k, n_items)
    if not k:
        return Ranked(np.zeros((n_rows, 0), np.int64), np.zeros((n_rows, 0), np.float32))
    positive = np.maximum(np.nan_to_num(scores, nan=0.0), np.float32(0)) + np.float32(0)
    keys = positive.view(np.int32).astype(np.int64) << 32
    keys |= np.arange(n_items - 1, -1, -1, dtype=np.int64)
    best = np.partition(keys, n_items - k, axis=1)[:, n_items - k :]
    best = np.sort(best, axis=1)[:, ::-1]
    values = (best >> 32).astype(np.int32).view(np.float32)
    ids = n_items - 1 - (best & 0xFFFFFFFF)
    return Ranked(np.where(values > 0, ids, NOTHING), values)


def blocks(n: int, *, width: int, n_bytes: int) -> Iterator[slice]:
    """Cut 0..n into slices whose dense block of `width` columns takes about `n_bytes`.

    A place takes 16 bytes while it is ranked: the score, its key, and a copy of the score.
    """
    size = max(1, n_bytes // (16 * max(width, 1)))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def hide_owned(scores: Floats, owned: sp.csr_array, items: Items) -> Floats:
    """Set to 0, in place, what each row has already (save repeatable items) or cannot buy."""
    rows, columns = owned.nonzero()
    once = ~items.repeatable[columns]
    scores[rows[once], columns[once]] = 0
    return hide_unsold(scores, items)


def hide_unsold(scores: Floats, items: Items) -> Floats:
    """Set to 0, in place, what is not on sale."""
    scores[:, ~items.on_sale] = 0
    return scores


def stack(parts: list[Ranked], k: int) -> Ranked:
    """Put blocks of rankings below each other, padded to `k` places."""
    n = sum(len(part.ids) for part in parts)
    ids = np.full((n, k), NOTHING, dtype=np.int64)
    scores = np.zeros((n, k), dtype=np.float32)
    row = 0
    for part in parts:
        height, width = part.ids.shape
        ids[row : row + height, :width] = part.ids
        scores[row : row + height, :width] = part.scores
        row += height
    return Ranked(ids, scores)
