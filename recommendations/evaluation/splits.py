"""Splits by time: a model is judged on what came after everything it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recommendations.engines.base import DAY, NOTHING, Interactions

if TYPE_CHECKING:
    from recommendations.engines.base import Integers


PAIRS_TO_JUDGE_BY = 20_000


class TooLittleDataError(ValueError):
    """The data span too short a time, or too few people came back, to judge a model."""


class Wanted(NamedTuple):
    """People in ascending order, and for each of them the items wanted, in ascending order."""

    people: Integers
    items: tuple[Integers, ...]

    @property
    def n(self) -> int:
        """How many pairs of a person and an item there are."""
        return sum(len(row) for row in self.items)


@dataclass(frozen=True)
class Split:
    """What a model learns from, and what it should have foreseen.

    `test` are the new items of people with events in both parts. Told apart from it: repeat
    purchases (`repeats`), people without any event in training (`newcomers`), and those of the
    wanted pairs that are on items nobody took before (`cold_items`).
    """

    train: Interactions
    at: int
    test: Wanted
    repeats: Wanted
    newcomers: Wanted
    cold_items: Wanted

    @property
    def warm(self) -> Integers:
        return self.test.people

    @property
    def wanted(self) -> tuple[Integers, ...]:
        return self.test.items

    @property
    def n_repeats(self) -> int:
        return self.repeats.n

    @property
    def n_cold_items(self) -> int:
        return self.cold_items.n


def at(interactions: Interactions, moment: int, *, days: int) -> Split:
    """Split at `moment`: all before is training, the `days` from there on are the test."""
    train = interactions.between(int(interactions.at.min(initial=moment)), moment)
    later = interactions.between(moment, moment + days * DAY)
    return _judged(train, later, at=moment)


def given(train: Interactions, test: Interactions) -> Split:
    """Take a split that others made: rank for everybody with test items not in training."""
    return _judged(train, test, at=_end(train))


def without_some(train: Interactions, *, share: float = 0.1, seed: int = 0) -> Split:
    """Hold out a random share of each person's items; everybody keeps at least one.

    Raises TooLittleDataError if nobody has two items.
    """
    pairs = train.last_of_each_pair()
    order = np.lexsort((np.random.default_rng(seed).random(len(pairs)), pairs.users))
    users = pairs.users[order]
    place = np.arange(len(users)) - np.searchsorted(users, users, side="left")
    length = np.searchsorted(users, users, side="right") - np.searchsorted(users, users)
    n_out = np.minimum(np.maximum(np.round(share * length), 1), length - 1)
    out = np.zeros(len(pairs), dtype=np.bool_)
    out[order] = place < n_out
    if not out.any():
        raise TooLittleDataError("nobody has two items, so none can be held out")
    return _judged(pairs.select(~out), pairs.select(out), at=_end(train))


def several_without_some(train: Interactions) -> tuple[Split, ...]:
    """Return as many random validation splits as it takes to judge by about 20,000 pairs, 1-4."""
    first = without_some(train)
    n = min(4, max(1, -(-PAIRS_TO_JUDGE_BY // max(first.test.n, 1))))
    return (first, *(without_some(train, seed=seed) for seed in range(1, n)))


def last_out(sequences: Interactions, n_back: int = 0) -> Split:
    """Test each person's last event; with `n_back` the one so many before, as if it were the last.

    Whoever has no earlier event is left out. Raises TooLittleDataError if that is everybody.
    """
    order = np.lexsort((-sequences.at, sequences.users))
    users = sequences.users[order]
    place = np.empty(len(users), dtype=np.int64)
    place[order] = np.arange(len(users)) - np.searchsorted(users, users, side="left")
    train, test = sequences.select(place > n_back), sequences.select(place == n_back)
    test = test.select(np.isin(test.users, train.users))
    if not len(test):
        raise TooLittleDataError(f"nobody has {n_back + 2} events, so no last one can be told")
    return _judged(train, test, at=_end(train))


def _end(interactions: Interactions) -> int:
    return int(interactions.at.max(initial=-1)) + 1


def _judged(train: Interactions, later: Interactions, *, at: int) -> Split:
    """Return the split whose wanted items are the new ones of people known in training."""
    later = later.of_people().last_of_each_pair()
    n_items = np.int64(later.n_items)
    known = np.unique(train.users * n_items + train.items)
    is_new = ~np.isin(later.users * n_items + later.items, known)
    is_warm = np.isin(later.users, train.users)
    return Split(
        train=train,
        at=at,
        test=_people(later.select(is_new & is_warm)),
        repeats=_people(later.select(~is_new)),
        newcomers=_people(later.select(is_new & ~is_warm)),
        cold_items=_people(later.select(is_new & is_warm & ~np.isin(later.items, train.items))),
    )


def last_windows(
    interactions: Interactions, *, end: int, days: int = 28, min_warm: int = 30
) -> tuple[Split, Split]:
    """Return (validation, test): the window that chooses parameters, and the last one.

    Raises TooLittleDataError if fewer than `min_warm` people can be judged in either, or
    less than one window is left to learn from.
    """
    test = at(interactions, end - days * DAY, days=days)
    validation = at(interactions, end - 2 * days * DAY, days=days)
    first = int(interactions.at.min(initial=end))
    if end - first < 3 * days * DAY:
        raise TooLittleDataError(f"the orders span less than {3 * days} days")
    if min(len(test.warm), len(validation.warm)) < min_warm:
        raise TooLittleDataError(f"fewer than {min_warm} customers came back for something new")
    return validation, test


def _people(pairs: Interactions) -> Wanted:
    people, starts = np.unique(pairs.users, return_index=True)
    return Wanted(people, tuple(np.split(pairs.items, starts[1:])) if len(people) else ())


def padded(lists: tuple[Integers, ...]) -> Integers:
    """Return lists of items as rows of one array, filled up with NOTHING."""
    width = max((len(row) for row in lists), default=0)
    table = np.full((len(lists), width), NOTHING, dtype=np.int64)
    for number, row in enumerate(lists):
        table[number, : len(row)] = row
    return table
