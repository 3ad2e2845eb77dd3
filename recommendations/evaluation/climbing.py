"""Choosing parameters within a budget of trials: up and down one axis after the other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Chosen = TypeVar("Chosen")


@dataclass(frozen=True)
class Axis:
    """The values of one field of a frozen dataclass, in an order in which near ones are alike."""

    name: str
    values: tuple[Any, ...]

    def steps(self, centre: Any, direction: int) -> list[Any]:
        """Return what lies beyond the centre's value in a direction, nearest first."""
        at = self.values.index(getattr(centre, self.name))
        beyond = self.values[at + 1 :] if direction > 0 else self.values[:at][::-1]
        return [replace(centre, **{self.name: value}) for value in beyond]


@dataclass(frozen=True)
class Place:
    """The values of one place of a tuple of numbers, in order."""

    at: int
    values: tuple[float, ...]

    def steps(self, centre: Any, direction: int) -> list[Any]:
        """Return the tuples with what lies beyond in a direction, nearest first."""
        at = self.values.index(centre[self.at])
        beyond = self.values[at + 1 :] if direction > 0 else self.values[:at][::-1]
        return [(*centre[: self.at], value, *centre[self.at + 1 :]) for value in beyond]


@dataclass
class Climb(Generic[Chosen]):
    """The best of at most `budget` trials; each candidate is tried once, a tie keeps the first.

    A direction is given up after `patience` steps in it that were no better.
    """

    score: Callable[[Chosen], float]
    budget: int
    patience: int = 1
    tried: dict[Chosen, float] = field(default_factory=dict)

    @property
    def n_trials(self) -> int:
        return len(self.tried)

    def run(self, start: Chosen, axes: Sequence[Axis | Place]) -> Chosen:
        """Climb until no axis leads up any more, or the budget is spent (0: take the start)."""
        best = start
        if self.budget < 1:
            return best
        best_score = self._try(start)
        improved = True
        while improved:
            improved = False
            for axis in axes:
                for direction in (1, -1):
                    found = self._along(axis.steps(best, direction), best_score)
                    if found is not None:
                        best, best_score, improved = *found, True
        return best

    def _along(self, candidates: list[Chosen], best_score: float) -> tuple[Chosen, float] | None:
        """Return the best of a direction if it is better than the score so far."""
        found, failed = None, 0
        for candidate in candidates:
            if candidate not in self.tried and self.n_trials >= self.budget:
                break
            value = self._try(candidate)
            if value > best_score:
                found, best_score, failed = (candidate, value), value, 0
            elif (failed := failed + 1) == self.patience:
                break
        return found

    def _try(self, candidate: Chosen) -> float:
        if candidate not in self.tried:
            self.tried[candidate] = self.score(candidate)
        return self.tried[candidate]
