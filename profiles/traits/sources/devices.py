"""Owned devices, and the traits made of them: how many, the next warranty to end, an upgrade due.

A device is a line of an order, less what was given back of it before `as_of`, of a product that
the catalogue knows as a device.
"""

from __future__ import annotations

from profiles.traits.sources.dialect import IN_SCOPE, REAL, Dialect, Source

CATEGORY = "COALESCE(NULLIF(l.category, ''), f.category)"
SOLD = f"{REAL} AND o.status <> 'cancelled'"
BOUGHT = """
FROM profiles_order o JOIN profiles_orderline l ON l.order_id = o.id
JOIN profiles_productfact f ON f.product_id = l.product_id AND f.is_device
"""
# Those of the customers in scope, and those others had of what is theirs by now.
GONE = f"""
DELETE FROM profiles_owneddevice WHERE {IN_SCOPE} OR line_id IN (
    SELECT l.id FROM profiles_orderline l JOIN profiles_order o ON o.id = l.order_id
    WHERE o.{IN_SCOPE}
)
"""  # nosec B608


def own(sql: Dialect) -> str:
    """Return the statement that writes the devices of the customers in scope."""
    return f"""
        WITH returned AS (
            SELECT r.line_id, SUM(r.quantity) AS n FROM profiles_refund r
            WHERE r.refunded_at < %(as_of)s AND r.line_id IN (
                SELECT l.id FROM profiles_orderline l JOIN profiles_order o ON o.id = l.order_id
                WHERE o.{IN_SCOPE}
            ) GROUP BY r.line_id
        )
        INSERT INTO profiles_owneddevice (
            customer_id, line_id, product_id, title, category, brand, quantity, bought_at,
            warranty_ends_at
        )
        SELECT o.customer_id, l.id, l.product_id, COALESCE(NULLIF(l.title, ''), f.title),
            {CATEGORY}, f.brand, l.quantity - COALESCE(returned.n, 0), o.placed_at,
            CASE WHEN f.warranty_months IS NOT NULL
                THEN {sql.months_later("o.placed_at", "f.warranty_months")} END
        {BOUGHT} LEFT JOIN returned ON returned.line_id = l.id
        WHERE o.{IN_SCOPE} AND o.placed_at < %(as_of)s AND o.{SOLD}
            AND l.quantity > COALESCE(returned.n, 0)
    """  # nosec B608


def replacements(sql: Dialect) -> str:
    """Return a select of (category, median days until a device is replaced, how many were).

    A replacement is the next device of the category that the same customer buys, once
    `%(apart)s` days have passed: what is bought sooner stands beside the first.
    """
    return f"""
        WITH bought AS (
            SELECT o.customer_id, {CATEGORY} AS category, {sql.seconds("o.placed_at")} AS at
            {BOUGHT} WHERE o.customer_id IS NOT NULL AND o.placed_at < %(as_of)s
                AND o.{SOLD}
        ),
        gaps AS (
            SELECT category, (
                at - LAG(at) OVER (PARTITION BY customer_id, category ORDER BY at)
            ) / 86400 AS days FROM bought
        ),
        ranked AS (
            SELECT category, days, COUNT(*) OVER (PARTITION BY category) AS n,
                ROW_NUMBER() OVER (PARTITION BY category ORDER BY days) AS place
            FROM gaps WHERE days >= %(apart)s AND category <> ''
        )
        SELECT category, days, n FROM ranked WHERE place = (n + 1) / 2
    """  # nosec B608


def source(sql: Dialect) -> Source:
    ends = sql.seconds("warranty_ends_at")
    warranties = f"""
        SELECT customer_id, MIN({ends}) AS at FROM profiles_owneddevice
        WHERE {IN_SCOPE} AND warranty_ends_at >= %(as_of)s GROUP BY customer_id
    """  # nosec B608
    ctes = {
        "owned": f"""
            SELECT customer_id, SUM(quantity) AS n FROM profiles_owneddevice
            WHERE {IN_SCOPE} GROUP BY customer_id
        """,  # nosec B608
        "warranties": warranties,
        "newest": f"""
            SELECT customer_id, category, MAX({sql.seconds("bought_at")}) AS at
            FROM profiles_owneddevice WHERE {IN_SCOPE} GROUP BY customer_id, category
        """,  # nosec B608
        "upgrades": """
            SELECT newest.customer_id, MIN(newest.at + n.replaced_days * 86400) AS at
            FROM newest JOIN profiles_categorynorm n ON n.category = newest.category
            WHERE n.replaced_days IS NOT NULL GROUP BY newest.customer_id
        """,
    }
    columns = {
        "n_devices": "COALESCE(owned.n, 0)",
        "next_warranty_end_at": sql.moment("warranties.at"),
        "upgrade_due_at": sql.moment("upgrades.at"),
    }
    joins = "".join(
        f" LEFT JOIN {name} ON {name}.customer_id = p.customer_id"
        for name in ("owned", "warranties", "upgrades")
    )
    due = ("SELECT customer_id, at FROM warranties",)
    return Source(ctes, joins, columns, due)
