"""Groups of people as counts: small ones merged, so that nobody is told by a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add
from typing import Protocol, Self, TypeVar

SMALLEST = 10
MOST = 12
OTHERS = "others"


class Countable(Protocol):
    @property
    def n(self) -> int: ...

    def __add__(self, other: Self, /) -> Self: ...


C = TypeVar("C", bound=Countable)


def merged(groups: Mapping[str, C], *, smallest: int = SMALLEST) -> dict[str, C]:
    """Return the largest groups (`MOST` and at least `smallest` people), the others as `OTHERS`.

    Empty names (not known) are kept as a group. If the others are too few even together,
    the smallest group that is left joins them: what is left out of a known whole can be
    told. Nothing remains where everybody is fewer than `smallest`.
    """
    ranked = sorted(groups.items(), key=lambda item: (item[1].n, item[0]))
    large = [(name, group) for name, group in ranked if group.n >= smallest and name != OTHERS]
    large = large[-MOST:]
    small = [group for name, group in ranked if name not in dict(large)]
    while small and large and sum(group.n for group in small) < smallest:
        small.append(large.pop(0)[1])
    kept = dict(large)
    if small and (others := total(small)).n >= smallest:
        kept[OTHERS] = others
    return kept


def total(groups: Iterable[C]) -> C:
    """Return the groups as one; there must be one at least."""
    return reduce(add, groups)
