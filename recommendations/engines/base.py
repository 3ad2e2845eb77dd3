"""What every engine speaks: numbered people and items in, ranked items with scores out.

People and items are numbered in the order of their own ids, so that "ties by number" means
ties by id, whichever database the events came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from recommendations.engines.memory import Need, Size

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

NOTHING = -1
EVENTS_OF_ONE = 500
DAY = 86_400
BLOCK_BYTES = 64 * 2**20
LAST_NUMBER = 2**31 - 1


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

    def need(self, size: Size) -> Need:
        """Return the memory that fitting takes beside the interactions themselves."""

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
    n_items = scores.shape[1]
    keys = packed(scores, np.arange(n_items))
    return unpacked(greatest(keys, min(k, n_items)))


def top_of_sparse(matrix: sp.csr_array, k: int) -> Ranked:
    """Return what `top_k` returns of the dense matrix; the work is that of its entries alone."""
    keys = packed(matrix.data, matrix.indices)
    best = np.zeros((matrix.shape[0], min(k, matrix.shape[1])), dtype=np.int64)
    fill_greatest(best, keys, matrix.indptr)
    return unpacked(-np.sort(-best, axis=1))


def fill_greatest(best: Integers, keys: Integers, indptr: NDArray[np.integer]) -> None:
    """Put into each row of `best`, in place, the greatest of what it has and of its new keys."""
    k = best.shape[1]
    if not k:
        return
    for row, (start, end) in enumerate(pairwise(indptr.tolist())):
        if start < end:
            both = np.concatenate((best[row], keys[start:end]))
            best[row] = np.partition(both, len(both) - k)[-k:]


def greatest(keys: Integers, k: int) -> Integers:
    """Return the k greatest keys of each row, greatest first."""
    if not k:
        return keys[:, :0]
    best = np.partition(keys, keys.shape[1] - k, axis=1)[:, keys.shape[1] - k :]
    return np.sort(best, axis=1)[:, ::-1]


def packed(scores: Floats, numbers: NDArray[np.integer]) -> Integers:
    """Return keys in the order of scores, of equal ones lower item numbers first; 0: none."""
    positive = np.maximum(np.nan_to_num(scores, nan=0.0), np.float32(0)) + np.float32(0)
    keys = positive.view(np.int32).astype(np.int64) << 32
    return np.where(keys, keys | (LAST_NUMBER - numbers), 0)


def unpacked(keys: Integers) -> Ranked:
    """Return the numbers and scores of keys; a key of 0 is NOTHING."""
    ids = keys & LAST_NUMBER
    np.subtract(LAST_NUMBER, ids, out=ids)
    ids[keys == 0] = NOTHING
    return Ranked(ids, (keys >> 32).astype(np.int32).view(np.float32))


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
