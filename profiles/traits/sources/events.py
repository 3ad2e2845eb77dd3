"""Traits of events: visits to the shop or app, and answers to campaign e-mails."""

from __future__ import annotations

from profiles.event_store import EVENTS
from profiles.features.vocabulary import EVENT_DAYS
from profiles.traits.sources.dialect import (
    COUNTED,
    Dialect,
    Source,
    most_counted,
    most_frequent_text,
    tally,
)

SESSION_SECONDS = 1_800
HOURS, WEEKDAYS = 24, 7
VIEWED = "Product Viewed"
OPENED, CLICKED = "Email Opened", "Email Clicked"
ANSWERS = f"('{OPENED}', '{CLICKED}')"
NO_VISITS = f"('{OPENED}', '{CLICKED}', 'SMS Clicked', 'Push Clicked')"
DEVICES = ("desktop", "mobile", "tablet")
# Its place in DEVICES, in the order they are tried: a tablet says that it is mobile too.
DEVICE = """
CASE WHEN agent = ' ' THEN NULL
    WHEN agent LIKE '%%ipad%%' OR agent LIKE '%%tablet%%' THEN 2
    WHEN agent LIKE '%%mobi%%' OR agent LIKE '%%iphone%%' OR agent LIKE '%%android%%'
        OR agent LIKE 'ios %%' THEN 1
    ELSE 0 END
"""


def source(sql: Dialect) -> Source:
    return Source(_ctes(sql), JOINS, _columns(sql), _due(sql))


def _ctes(sql: Dialect) -> dict[str, str]:
    lower = f"lower({{}} COLLATE {sql.bytewise})"  # words of programs are ASCII
    agent = (
        f"COALESCE({lower.format(sql.text('context', 'device', 'type'))}, '') || ' '"
        f" || COALESCE({lower.format(sql.text('context', 'userAgent'))}, '')"
    )
    hour, weekday, day = sql.clock("local")
    return {
        "seen": f"""
            SELECT id, customer_id, name, {sql.seconds("happened_at")} AS at,
                {sql.local("happened_at")} AS local, {agent} AS agent,
                CASE WHEN name = '{VIEWED}' THEN {sql.text("properties", "category")} END
                    AS category,
                CASE WHEN name IN {ANSWERS} THEN {sql.text("properties", "campaign")} END
                    AS campaign,
                {sql.text("context", "campaign", "source")} AS channel
            FROM {EVENTS.relation} WHERE {COUNTED}{sql.in_range}
                AND happened_at >= %(event_days)s AND happened_at < %(as_of)s
        """,  # nosec B608
        "visits": f"""
            SELECT customer_id, name, {hour} AS hour, {weekday} AS weekday, {DEVICE} AS device,
                category, channel, at - LAG(at) OVER past AS gap,
                CASE WHEN {day} = LAG({day}) OVER past THEN 0 ELSE 1 END AS is_new_day
            FROM seen WHERE name NOT IN {NO_VISITS}
            WINDOW past AS (PARTITION BY customer_id ORDER BY at, id)
        """,  # nosec B608
        "ever_seen": f"""
            SELECT customer_id,
                MAX(CASE WHEN name NOT IN {NO_VISITS} THEN happened_at END) AS visited_at,
                MAX(CASE WHEN name IN {ANSWERS} THEN happened_at END) AS answered_at
            FROM {EVENTS.relation} WHERE {COUNTED}{sql.in_range} AND happened_at < %(as_of)s
            GROUP BY customer_id
        """,  # nosec B608
        "by_visit": f"""
            SELECT customer_id, COUNT(*) AS n, SUM(is_new_day) AS n_days,
                COUNT(*) FILTER (WHERE gap IS NULL OR gap > {SESSION_SECONDS}) AS n_sessions,
                COUNT(*) FILTER (WHERE name = '{VIEWED}') AS n_views,
                COUNT(*) FILTER (WHERE name = 'Products Searched') AS n_searches,
                COUNT(*) FILTER (WHERE name = 'Product Added') AS n_adds, COUNT(device) AS n_devices,
                {tally("hour", HOURS)}, {tally("weekday", WEEKDAYS)}, {tally("device", len(DEVICES))}
            FROM visits GROUP BY customer_id
        """,  # nosec B608
        "by_viewed": most_frequent_text(sql, "visits", "category", known="category <> ''"),
        "by_channel": most_frequent_text(sql, "visits", "channel", known="channel <> ''"),
        "by_answer": f"""
            SELECT customer_id,
                SUM(CASE WHEN name = '{OPENED}' THEN 1 ELSE 0 END) AS n_opens,
                SUM(CASE WHEN name = '{CLICKED}' THEN 1 ELSE 0 END) AS n_clicks,
                COUNT(DISTINCT campaign) AS n_answered,
                COUNT(DISTINCT CASE WHEN name = '{CLICKED}' THEN campaign END) AS n_clicked
            FROM seen WHERE name IN {ANSWERS} GROUP BY customer_id
        """,  # nosec B608
    }  # fmt: skip


JOINS = """
LEFT JOIN ever_seen es ON es.customer_id = p.customer_id
LEFT JOIN by_visit v ON v.customer_id = p.customer_id
LEFT JOIN by_viewed vc ON vc.customer_id = p.customer_id
LEFT JOIN by_channel ch ON ch.customer_id = p.customer_id
LEFT JOIN by_answer a ON a.customer_id = p.customer_id
"""


def _columns(sql: Dialect) -> dict[str, str]:
    device = most_counted(sql, "v.device", len(DEVICES))
    names = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(DEVICES))
    return {
        "last_seen_at": "es.visited_at",
        "last_answer_at": "es.answered_at",
        "n_sessions": "COALESCE(v.n_sessions, 0)",
        "n_active_days": "COALESCE(v.n_days, 0)",
        "n_views": "COALESCE(v.n_views, 0)",
        "n_searches": "COALESCE(v.n_searches, 0)",
        "n_cart_adds": "COALESCE(v.n_adds, 0)",
        "viewed_category": "COALESCE(vc.value, '')",
        "visit_hour": most_counted(sql, "v.hour", HOURS),
        "visit_weekday": most_counted(sql, "v.weekday", WEEKDAYS),
        "weekend_visit_share": "CAST(v.weekday_5 + v.weekday_6 AS double precision) / v.n",
        "top_device": f"CASE WHEN v.n_devices > 0 THEN CASE {device} {names} END ELSE '' END",
        "mobile_share": "CAST(v.device_1 AS double precision) / NULLIF(v.n_devices, 0)",
        "top_channel": "COALESCE(ch.value, '')",
        "n_email_opens": "COALESCE(a.n_opens, 0)",
        "n_email_clicks": "COALESCE(a.n_clicks, 0)",
        "email_click_share": "CAST(a.n_clicked AS double precision) / NULLIF(a.n_answered, 0)",
    }


def _due(sql: Dialect) -> tuple[str, ...]:
    return (
        f"SELECT customer_id, MIN(at) + {EVENT_DAYS * 86_400} FROM seen GROUP BY customer_id",  # nosec B608
        f"""
        SELECT customer_id, MIN({sql.seconds("happened_at")}) FROM {EVENTS.relation}
        WHERE {COUNTED}{sql.in_range} AND happened_at >= %(as_of)s GROUP BY customer_id
        """,  # nosec B608
    )
