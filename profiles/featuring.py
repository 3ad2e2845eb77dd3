"""Traits: what customers' orders say about them, made by one SQL statement per range.

Only what happened before `as_of` counts, refunds included: `Order.refunded_minor` may hold
later ones, so refunds are summed from their own dated rows. Customers who may not be
profiled have no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import BigIntegerField, Count, Func, QuerySet
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay

from privacy.models import Shop
from profiles.models import Customer, CustomerTraits, Order

if TYPE_CHECKING:
    from jobs.work import Work

CUSTOMERS_PER_STEP = 20_000
TOP_ITEMS = 10


def build_traits(
    as_of: datetime, work: Work | None = None, *, per_step: int = CUSTOMERS_PER_STEP
) -> int:
    """Bring every customer's traits to `as_of`; returns how many customers have them.

    Safe to repeat. With `work`, each range of customers commits together with the job's
    cursor, so a killed job goes on behind the last finished range.
    """
    done_to = work.cursor.get("traits_to", 0) if work else 0
    n_total = Customer.objects.count()
    currency = currency_in_use()
    while (last := _end_of_range(done_to, per_step)) is not None:
        with _step(work) as cursor:
            _build_range(as_of, currency, after=done_to, last=last)
            cursor["traits_to"] = done_to = last
        if work:
            work.progress(Customer.objects.filter(pk__lte=last).count(), n_total, "traits")
    return CustomerTraits.objects.count()


def currency_in_use() -> str:
    """Return the currency traits add up: the shop's, or before it is set up that of most orders.

    Orders in other currencies are left out: sums over several mean nothing.
    """
    shop = Shop.current()
    if Shop.objects.exists():
        return shop.currency
    counted = Order.objects.values_list("currency").annotate(n=Count("pk"))
    most = counted.order_by("-n", "currency").first()
    return most[0] if most else shop.currency


@contextmanager
def _step(work: Work | None) -> Iterator[dict[str, Any]]:
    with work.step() if work else transaction.atomic() as cursor:
        yield {} if cursor is None else cursor


def _end_of_range(after: int, n: int) -> int | None:
    keys = Customer.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    return max(keys[:n], default=None)


def _build_range(as_of: datetime, currency: str, *, after: int, last: int) -> None:
    """Rewrite the traits of the customers in a range: gone ones first, then one upsert."""
    zone = ZoneInfo(Shop.current().time_zone)
    orders = Order.objects.filter(
        customer__gt=after,
        customer__lte=last,
        customer__in=Customer.objects.for_purpose("profile.build"),
        placed_at__lt=as_of,
        currency=currency,
    ).exclude(status=Order.Status.CANCELLED)
    ranged = CustomerTraits.objects.filter(customer__gt=after, customer__lte=last)
    ranged.exclude(customer__in=orders.values("customer")).delete()
    _upsert(orders, as_of, zone)


class _Epoch(Func):
    """Whole seconds since 1970 of a moment."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        context["template"] = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"
        return self.as_sql(compiler, connection, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        context["template"] = "CAST(FLOOR(EXTRACT(EPOCH FROM %(expressions)s)) AS bigint)"
        return self.as_sql(compiler, connection, **context)


def _upsert(orders: QuerySet[Order], as_of: datetime, zone: ZoneInfo) -> None:
    rows = orders.values_list(
        "pk",
        "customer_id",
        _Epoch("placed_at"),
        ExtractHour("placed_at", tzinfo=zone),
        ExtractIsoWeekDay("placed_at", tzinfo=zone) - 1,
        "total_minor",
        "discount_minor",
    )
    sql, params = rows.query.sql_with_params()
    statement = TRAITS.format(orders=sql, top_items=TOP_ITEMS, **DIALECTS[connection.vendor])
    moment, stored = int(as_of.timestamp()), connection.ops.adapt_datetimefield_value(as_of)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Nothing is known of the size of the parts: guessed too small, they are joined
            # by nested loops, which took 438 s where hashing takes one.
            cursor.execute("SET LOCAL enable_nestloop = off; SET LOCAL jit = off")
        cursor.execute(statement, [*params, stored, stored, moment, moment])


DIALECTS = {
    "sqlite": {"object_of": "json_group_object", "bytewise": "BINARY"},
    "postgresql": {"object_of": "jsonb_object_agg", "bytewise": '"C"'},
}

# Shares inside the objects are rounded by integer arithmetic, half up to 1/10,000, so that
# both databases store the same digits. `ROW_NUMBER` takes the lowest value on a tie. Every
# join is a LEFT JOIN from `by_order`, which keeps SQLite from multiplying the parts first.
TRAITS = """
WITH orders (id, customer_id, placed, hour, weekday, total, discount) AS ({orders}),
lines AS (
    SELECT o.customer_id, l.id, l.product_id, l.category, l.quantity, l.total_minor AS total,
        l.discount_minor + o.discount AS discount
    FROM orders o JOIN profiles_orderline l ON l.order_id = o.id
),
by_order AS (
    SELECT customer_id, COUNT(*) AS n, MIN(placed) AS first_at, MAX(placed) AS last_at,
        CAST(SUM(total) AS bigint) AS gross,
        SUM(CASE WHEN hour < 6 THEN 1.0 ELSE 0.0 END) AS night,
        SUM(CASE WHEN hour BETWEEN 6 AND 11 THEN 1.0 ELSE 0.0 END) AS morning,
        SUM(CASE WHEN hour BETWEEN 12 AND 17 THEN 1.0 ELSE 0.0 END) AS afternoon,
        SUM(CASE WHEN hour > 17 THEN 1.0 ELSE 0.0 END) AS evening,
        SUM(CASE WHEN weekday > 4 THEN 1.0 ELSE 0.0 END) AS weekend
    FROM orders GROUP BY customer_id
),
by_hour AS (
    SELECT customer_id, hour,
        ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY COUNT(*) DESC, hour) AS place
    FROM orders GROUP BY customer_id, hour
),
by_weekday AS (
    SELECT customer_id, weekday,
        ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY COUNT(*) DESC, weekday) AS place
    FROM orders GROUP BY customer_id, weekday
),
by_line AS (
    SELECT customer_id, COUNT(DISTINCT product_id) AS n_items,
        CAST(SUM(quantity) AS bigint) AS n_units, CAST(SUM(total) AS bigint) AS money,
        SUM(CASE WHEN discount > 0 THEN 1.0 ELSE 0.0 END) / COUNT(*) AS discounted
    FROM lines GROUP BY customer_id
),
by_refund AS (
    SELECT l.customer_id, CAST(SUM(r.amount_minor) AS bigint) AS refunded
    FROM profiles_refund r JOIN lines l ON l.id = r.line_id
    WHERE r.refunded_at < %s GROUP BY l.customer_id
),
by_category AS (
    SELECT customer_id, category, CAST(SUM(total) AS bigint) AS money,
        CAST(SUM(SUM(total)) OVER (PARTITION BY customer_id) AS bigint) AS of_money,
        ROW_NUMBER() OVER (
            PARTITION BY customer_id
            ORDER BY CASE WHEN category = '' THEN 1 ELSE 0 END, SUM(total) DESC,
                category COLLATE {bytewise}
        ) AS place
    FROM lines GROUP BY customer_id, category
),
by_product AS (
    SELECT customer_id, product_id, CAST(SUM(total) AS bigint) AS money,
        CAST(SUM(SUM(total)) OVER (PARTITION BY customer_id) AS bigint) AS of_money,
        ROW_NUMBER() OVER (
            PARTITION BY customer_id ORDER BY SUM(total) DESC, product_id COLLATE {bytewise}
        ) AS place
    FROM lines GROUP BY customer_id, product_id
),
category_shares AS (
    SELECT customer_id, {object_of}(
        category, ((money * 20000 + of_money) / (2 * of_money)) / 10000.0
    ) AS shares
    FROM by_category WHERE category <> '' AND money > 0 GROUP BY customer_id
),
item_shares AS (
    SELECT customer_id, {object_of}(
        product_id, ((money * 20000 + of_money) / (2 * of_money)) / 10000.0
    ) AS shares
    FROM by_product WHERE place <= {top_items} AND money > 0 GROUP BY customer_id
)
INSERT INTO profiles_customertraits (
    customer_id, as_of, recency_days, tenure_days, n_orders, n_items, n_units,
    revenue_minor, average_order_minor, average_item_minor, order_gap_days,
    top_hour, top_weekday,
    night_share, morning_share, afternoon_share, evening_share, weekend_share,
    discount_share, refund_share, top_category, category_shares, item_shares
)
SELECT o.customer_id, %s, (%s - o.last_at) / 86400, (%s - o.first_at) / 86400, o.n,
    COALESCE(l.n_items, 0), COALESCE(l.n_units, 0),
    o.gross - COALESCE(r.refunded, 0), (o.gross - COALESCE(r.refunded, 0)) / o.n,
    CASE WHEN l.n_units > 0 THEN l.money / l.n_units ELSE 0 END,
    CASE WHEN o.n > 1
        THEN CAST(o.last_at - o.first_at AS double precision) / 86400 / (o.n - 1) END,
    h.hour, w.weekday,
    o.night / o.n, o.morning / o.n, o.afternoon / o.n, o.evening / o.n, o.weekend / o.n,
    COALESCE(l.discounted, 0),
    CASE WHEN o.gross > 0
        THEN CAST(COALESCE(r.refunded, 0) AS double precision) / o.gross ELSE 0 END,
    COALESCE(c.category, ''), COALESCE(cs.shares, '{{}}'), COALESCE(s.shares, '{{}}')
FROM by_order o
LEFT JOIN by_hour h ON h.customer_id = o.customer_id AND h.place = 1
LEFT JOIN by_weekday w ON w.customer_id = o.customer_id AND w.place = 1
LEFT JOIN by_line l ON l.customer_id = o.customer_id
LEFT JOIN by_refund r ON r.customer_id = o.customer_id
LEFT JOIN by_category c ON c.customer_id = o.customer_id AND c.place = 1
LEFT JOIN category_shares cs ON cs.customer_id = o.customer_id
LEFT JOIN item_shares s ON s.customer_id = o.customer_id
WHERE TRUE
ON CONFLICT (customer_id) DO UPDATE SET
    as_of = excluded.as_of, recency_days = excluded.recency_days,
    tenure_days = excluded.tenure_days, n_orders = excluded.n_orders,
    n_items = excluded.n_items, n_units = excluded.n_units,
    revenue_minor = excluded.revenue_minor,
    average_order_minor = excluded.average_order_minor,
    average_item_minor = excluded.average_item_minor,
    order_gap_days = excluded.order_gap_days,
    top_hour = excluded.top_hour, top_weekday = excluded.top_weekday,
    night_share = excluded.night_share, morning_share = excluded.morning_share,
    afternoon_share = excluded.afternoon_share, evening_share = excluded.evening_share,
    weekend_share = excluded.weekend_share, discount_share = excluded.discount_share,
    refund_share = excluded.refund_share, top_category = excluded.top_category,
    category_shares = excluded.category_shares, item_shares = excluded.item_shares
"""
