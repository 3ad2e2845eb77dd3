"""What counts, sums and days of purchases and events mean, for SQL and for memory alike."""

from __future__ import annotations

import math
from datetime import datetime

from profiles.segments.rules import Condition, Scalar, Value
from profiles.segments.windows import DAY, before

ORDERED = "Order Completed"  # as the second event, an order from any source stands for it
# A text also means the JSON literal it spells.
LITERALS: dict[str, bool | None] = {"true": True, "false": False, "null": None}

# Sums are of whole millionths, so that no database and no order of rows rounds otherwise.
MILLIONTHS = 1_000_000
MOST_SUMMED = 10**9  # a larger number is no amount of anything, and is left out
_MOST_MILLIONTHS = 2**63 - 1

Span = tuple[int, int | None]


def spans(condition: Condition) -> list[Span]:
    """Return the whole numbers, from first to last, that the comparison allows.

    Days are never negative, so nothing below 0 is in a span; None = without end.
    """
    value = condition.value
    low, high = value if isinstance(value, tuple) else (value, value)
    first, last = int(low or 0), int(high or 0)
    match condition.operator:
        case "=" | "between":
            found: list[Span] = [(first, last)]
        case "!=" | "notBetween":
            found = [(0, first - 1), (last + 1, None)]
        case "<":
            found = [(0, first - 1)]
        case "<=":
            found = [(0, first)]
        case ">":
            found = [(first + 1, None)]
        case _:
            found = [(first, None)]
    return [(max(a, 0), b) for a, b in found if b is None or b >= max(a, 0)]


def moments(span: Span, as_of: datetime) -> tuple[datetime | None, datetime]:
    """Return (after, until): whole days before `as_of` are in the span for after < t <= until."""
    first, last = span
    return None if last is None else before(as_of, last + 1), before(as_of, first)


def millionths(number: float) -> int:
    """Return a number as whole millionths, the half rounded up, within 64 bits."""
    whole = math.floor(number * MILLIONTHS + 0.5)
    return max(-_MOST_MILLIONTHS, min(whole, _MOST_MILLIONTHS))


def compared(condition: Condition) -> Value:
    """Return what a figure made of many rows is compared with: of a sum, whole millionths."""
    value = condition.value
    if condition.field.name != "event_sum" or value is None:
        return value
    if isinstance(value, tuple):
        return tuple(map(_millionths, value))
    return _millionths(value)


def _millionths(value: Scalar) -> int:
    return millionths(float(value))


def days_since(moment: datetime, as_of: datetime) -> int:
    return (as_of - moment) // DAY
