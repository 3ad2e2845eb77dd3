"""Charts drawn by the server as plain HTML: no script, readable by screen readers, printable.

A chart never stands alone: the page shows the same numbers in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from django import template

register = template.Library()


class IntervalRow(Protocol):
    """One estimate with its interval, all three in the same unit; `text` is what is read."""

    label: str
    estimate: float
    low: float
    high: float
    text: str
    series: str


class BarRow(Protocol):
    label: str
    value: float
    text: str


class StackedRow(Protocol):
    """A column of values that add up, the first one at the bottom; none below zero."""

    label: str
    values: Sequence[float]
    text: str


class ReliabilityPoint(Protocol):
    """People of like scores: a chance foretold and what came with its interval, all in 0-1."""

    n: int
    foretold: float
    came: float
    low: float
    high: float


@dataclass(frozen=True)
class Placed:
    """A row with its positions on the axis, in percent of the width."""

    label: str
    text: str
    series: str
    at: float
    low: float
    width: float


@register.inclusion_tag("charts/intervals.html")
def interval_chart(rows: Sequence[IntervalRow], label: str) -> dict[str, object]:
    """Estimates with their intervals on one axis that always shows zero.

    Source: the forest plot; W. S. Cleveland, The Elements of Graphing Data, 1985.
    """
    ends = [0.0, *(row.low for row in rows), *(row.high for row in rows)]
    low, high = min(ends), max(ends)
    margin = (high - low) * 0.04 or 1.0
    start, span = low - margin, (high - low) + 2 * margin

    def place(value: float) -> float:
        return round(100 * (value - start) / span, 2)

    placed = [
        Placed(
            label=row.label,
            text=row.text,
            series=row.series,
            at=place(row.estimate),
            low=place(row.low),
            width=round(place(row.high) - place(row.low), 2),
        )
        for row in rows
    ]
    return {"rows": placed, "zero": place(0.0), "label": label}


@register.inclusion_tag("charts/bars.html")
def bar_chart(rows: Sequence[BarRow], label: str) -> dict[str, object]:
    """Values from zero on; a row may carry `mark`, a value to compare it with."""
    marks = [mark for row in rows if (mark := getattr(row, "mark", None)) is not None]
    top = max([*(row.value for row in rows), *marks, 0.0]) or 1.0
    placed = [
        {
            "label": row.label,
            "text": row.text,
            "width": round(100 * row.value / top, 2),
            "mark": None
            if (mark := getattr(row, "mark", None)) is None
            else round(100 * mark / top, 2),
        }
        for row in rows
    ]
    return {"rows": placed, "label": label}


@register.inclusion_tag("charts/series.html")
def series_chart(values: Sequence[float], label: str, first: str, last: str) -> dict[str, object]:
    """One value per equal step of time, from zero on; `first` and `last` name the ends."""
    top = max([*values, 0.0]) or 1.0
    step = 1000 / max(len(values) - 1, 1)
    points = [f"{round(i * step, 1)},{round(100 - 96 * v / top, 2)}" for i, v in enumerate(values)]
    return {"points": " ".join(points), "label": label, "first": first, "last": last}


@register.inclusion_tag("charts/stacked.html")
def stacked_chart(
    rows: Sequence[StackedRow], legend: Sequence[str], label: str
) -> dict[str, object]:
    """Columns side by side of values that add up; `legend` names the values from the bottom."""
    top = max([*(sum(row.values) for row in rows), 0]) or 1
    columns = [
        {
            "label": row.label,
            "text": row.text,
            "parts": [
                {"series": series, "height": 100 * value / top}
                for series, value in reversed(list(enumerate(row.values, start=1)))
            ],
        }
        for row in rows
    ]
    named = [{"series": series, "name": name} for series, name in enumerate(legend, start=1)]
    return {"columns": columns, "legend": named, "label": label}


@register.inclusion_tag("charts/reliability.html")
def reliability_chart(points: Sequence[ReliabilityPoint], label: str) -> dict[str, object]:
    """What came by what was foretold; the larger a dot, the more people it stands for.

    Source: the reliability diagram; A. H. Murphy, R. L. Winkler, Applied Statistics 26 (1977).
    """
    most = max((point.n for point in points), default=1)
    placed = [
        {
            "x": 100 * point.foretold,
            "y": 100 - 100 * point.came,
            "low": 100 - 100 * point.low,
            "high": 100 - 100 * point.high,
            "r": 1.2 + 2 * (point.n / most) ** 0.5,
        }
        for point in points
    ]
    return {"points": placed, "label": label}
