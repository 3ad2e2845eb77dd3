"""Traits of orders. Only what happened before `as_of` counts, refunds included.

`Order.refunded_minor` may hold later refunds, so they are summed from their own dated rows.
Orders in another currency count at the rate of their day, and not at all without one.
Shares inside the objects are rounded by integer arithmetic, half up to 1/10,000, so that both
databases store the same digits. Every join is a LEFT JOIN from the scope, which keeps SQLite
from multiplying the parts first.
"""

from __future__ import annotations

from profiles.features.vocabulary import YEAR_DAYS
from profiles.traits.sources.dialect import (
    COUNTED,
    FACTOR,
    IN_SCOPE,
    Dialect,
    Source,
    most_frequent,
)

TOP_ITEMS = 10
SOLD = f"{COUNTED} AND status <> 'cancelled'"


def source(sql: Dialect) -> Source:
    ctes = {**_by_order(sql), **_by_line(sql), **_by_thing(sql), **_shares(sql)}
    return Source(ctes, JOINS, _columns(sql), _due(sql))


def _by_order(sql: Dialect) -> dict[str, str]:
    factor = FACTOR.format(order="t", day=sql.day("t.placed_at"))
    return {
        "orders": f"""
            SELECT id, customer_id, placed_at, {sql.seconds("placed_at")} AS placed,
                {sql.hour("placed_at")} AS hour, {sql.weekday("placed_at")} AS weekday,
                {sql.converted("total_minor")} AS total,
                {sql.converted("discount_minor")} AS discount, coupon, factor
            FROM (
                SELECT t.*, {factor} AS factor FROM profiles_order t
                WHERE {SOLD}{sql.in_range} AND placed_at < %(as_of)s
            ) AS counted WHERE factor IS NOT NULL
        """,  # nosec B608
        "lines": f"""
            SELECT o.customer_id, o.id AS order_id, l.id, l.product_id, l.category, l.quantity,
                {sql.converted("l.total_minor")} AS total,
                {sql.converted("l.discount_minor")} AS discount, o.discount AS on_order, factor
            FROM orders o JOIN profiles_orderline l ON l.order_id = o.id
        """,  # nosec B608
        "by_order": """
            SELECT customer_id, COUNT(*) AS n, MIN(placed) AS first_s, MAX(placed) AS last_s,
                MIN(placed_at) AS first_at, MAX(placed_at) AS last_at,
                CAST(SUM(total) AS bigint) AS gross, MAX(total) AS largest,
                CAST(SUM(discount) AS bigint) AS discount,
                SUM(CASE WHEN coupon <> '' THEN 1.0 ELSE 0.0 END) AS coupons,
                SUM(CASE WHEN placed_at >= %(year)s THEN 1 ELSE 0 END) AS n_year,
                CAST(SUM(CASE WHEN placed_at >= %(year)s THEN total ELSE 0 END) AS bigint)
                    AS spent_year,
                SUM(CASE WHEN hour < 6 THEN 1.0 ELSE 0.0 END) AS night,
                SUM(CASE WHEN hour BETWEEN 6 AND 11 THEN 1.0 ELSE 0.0 END) AS morning,
                SUM(CASE WHEN hour BETWEEN 12 AND 17 THEN 1.0 ELSE 0.0 END) AS afternoon,
                SUM(CASE WHEN hour > 17 THEN 1.0 ELSE 0.0 END) AS evening,
                SUM(CASE WHEN weekday > 4 THEN 1.0 ELSE 0.0 END) AS weekend
            FROM orders GROUP BY customer_id
        """,
        "by_hour": most_frequent("orders", "hour"),
        "by_weekday": most_frequent("orders", "weekday"),
    }  # fmt: skip


