"""Conditions on traits that count days: asked of the stored moment, so they are never stale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from profiles.features.vocabulary import BY_NAME
from profiles.segments.rules import Condition
from profiles.segments.vocabulary import PRESENCE

DAY = timedelta(days=1)
MOST_DAYS = 36_500  # beyond it no date can be counted from


def compared(condition: Condition, as_of: datetime) -> Q | None:
    """Return the condition on `Customer`, false where the moment is not known.

    None for a trait that is a column of its own. N days have passed from when the moment lies
    N days back until it lies N + 1 days back, and likewise ahead.
    """
    trait = BY_NAME.get(condition.field.name)
    if trait is None or not trait.moment:
        return None
    days = _Days(f"traits__{trait.moment}", as_of, is_ahead=trait.is_ahead)
    known = Q(**{f"{days.column}__isnull": False})
    if condition.operator in PRESENCE:
        return known if condition.operator == "notNull" else ~known
    low, high = _bounds(condition)
    if condition.operator in {"!=", "notBetween"}:
        return known & (days.below(low) | days.at_least(high + 1))
    return known & days.at_least(low) & days.below(high + 1)


def crossed(
    condition: Condition, since: datetime, until: datetime
) -> Iterator[tuple[str, tuple[datetime, datetime]]]:
    """Yield which moment changed the condition by the passing of that time, and where it lay."""
    trait = BY_NAME.get(condition.field.name)
    if trait is None or not trait.moment or condition.operator in PRESENCE:
        return
    low, high = _bounds(condition)
    for days in (low, high + 1):
        first, last = (_Days("", at, is_ahead=trait.is_ahead).when(days) for at in (since, until))
        yield trait.moment, (first, last)


def _bounds(condition: Condition) -> tuple[int, int]:
    """Return the lowest and the highest number of days the comparison names."""
    value = condition.value
    if isinstance(value, tuple):
        low, high = (int(end) for end in value)
        return low, high
    days = int(value or 0)
    return {
        "<": (-MOST_DAYS, days - 1),
        "<=": (-MOST_DAYS, days),
        ">": (days + 1, MOST_DAYS),
        ">=": (days, MOST_DAYS),
    }.get(condition.operator, (days, days))


@dataclass(frozen=True)
class _Days:
    """Days since the moment in `column`, or until it, compared with whole numbers."""

    column: str
    as_of: datetime
    is_ahead: bool

    def at_least(self, days: int) -> Q:
        return Q(**{f"{self.column}__{'gte' if self.is_ahead else 'lte'}": self.when(days)})

    def below(self, days: int) -> Q:
        return Q(**{f"{self.column}__{'lt' if self.is_ahead else 'gt'}": self.when(days)})

    def when(self, days: int) -> datetime:
        n = max(-MOST_DAYS, min(days, MOST_DAYS))
        return self.as_of + DAY * (n if self.is_ahead else -n)
