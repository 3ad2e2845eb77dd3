"""A number that never travels without its interval."""

from __future__ import annotations

from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """`value` with the interval `low` to `high`, all in the unit of the value."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """Return the estimate of `factor` times as much; a negative factor turns it over."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Estimate(self.value * factor, low, high)

    def plus(self, known: float) -> Estimate:
        """Return the estimate moved by a number that is known without error."""
        return Estimate(self.value + known, self.low + known, self.high + known)

    @property
    def direction(self) -> int:
        """1 or -1 if the whole interval lies above or below zero, else 0."""
        return (self.low > 0) - (self.high < 0)