def _by_line(sql: Dialect) -> dict[str, str]:
    return {
        "by_line": """
        SELECT l.customer_id, COUNT(DISTINCT l.product_id) AS n_items,
            CAST(SUM(l.quantity) AS bigint) AS n_units, CAST(SUM(l.total) AS bigint) AS money,
            CAST(SUM(l.discount) AS bigint) AS discount,
            SUM(CASE WHEN l.discount + l.on_order > 0 THEN 1.0 ELSE 0.0 END) / COUNT(*)
                AS discounted,
            SUM(CASE WHEN n.price_minor > 0 THEN l.total END) AS paid,
            SUM(CASE WHEN n.price_minor > 0 THEN l.quantity * n.price_minor END) AS usual
        FROM lines l LEFT JOIN profiles_categorynorm n ON n.category = l.category
        GROUP BY l.customer_id
    """,
        "by_refund": f"""
        SELECT l.customer_id,
            CAST(SUM({sql.converted("r.amount_minor", "l.factor")}) AS bigint) AS refunded,
            COUNT(DISTINCT l.order_id) AS n_orders
        FROM profiles_refund r JOIN lines l ON l.id = r.line_id
        WHERE r.refunded_at < %(as_of)s GROUP BY l.customer_id
    """,  # nosec B608
    }


def _by_thing(sql: Dialect) -> dict[str, str]:
    return {
        "by_category": f"""
            SELECT customer_id, category, CAST(SUM(total) AS bigint) AS money,
                CAST(SUM(SUM(total)) OVER (PARTITION BY customer_id) AS bigint) AS of_money,
                SUM(CASE WHEN category = '' THEN 0 ELSE 1 END)
                    OVER (PARTITION BY customer_id) AS n,
                ROW_NUMBER() OVER (
                    PARTITION BY customer_id
                    ORDER BY CASE WHEN category = '' THEN 1 ELSE 0 END, SUM(total) DESC,
                        category COLLATE {sql.bytewise}
                ) AS place
            FROM lines GROUP BY customer_id, category
        """,  # nosec B608
        "by_product": f"""
            SELECT customer_id, product_id, CAST(SUM(total) AS bigint) AS money,
                CAST(SUM(SUM(total)) OVER (PARTITION BY customer_id) AS bigint) AS of_money,
                ROW_NUMBER() OVER (
                    PARTITION BY customer_id
                    ORDER BY SUM(total) DESC, product_id COLLATE {sql.bytewise}
                ) AS place
            FROM lines GROUP BY customer_id, product_id
        """,  # nosec B608
        "by_brand": f"""
            SELECT l.customer_id, f.brand, CAST(SUM(l.total) AS bigint) AS money,
                ROW_NUMBER() OVER (
                    PARTITION BY l.customer_id
                    ORDER BY SUM(l.total) DESC, f.brand COLLATE {sql.bytewise}
                ) AS place
            FROM lines l JOIN profiles_productfact f ON f.product_id = l.product_id
            WHERE f.brand <> '' GROUP BY l.customer_id, f.brand
        """,  # nosec B608
    }  # fmt: skip


def _shares(sql: Dialect) -> dict[str, str]:
    return {
        "category_shares": f"""
            SELECT customer_id, {sql.object_of}(
                category, ((money * 20000 + of_money) / (2 * of_money)) / 10000.0
            ) AS shares
            FROM by_category WHERE category <> '' AND money > 0 GROUP BY customer_id
        """,  # nosec B608
        "item_shares": f"""
            SELECT customer_id, {sql.object_of}(
                product_id, ((money * 20000 + of_money) / (2 * of_money)) / 10000.0
            ) AS shares
            FROM by_product WHERE place <= {TOP_ITEMS} AND money > 0 GROUP BY customer_id
        """,  # nosec B608
    }  # fmt: skip


JOINS = """
LEFT JOIN by_order o ON o.customer_id = p.customer_id
LEFT JOIN by_hour h ON h.customer_id = p.customer_id AND h.place = 1
LEFT JOIN by_weekday w ON w.customer_id = p.customer_id AND w.place = 1
LEFT JOIN by_line l ON l.customer_id = p.customer_id
LEFT JOIN by_refund r ON r.customer_id = p.customer_id
LEFT JOIN by_category c ON c.customer_id = p.customer_id AND c.place = 1
LEFT JOIN by_brand b ON b.customer_id = p.customer_id AND b.place = 1
LEFT JOIN category_shares cs ON cs.customer_id = p.customer_id
LEFT JOIN item_shares s ON s.customer_id = p.customer_id
"""
NET = "(o.gross - COALESCE(r.refunded, 0))"


