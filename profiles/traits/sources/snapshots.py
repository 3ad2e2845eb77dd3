"""What was known of customers at a moment, and what they did after it: one statement.

Facts are of before `%(at)s`, outcomes of from then until `%(until)s`; the rest as in traits.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from profiles.event_store import EVENTS
from profiles.scores.features import FACTS, OUTCOMES
from profiles.traits.sources.dialect import COUNTED, DIALECTS, FACTOR, Dialect
from profiles.traits.sources.events import ANSWERS

DAYS_BACK: Final = (30, 90, 180, 365)


@cache
def statement(vendor: str) -> str:
    """Return the one statement that reads a snapshot of the customers in `profiles_scope`."""
    sql = DIALECTS[vendor]
    columns = _columns(sql)
    wanted = ", ".join(f"CAST({columns[name]} AS bigint)" for name in (*FACTS, *OUTCOMES))
    return f"""
        WITH {_orders(sql)}, {_rest(sql)}
        SELECT o.customer_id, {wanted} FROM by_order o
        LEFT JOIN by_line l ON l.customer_id = o.customer_id
        LEFT JOIN by_refund r ON r.customer_id = o.customer_id
        LEFT JOIN by_visit v ON v.customer_id = o.customer_id
        JOIN profiles_customer c ON c.id = o.customer_id
        WHERE o.n_orders > 0 ORDER BY c.external_id COLLATE {sql.bytewise}
    """  # nosec B608


def _orders(sql: Dialect) -> str:
    factor = FACTOR.format(order="t", day=sql.day("t.placed_at"))
    before = "placed_at < %(at)s"

    def counted(name: str, value: str, when: str) -> str:
        return f"SUM(CASE WHEN {when} THEN {value} ELSE 0 END) AS {name}"

    windows = [
        counted(f"n_orders_{days}", "1", f"{before} AND placed_at >= %(back_{days})s")
        for days in DAYS_BACK
    ] + [
        counted(f"spent_{days}", "total", f"{before} AND placed_at >= %(back_{days})s")
        for days in (90, 365)
    ]
    return f"""
        orders AS MATERIALIZED (
            SELECT id, customer_id, placed_at, {sql.seconds("placed_at")} AS placed,
                {sql.converted("total_minor")} AS total,
                {sql.converted("discount_minor")} AS discount, coupon, factor
            FROM (
                SELECT t.*, {factor} AS factor FROM profiles_order t
                WHERE {COUNTED} AND status <> 'cancelled' AND placed_at < %(until)s
            ) AS known WHERE factor IS NOT NULL
        ),
        by_order AS MATERIALIZED (
            SELECT customer_id, {counted("n_orders", "1", before)},
                MIN(CASE WHEN {before} THEN placed END) AS first_s,
                MAX(CASE WHEN {before} THEN placed END) AS last_s,
                {counted("spent", "total", before)}, {counted("discount", "discount", before)},
                MAX(CASE WHEN {before} THEN total ELSE 0 END) AS largest,
                {counted("n_coupons", "1", f"{before} AND coupon <> ''")},
                {", ".join(windows)},
                {counted("n_after", "1", "placed_at >= %(at)s")},
                {counted("spent_after", "total", "placed_at >= %(at)s")}
            FROM orders GROUP BY customer_id
        )
    """  # nosec B608


def _rest(sql: Dialect) -> str:
    amount = sql.converted("f.amount_minor", "o.factor")
    return f"""
        by_line AS MATERIALIZED (
            SELECT o.customer_id, COUNT(DISTINCT l.product_id) AS n_items,
                COUNT(DISTINCT NULLIF(l.category, '')) AS n_categories
            FROM orders o JOIN profiles_orderline l ON l.order_id = o.id
            WHERE o.placed_at < %(at)s GROUP BY o.customer_id
        ),
        by_refund AS MATERIALIZED (
            SELECT o.customer_id,
                SUM(CASE WHEN f.refunded_at < %(at)s THEN {amount} ELSE 0 END) AS refunded,
                SUM(CASE WHEN o.placed_at >= %(at)s THEN {amount} ELSE 0 END) AS refunded_after
            FROM profiles_refund f JOIN profiles_orderline l ON l.id = f.line_id
            JOIN orders o ON o.id = l.order_id
            WHERE f.refunded_at < %(until)s GROUP BY o.customer_id
        ),
        by_visit AS MATERIALIZED (
            SELECT customer_id, MAX({sql.seconds("happened_at")}) AS last_s,
                COUNT(DISTINCT CASE WHEN happened_at >= %(back_30)s
                    THEN {sql.day("happened_at")} END) AS n_30,
                COUNT(DISTINCT {sql.day("happened_at")}) AS n_90
            FROM {EVENTS.relation} WHERE {COUNTED} AND name NOT IN {ANSWERS}
                AND happened_at >= %(back_90)s AND happened_at < %(at)s GROUP BY customer_id
        )
    """  # nosec B608


def _columns(sql: Dialect) -> dict[str, str]:
    now = sql.seconds("%(at)s")
    return {
        "recency_days": f"({now} - o.last_s) / 86400",
        "tenure_days": f"({now} - o.first_s) / 86400",
        **{f"n_orders{window}": f"o.n_orders{window}" for window in ("", "_30", "_90", "_180", "_365")},
        **{f"spent{window}": f"o.spent{window}" for window in ("", "_90", "_365")},
        "largest": "o.largest",
        "refunded": "COALESCE(r.refunded, 0)",
        "discount": "o.discount",
        "n_coupons": "o.n_coupons",
        "n_items": "COALESCE(l.n_items, 0)",
        "n_categories": "COALESCE(l.n_categories, 0)",
        "n_visit_days_30": "COALESCE(v.n_30, 0)",
        "n_visit_days_90": "COALESCE(v.n_90, 0)",
        "visit_ago_days": f"COALESCE(({now} - v.last_s) / 86400, 365)",
        "n_orders_after": "o.n_after",
        "spent_after": "o.spent_after - COALESCE(r.refunded_after, 0)",
    }  # fmt: skip
