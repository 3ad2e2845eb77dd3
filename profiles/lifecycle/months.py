"""New and returning customers by month, and how many of each month's new ones come back.

Months are those of the shop's time zone. Counted are orders that were not cancelled and not
marked as tests or machines, of customers who may be profiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import ExtractMonth, ExtractYear

from profiles.models import Customer, Order
from profiles.segment_rules import Tree

SHOWN = 12
DAY = timedelta(days=1)
Pairs = Mapping[tuple[int, int], int]


@dataclass(frozen=True)
class Month:
    """The customers who bought in a month: for the first time, or again."""

    on: date
    n_new: int
    n_returning: int
    is_over: bool

    @property
    def n(self) -> int:
        return self.n_new + self.n_returning

    @property
    def returning_rate(self) -> float | None:
        return self.n_returning / self.n if self.n else None


@dataclass(frozen=True)
class Kept:
    """How many of a cohort bought in a later month, and the rule that means them."""

    on: date
    n: int
    rate: float
    is_over: bool
    rule: Tree


@dataclass(frozen=True)
class Cohort:
    """The customers whose first order fell into a month; `kept[0]` is the month after it.

    `rule` means them by dates of the shop's time zone, `rule_once` those of them who bought
    nothing in a later month.
    """

    on: date
    n: int
    kept: tuple[Kept, ...]
    rule: Tree
    rule_once: Tree


@dataclass(frozen=True)
class Lifecycle:
    """The last twelve months and the one that runs; `n_again` bought in two orders or more."""

    n_buyers: int
    n_again: int
    months: tuple[Month, ...]
    cohorts: tuple[Cohort, ...]

    @property
    def repeat_rate(self) -> float | None:
        return self.n_again / self.n_buyers if self.n_buyers else None

    @property
    def last_month(self) -> Month:
        """The last month that is over."""
        return self.months[-2]


def lifecycle(now: datetime, zone: ZoneInfo) -> Lifecycle:
    """Return the shop's customers by month, in two statements however many there are."""
    orders = _orders(now)
    by_customer = orders.order_by().values("customer").annotate(n=Count("pk"))
    bought = by_customer.aggregate(
        n_buyers=Count("customer"), n_again=Count("customer", filter=Q(n__gt=1))
    )
    pairs = _pairs(orders, zone)
    today = now.astimezone(zone).date()
    running = today.year * 12 + today.month - 1
    shown = range(running - SHOWN, running + 1)
    return Lifecycle(
        n_buyers=bought["n_buyers"],
        n_again=bought["n_again"],
        months=tuple(_month(pairs, month, running) for month in shown),
        cohorts=tuple(_cohort(pairs, month, running) for month in shown if (month, month) in pairs),
    )


def _orders(now: datetime) -> QuerySet[Order]:
    allowed = Customer.objects.for_purpose("profile.build")
    return Order.objects.countable().filter(customer__in=allowed, placed_at__lt=now)


def _pairs(orders: QuerySet[Order], zone: ZoneInfo) -> Pairs:
    """Count customers by the month of their first order and a month in which they bought.

    Months are counted from year 0, so that their difference is a number of months.
    """
    month = ExtractYear("placed_at", tzinfo=zone) * 12 + ExtractMonth("placed_at", tzinfo=zone) - 1
    bought = orders.order_by().values_list("customer_id").distinct().annotate(month=month)
    sql, params = bought.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT first_month, month, COUNT(*) FROM (
                SELECT month, MIN(month) OVER (PARTITION BY customer_id) AS first_month
                FROM ({sql}) AS bought
            ) AS seen GROUP BY first_month, month
            """,  # noqa: S608 -- Django's own statement  # nosec B608
            params,
        )
        return {(int(first), int(month)): int(n) for first, month, n in cursor.fetchall()}


def _month(pairs: Pairs, month: int, running: int) -> Month:
    n_returning = sum(n for (first, then), n in pairs.items() if then == month and first < month)
    return Month(_first_day(month), pairs.get((month, month), 0), n_returning, month < running)


def _cohort(pairs: Pairs, first: int, running: int) -> Cohort:
    n = pairs[first, first]
    began = [_bought("=", 0, until=first), _bought(">=", 1, since=first, until=first + 1)]
    later = [(month, pairs.get((first, month), 0)) for month in range(first + 1, running + 1)]
    return Cohort(
        on=_first_day(first),
        n=n,
        kept=tuple(
            Kept(
                on=_first_day(month),
                n=back,
                rate=back / n,
                is_over=month < running,
                rule=_all_of(*began, _bought(">=", 1, since=month, until=month + 1)),
            )
            for month, back in later
        ),
        rule=_all_of(*began),
        rule_once=_all_of(*began, _bought("=", 0, since=first + 1)),
    )


def _all_of(*rules: Tree) -> Tree:
    return {"combinator": "and", "not": False, "rules": list(rules)}


def _bought(operator: str, n: int, *, since: int | None = None, until: int | None = None) -> Tree:
    """So many orders from the first day of a month until before that of another."""
    rule: Tree = {"field": "bought_times", "operator": operator, "value": n}
    if since is not None:
        rule["from_date"] = _first_day(since).isoformat()
    if until is not None:
        rule["to_date"] = (_first_day(until) - DAY).isoformat()
    return rule


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
