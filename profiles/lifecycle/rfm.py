"""The grid of recency by frequency or money: twenty-five groups, each of them a segment's rule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from profiles.models import Customer, CustomerTraits
from profiles.segment_rules import Tree

BANDS = 5


class Across(StrEnum):
    """What the columns of the grid are; its rows are always recency."""

    FREQUENCY = "frequency"
    MONEY = "money"


FIELDS = {Across.FREQUENCY: "n_orders", Across.MONEY: "revenue_minor"}


@dataclass(frozen=True)
class Band:
    """The values from `low` to `high`, both in it; None is without an end."""

    low: int
    high: int | None

    def condition(self, field: str) -> dict[str, Any]:
        if self.high is None:
            return {"field": field, "operator": ">=", "value": self.low}
        if self.low == self.high:
            return {"field": field, "operator": "=", "value": self.low}
        return {"field": field, "operator": "between", "value": [self.low, self.high]}

    def among(self, field: str) -> Q:
        within = Q(**{f"{field}__gte": self.low})
        return within if self.high is None else within & Q(**{f"{field}__lte": self.high})


# Most customers of an electronics shop order once or twice: fifths of them would be all alike.
ORDERS = (Band(1, 1), Band(2, 2), Band(3, 4), Band(5, 9), Band(10, None))


@dataclass(frozen=True)
class Cell:
    """The customers of a row and a column; the shares are of all customers and all money."""

    recency: Band
    other: Band
    n: int
    share: float
    revenue_share: float
    rule: Tree


@dataclass(frozen=True)
class Grid:
    """Rows from the latest buyers to those long gone, columns from the least to the most."""

    across: Across
    n_customers: int
    columns: tuple[Band, ...]
    rows: tuple[tuple[Band, tuple[Cell, ...]], ...]


def grid(across: Across, now: datetime) -> Grid:
    """Return the customers by how lately and how often, or for how much, they bought.

    Recency and money are cut into fifths of the customers, at whole days and amounts; there
    are fewer where many are alike. Figures are of the traits, days as of `now`.
    """
    buyers = (
        CustomerTraits.objects.of_buyers()
        .seen_from(now)
        .filter(customer__in=Customer.objects.for_purpose("profile.build"))
    )
    field = FIELDS[across]
    columns = ORDERS if across == Across.FREQUENCY else _fifths_of_money(buyers)
    found = list(_by_day(buyers, field, columns))
    days = [day for day, _counts, _money in found]
    rows = _cut(days, [sum(counts) for _day, counts, _money in found])
    n_all = sum(sum(counts) for _day, counts, _money in found)
    money_all = sum(sum(money) for _day, _counts, money in found)
    counted = [[0] * len(columns) for _row in rows]
    worth = [[0] * len(columns) for _row in rows]
    starts = [row.low for row in rows]
    for day, counts, money in found:
        place = max(bisect_right(starts, day) - 1, 0)
        for n, (count, amount) in enumerate(zip(counts, money, strict=True)):
            counted[place][n] += count
            worth[place][n] += amount
    return Grid(
        across,
        n_all,
        tuple(columns),
        tuple(
            (
                row,
                tuple(
                    Cell(
                        row,
                        column,
                        counted[r][c],
                        counted[r][c] / n_all,
                        worth[r][c] / money_all if money_all > 0 else 0.0,
                        _rule(row, column, field),
                    )
                    for c, column in enumerate(columns)
                ),
            )
            for r, row in enumerate(rows)
        ),
    )


def _rule(recency: Band, other: Band, field: str) -> Tree:
    rules = [recency.condition("recency_days"), other.condition(field)]
    return {"combinator": "and", "not": False, "rules": rules}


def _by_day(
    buyers: QuerySet[CustomerTraits], field: str, columns: Sequence[Band]
) -> Iterable[tuple[int, list[int], list[int]]]:
    """Yield for each number of days since the last order: customers and money by column."""
    aggregates: dict[str, Any] = {}
    for n, column in enumerate(columns):
        aggregates[f"n_{n}"] = Count("pk", filter=column.among(field))
        aggregates[f"money_{n}"] = Sum("revenue_minor", filter=column.among(field))
    grouped: Any = buyers.order_by().values(day=F("recency_days")).annotate(**aggregates)
    for row in sorted(grouped, key=lambda one: one["day"]):
        places = range(len(columns))
        yield (
            row["day"],
            [row[f"n_{n}"] for n in places],
            [row[f"money_{n}"] or 0 for n in places],
        )


def _fifths_of_money(buyers: QuerySet[CustomerTraits]) -> tuple[Band, ...]:
    ranked = buyers.order_by("revenue_minor").values_list("revenue_minor", flat=True)
    n = buyers.count()
    if not n:
        return ()
    places = [n * part // BANDS for part in range(BANDS)]
    starts = sorted({ranked[place : place + 1].get() for place in places})
    return _bands(starts)


def _cut(values: Sequence[int], counts: Sequence[int]) -> tuple[Band, ...]:
    """Cut rising values into fifths of what is counted at them."""
    n, before, fifth, starts = sum(counts), 0, -1, []
    for value, count in zip(values, counts, strict=True):
        if (reached := before * BANDS // n) > fifth:
            starts.append(value)
            fifth = reached
        before += count
    return _bands(starts)


def _bands(starts: Sequence[int]) -> tuple[Band, ...]:
    """Bands from each start to the next; the last is without an end."""
    if not starts:
        return ()
    ends = [*(start - 1 for start in starts[1:]), None]
    return tuple(Band(low, high) for low, high in zip(starts, ends, strict=True))