def _share(part: str, whole: str) -> str:
    return f"CAST({part} AS double precision) / NULLIF({whole}, 0)"


def _columns(sql: Dialect) -> dict[str, str]:
    # An order's discount includes those of its lines, unless its source told lines only.
    off = "CASE WHEN o.discount > l.discount THEN o.discount ELSE COALESCE(l.discount, 0) END"
    return {
        "first_order_at": "o.first_at",
        "last_order_at": "o.last_at",
        "next_order_at": "CASE WHEN o.n > 1 THEN "
        + sql.moment("o.last_s + (o.last_s - o.first_s) / (o.n - 1)")
        + " END",
        "n_orders": "COALESCE(o.n, 0)",
        "n_items": "COALESCE(l.n_items, 0)",
        "n_units": "COALESCE(l.n_units, 0)",
        "revenue_minor": f"COALESCE({NET}, 0)",
        "average_order_minor": f"{NET} / o.n",
        "average_item_minor": "CASE WHEN o.n > 0 THEN COALESCE(l.money / NULLIF(l.n_units, 0), 0) END",
        "order_gap_days": "CASE WHEN o.n > 1 THEN"
        " CAST(o.last_s - o.first_s AS double precision) / 86400 / (o.n - 1) END",
        "top_hour": "h.value",
        "top_weekday": "w.value",
        **{
            f"{part}_share": f"o.{part} / o.n"
            for part in ("night", "morning", "afternoon", "evening", "weekend")
        },
        "discount_share": "CASE WHEN o.n > 0 THEN COALESCE(l.discounted, 0) END",
        "refund_share": "CASE WHEN o.gross > 0 THEN "
        + _share("COALESCE(r.refunded, 0)", "o.gross")
        + " WHEN o.n > 0 THEN 0 END",
        "top_category": "COALESCE(c.category, '')",
        "n_orders_year": "COALESCE(o.n_year, 0)",
        "spent_year_minor": "COALESCE(o.spent_year, 0)",
        "largest_order_minor": "o.largest",
        "coupon_share": "o.coupons / o.n",
        "discount_depth": _share(off, f"(o.gross + {off})"),
        "refunded_order_share": "CASE WHEN o.n > 0 THEN "
        + _share("COALESCE(r.n_orders, 0)", "o.n")
        + " END",
        "n_categories": "COALESCE(c.n, 0)",
        "top_category_share": "CASE WHEN c.category <> '' THEN "
        + _share("c.money", "c.of_money")
        + " END",
        "top_brand": "COALESCE(b.brand, '')",
        "top_brand_share": _share("b.money", "l.money"),
        "price_level": _share("l.paid", "l.usual"),
        "category_shares": "COALESCE(cs.shares, '{}')",
        "item_shares": "COALESCE(s.shares, '{}')",
    }


def _due(sql: Dialect) -> tuple[str, ...]:
    year = YEAR_DAYS * 86_400
    return (
        f"""
        SELECT customer_id, MIN(placed) + {year} FROM orders
        WHERE placed_at >= %(year)s GROUP BY customer_id
        """,  # nosec B608
        f"""
        SELECT customer_id, MIN({sql.seconds("placed_at")}) FROM profiles_order
        WHERE {SOLD}{sql.in_range} AND placed_at >= %(as_of)s GROUP BY customer_id
        """,  # nosec B608
        f"""
        SELECT o.customer_id, MIN({sql.seconds("r.refunded_at")}) FROM profiles_refund r
        JOIN profiles_orderline l ON l.id = r.line_id JOIN profiles_order o ON o.id = l.order_id
        WHERE o.{IN_SCOPE} AND r.refunded_at >= %(as_of)s GROUP BY o.customer_id
        """,  # nosec B608
    )
