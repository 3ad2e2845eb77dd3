"""Splits by time: a model is judged on what came after everything it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommendations.engines.base import DAY, NOTHING, Interactions

if TYPE_CHECKING:
    from recommendations.engines.base import Integers


class TooLittleDataError(ValueError):
    """The data span too short a time, or too few people came back, to judge a model."""


@dataclass(frozen=True)
class Split:
    """What a model learns from, and what it should have foreseen.

    `warm` are the people with events in both parts and at least one new item in the test;
    `wanted` holds, for each of them, the new items in ascending order. Repeat purchases are
    no test of a recommender and are left out (`n_repeats` counts them, `n_cold_items` the
    wanted pairs on items nobody took before).
    """

    train: Interactions
    at: int
    warm: Integers
    wanted: tuple[Integers, ...]
    n_repeats: int
    n_cold_items: int


def at(interactions: Interactions, moment: int, *, days: int) -> Split:
    """Split at `moment`: all before is training, the `days` from there on are the test."""
    train = interactions.between(int(interactions.at.min(initial=moment)), moment)
    later = interactions.between(moment, moment + days * DAY).of_people().last_of_each_pair()
    n_items = np.int64(interactions.n_items)
    known = np.unique(train.users * n_items + train.items)
    is_new = ~np.isin(later.users * n_items + later.items, known)
    is_warm = np.isin(later.users, train.users)
    test = later.select(is_new & is_warm)
    warm, starts = np.unique(test.users, return_index=True)
    return Split(
        train=train,
        at=moment,
        warm=warm,
        wanted=tuple(np.split(test.items, starts[1:])) if len(warm) else (),
        n_repeats=int((~is_new).sum()),
        n_cold_items=int((~np.isin(test.items, train.items)).sum()),
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


def padded(lists: tuple[Integers, ...]) -> Integers:
    """Return lists of items as rows of one array, filled up with NOTHING."""
    width = max((len(row) for row in lists), default=0)
    table = np.full((len(lists), width), NOTHING, dtype=np.int64)
    for number, row in enumerate(lists):
        table[number, : len(row)] = row
    return table
