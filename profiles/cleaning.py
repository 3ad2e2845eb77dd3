"""Marking what no person did: programs, impossible haste or quantity, test orders, outliers.

Nothing is deleted. Marked events and orders are kept and shown; all but outliers and orders of
which more was given back than was paid, which are real money, are left out of every figure. Events are looked at once as they come, orders again
whenever they changed: so a mark goes when an order no longer deserves it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import Count, Max, Q

from profiles import changes
from profiles.models import CleaningState, Event, Order, OrderLine
from profiles.models.quality import Quality

if TYPE_CHECKING:
    from jobs.work import Work

EVENTS_A_STEP: Final = 20_000
ORDERS_A_STEP: Final = 5_000
EVENTS_A_MINUTE: Final = 300
MOST_UNITS: Final = 50_000
SAMPLED: Final = 100_000
FEWEST_ORDERS: Final = 100
FAR: Final = 6.0
MAD_TO_SIGMA: Final = 1.4826
TEST: Final = re.compile(r"(?<![a-z])test(?![a-z])", re.IGNORECASE)
AGENT: Final = {
    "sqlite": "json_extract(context, '$.userAgent')",
    "postgresql": "context ->> 'userAgent'",
}
MINUTE: Final = {
    "sqlite": "CAST(strftime('%%s', happened_at) AS INTEGER) / 60",
    "postgresql": "CAST(FLOOR(EXTRACT(EPOCH FROM happened_at) / 60) AS bigint)",
}
IN_RANGE: Final = "id > %(after)s AND id <= %(last)s"


def clean(work: Work) -> dict[str, int]:
    """Mark what came since the last time; safe to run twice."""
    while (last := _last_event()) is not None:
        with work.step():
            mark_events(last)
    if "usual" not in work.cursor:
        with work.step() as cursor:
            cursor["usual"] = usual_totals()
    usual = work.cursor["usual"]
    n_looked_at = 1
    while n_looked_at:
        with work.step():
            n_looked_at = mark_orders(usual)
    return counts()


def counts() -> dict[str, int]:
    """How many events and orders bear each mark."""
    marked = {
        f"{name}:{row['quality']}": row["n"]
        for name, model in (("events", Event), ("orders", Order))
        for row in model._default_manager.filter(quality__gt="")
        .values("quality")
        .annotate(n=Count("pk"))
        .order_by("quality")
    }
    names = [f"{name}:{mark}" for name in ("events", "orders") for mark in Quality.values if mark]
    return {name: marked.get(name, 0) for name in names}


def _reached(name: str) -> int:
    state = CleaningState.objects.filter(name=name).first()
    return state.last_id if state else 0


def _reach(name: str, last: int) -> None:
    CleaningState.objects.update_or_create(name=name, defaults={"last_id": last})


def _last_event() -> int | None:
    newer = Event.objects.filter(pk__gt=_reached("events")).order_by("pk")
    return max(newer.values_list("pk", flat=True)[:EVENTS_A_STEP], default=None)


def mark_events(last: int) -> None:
    """Mark the events from where cleaning stands up to the one with that key.

    Haste is counted together with the step before, so that a burst on the seam is seen whole.
    """
    after = _reached("events")
    vendor = connection.vendor
    facts = {"after": after, "last": last}
    with connection.cursor() as cursor:
        agent = AGENT[vendor]
        # Words of our own; what events hold is given beside the statements.
        cursor.execute(
            f"SELECT DISTINCT {agent} FROM profiles_event WHERE {IN_RANGE}",  # noqa: S608  # nosec B608
            facts,
        )
        bots = [found for (found,) in cursor.fetchall() if found and is_program(found)]
        for agent_found in bots:
            cursor.execute(
                f"UPDATE profiles_event SET quality = 'bot' WHERE {IN_RANGE}"  # noqa: S608  # nosec B608
                f" AND quality = '' AND {agent} = %(agent)s",
                facts | {"agent": agent_found},
            )
        wide = facts | {"after": max(after - EVENTS_A_STEP, 0), "most": EVENTS_A_MINUTE}
        who = f"COALESCE(customer_id, 0), anonymous_id, {MINUTE[vendor]}"
        cursor.execute(
            f"UPDATE profiles_event SET quality = 'impossible' WHERE {IN_RANGE}"  # noqa: S608  # nosec B608
            f" AND quality = '' AND ({who}) IN (SELECT {who} FROM profiles_event WHERE {IN_RANGE}"
            f" GROUP BY 1, 2, 3 HAVING COUNT(*) > %(most)s)",
            wide,
        )
    marked = Event.objects.filter(pk__gt=wide["after"], pk__lte=last, customer__isnull=False)
    changes.mark(set(marked.exclude(quality="").values_list("customer", flat=True)))
    _reach("events", last)


@lru_cache(maxsize=10_000)
def is_program(user_agent: str) -> bool:
    """Whether a user agent is one of the programs that are known to fetch pages."""
    import crawleruseragents  # noqa: PLC0415 -- reads its list when it is imported

    return bool(crawleruseragents.is_crawler(user_agent))


def mark_orders(usual: Mapping[str, tuple[float, float]]) -> int:
    """Mark the next changed orders by what they hold now; returns how many were looked at.

    One that is being changed at this moment is left for the next time.
    """
    unclean = Order.objects.filter(is_unclean=True).select_for_update(skip_locked=True)
    keys = list(unclean.order_by("pk").values_list("pk", flat=True)[:ORDERS_A_STEP])
    chunk = Q(pk__in=keys)
    columns = ("pk", "number", "coupon", "customer__external_id", "total_minor", "currency")
    refunded = set(Order.objects.filter(chunk).refunded_beyond().values_list("pk", flat=True))
    products: defaultdict[int, list[str]] = defaultdict(list)
    lines = OrderLine.objects.filter(order__in=keys)
    for order, product in lines.values_list("order", "product_id"):
        products[order].append(product)
    most = dict(lines.values("order").annotate(most=Max("quantity")).values_list("order", "most"))
    marks: defaultdict[str, list[int]] = defaultdict(list)
    was = dict(Order.objects.filter(chunk).values_list("pk", "quality"))
    for pk, number, coupon, customer, total, currency in Order.objects.filter(chunk).values_list(
        *columns
    ):
        if _is_test(number, coupon, customer or "", products[pk]):
            mark = Quality.TEST.value
        elif most.get(pk, 0) > MOST_UNITS:
            mark = Quality.IMPOSSIBLE.value
        elif pk in refunded:
            mark = Quality.REFUNDED.value
        else:
            mark = Quality.OUTLIER.value if _is_far(total, usual.get(currency)) else ""
        if mark != was[pk]:
            marks[mark].append(pk)
    changed = [pk for found in marks.values() for pk in found]
    Order.objects.filter(chunk).update(is_unclean=False)
    for mark, found in marks.items():
        Order.objects.filter(pk__in=found).update(quality=mark)
    whose = Order.objects.filter(pk__in=changed, customer__isnull=False)
    changes.mark(set(whose.values_list("customer", flat=True)))
    return len(keys)


def _is_test(number: str, coupon: str, customer: str, products: list[str]) -> bool:
    told = any(TEST.search(text) for text in (number, coupon, customer))
    return told or bool(products and all(TEST.search(product) for product in products))


def _is_far(total: int, usual: tuple[float, float] | list[float] | None) -> bool:
    if usual is None or total <= 0:
        return False
    middle, spread = usual
    return math.log10(total) - middle > FAR * spread


def usual_totals() -> dict[str, tuple[float, float]]:
    """Median and robust spread of the logarithm of order totals, by currency.

    The spread is the median distance from the median, scaled to a standard deviation. Of the
    newest 100,000 orders that count; a currency with fewer than 100 has nothing usual.
    """
    import numpy as np  # noqa: PLC0415 -- heavy, and needed in tasks only

    totals: defaultdict[str, list[int]] = defaultdict(list)
    newest = (
        Order.objects.filter(total_minor__gt=0)
        .exclude(status=Order.Status.CANCELLED)
        .order_by("-pk")
    )
    for currency, total in newest.values_list("currency", "total_minor")[:SAMPLED]:
        totals[currency].append(total)
    usual = {}
    for currency, found in totals.items():
        if len(found) >= FEWEST_ORDERS:
            logs = np.log10(np.array(found, dtype=float))
            middle = float(np.median(logs))
            spread = float(np.median(np.abs(logs - middle))) * MAD_TO_SIGMA
            usual[currency] = (middle, max(spread, 0.05))
    return usual


def summary(found: Mapping[str, Any]) -> Iterable[str]:
    """Say the counts, a line each."""
    for name, n in found.items():
        table, _colon, mark = name.partition(":")
        yield f"{n:>9,}  {table}: {Quality(mark).label}"
