"""Small interaction tables for tests of engines and evaluation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recommendations.engines.base import Integers, Interactions


def interactions(
    events: Iterable[tuple[int, int, int]],
    *,
    n_people: int,
    n_items: int,
    n_baskets: int = 0,
) -> Interactions:
    """Build interactions from (user, item, at)."""
    table = np.array(list(events), dtype=np.int64).reshape(-1, 3)
    return Interactions(
        table[:, 0], table[:, 1], table[:, 2], n_people, n_people + n_baskets, n_items
    )


def checkerboard(n: int = 8, *, at: int = 0, held_out: int = 1) -> Interactions:
    """Even people took even items and odd ones odd items, each but `held_out` of their own.

    The right answer is known: what a person lacks of his colour, and never the other one.
    """
    events = [
        (user, item, at)
        for user in range(n)
        for item in range(n)
        if (user + item) % 2 == 0 and (item - user) % n >= 2 * held_out
    ]
    return interactions(events, n_people=n, n_items=n)


def rows(*numbers: int) -> Integers:
    return np.array(numbers, dtype=np.int64)
