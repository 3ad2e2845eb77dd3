"""How much memory a fit takes, told before it begins; what does not fit is refused.

The estimates are of arrays, in bytes, from the numbers of people, items and events alone, so
they bound what real data take; a test holds them against what is allocated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from recommendations.engines.base import BLOCK_BYTES, EVENTS_OF_ONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommendations.engines.base import Interactions

BUDGET_BYTES: Final = 2**30
# A pair as matrices: an entry has a value and a column, sorting it takes a key and a place.
BYTES_OF_PAIR: Final = 24
BYTES_OF_SORTING: Final = 120
BYTES_OF_PLACE: Final = 8
BYTES_OF_KEY: Final = 24
# Of the budget, what one block of scores may take.
BLOCKS_OF_A_BUDGET: Final = 16
LARGEST: Final = 10**8


@dataclass(frozen=True)
class Size:
    """How much there is to learn from."""

    n_people: int
    n_rows: int
    n_items: int
    n_events: int
    n_pairs: int

    @classmethod
    def of(cls, data: Interactions) -> Size:
        """`n_pairs` bounds the pairs of items that some row has, those of each row counted."""
        lengths = np.minimum(np.bincount(data.users, minlength=1), EVENTS_OF_ONE)
        n_pairs = int(np.square(lengths).sum())
        return cls(data.n_people, data.n_rows, data.n_items, len(data), n_pairs)

    def n_entries(self, n: int) -> int:
        """Return how many entries an n x n matrix of pairs may have."""
        return min(n * n, self.n_pairs)


class Need(NamedTuple):
    """Bytes at the worst moment of a fit, and bytes that the model keeps."""

    peak: int
    kept: int


@dataclass(frozen=True, kw_only=True)
class Budgeted:
    """What a fit may take: `budget_bytes` in all, about `block_bytes` in one block of work."""

    budget_bytes: int = BUDGET_BYTES
    block_bytes: int = BLOCK_BYTES

    @property
    def block(self) -> int:
        return max(1, min(self.block_bytes, self.budget_bytes // BLOCKS_OF_A_BUDGET))


class Needing(Protocol):
    """An engine, as far as memory is concerned."""

    @property
    def name(self) -> str: ...

    @property
    def budget_bytes(self) -> int: ...

    def need(self, size: Size) -> Need: ...


class TooLargeError(ValueError):
    """The data do not fit the memory that a model may take."""


def matrices(size: Size) -> Need:
    """What every engine takes: the pairs sorted once, and the matrices of who took what."""
    kept = BYTES_OF_PAIR * size.n_events + 2 * BYTES_OF_PLACE * (size.n_rows + size.n_items)
    return Need(BYTES_OF_SORTING * size.n_events + kept, kept)


def neighbours(n: int, k: int) -> Need:
    """What the k nearest of n things take: keys while they are sought, then a sparse matrix."""
    k = min(k, n)
    return Need(2 * BYTES_OF_KEY * n * k, BYTES_OF_PLACE * 2 * n * k)


def require(engine: Needing, interactions: Interactions, instead: Sequence[Needing] = ()) -> None:
    """Refuse, before anything is made, a fit that takes more than the budget.

    The error names how many products would fit, and which of the engines `instead` do.
    """
    size, budget = Size.of(interactions), engine.budget_bytes
    needed = engine.need(size).peak
    if needed <= budget:
        return
    fits = f"{most_items(engine, size, budget):,} fit in {told(budget)}"
    others = [other.name for other in instead if other.need(size).peak <= budget]
    beside = (
        f"{' and '.join(others)} {'fits' if len(others) == 1 else 'fit'} all"
        if others
        else ("raise the budget")
    )
    raise TooLargeError(
        f"{engine.name} needs {told(needed)} for {size.n_items:,} products; {fits}; {beside}"
    )


def most_items(engine: Needing, size: Size, budget: int) -> int:
    """Return the largest catalogue that fits with these people and events."""
    low, high = 0, LARGEST
    while low < high:
        middle = (low + high + 1) // 2
        if engine.need(replace(size, n_items=middle)).peak <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def told(n_bytes: int) -> str:
    """Return an amount of memory as people say it: 1.9 GB, 340 MB."""
    if n_bytes >= 2**30:
        return f"{n_bytes / 2**30:.1f}".removesuffix(".0") + " GB"
    return f"{max(1, round(n_bytes / 2**20))} MB"
