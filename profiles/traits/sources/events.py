"""Traits of events: visits to the shop or app, and answers to campaign e-mails."""

from __future__ import annotations

from profiles.event_store import EVENTS
from profiles.features.vocabulary import EVENT_DAYS
from profiles.traits.sources.dialect import COUNTED, Dialect, Source, most_frequent

SESSION_SECONDS = 1_800
OPENED, CLICKED = "Email Opened", "Email Clicked"
ANSWERS = f"('{OPENED}', '{CLICKED}')"
# In the order they are tried: a tablet says that it is mobile too.
DEVICES = """
CASE WHEN agent = ' ' THEN ''
    WHEN agent LIKE '%%ipad%%' OR agent LIKE '%%tablet%%' THEN 'tablet'
    WHEN agent LIKE '%%mobi%%' OR agent LIKE '%%iphone%%' OR agent LIKE '%%android%%'
        OR agent LIKE 'ios %%' THEN 'mobile'
    ELSE 'desktop' END
"""


def source(sql: Dialect) -> Source:
    return Source(_ctes(sql), JOINS, COLUMNS, _due(sql))


def _ctes(sql: Dialect) -> dict[str, str]:
    agent = (
        f"COALESCE(lower({sql.text('context', 'device', 'type')}), '') || ' '"
        f" || COALESCE(lower({sql.text('context', 'userAgent')}), '')"
    )
    return {
        "seen": f"""
            SELECT id, customer_id, name, {sql.seconds("happened_at")} AS at,
                {sql.hour("happened_at")} AS hour, {sql.weekday("happened_at")} AS weekday,
                {sql.day("happened_at")} AS day, {agent} AS agent,
                {sql.text("properties", "category")} AS category,
                {sql.text("properties", "campaign")} AS campaign,
                {sql.text("context", "campaign", "source")} AS channel
            FROM {EVENTS.relation} WHERE {COUNTED}
                AND happened_at >= %(event_days)s AND happened_at < %(as_of)s
        """,  # nosec B608
        "visits": f"""
            SELECT *, {DEVICES} AS device,
                at - LAG(at) OVER (PARTITION BY customer_id ORDER BY at, id) AS gap
            FROM seen WHERE name NOT IN {ANSWERS}
        """,  # nosec B608
        "ever_seen": f"""
            SELECT customer_id,
                MAX(CASE WHEN name NOT IN {ANSWERS} THEN happened_at END) AS visited_at,
                MAX(CASE WHEN name IN {ANSWERS} THEN happened_at END) AS answered_at
            FROM {EVENTS.relation} WHERE {COUNTED} AND happened_at < %(as_of)s
            GROUP BY customer_id
        """,  # nosec B608
        "by_visit": f"""
            SELECT customer_id, COUNT(*) AS n, COUNT(DISTINCT day) AS n_days,
                SUM(CASE WHEN gap IS NULL OR gap > {SESSION_SECONDS} THEN 1 ELSE 0 END)
                    AS n_sessions,
                SUM(CASE WHEN name = 'Product Viewed' THEN 1 ELSE 0 END) AS n_views,
                SUM(CASE WHEN name = 'Products Searched' THEN 1 ELSE 0 END) AS n_searches,
                SUM(CASE WHEN name = 'Product Added' THEN 1 ELSE 0 END) AS n_adds,
                SUM(CASE WHEN weekday > 4 THEN 1.0 ELSE 0.0 END) AS weekend,
                SUM(CASE WHEN device = 'mobile' THEN 1.0 ELSE 0.0 END) AS mobile,
                SUM(CASE WHEN device <> '' THEN 1 ELSE 0 END) AS n_devices
            FROM visits GROUP BY customer_id
        """,  # nosec B608
        "by_viewed": most_frequent(
            "visits", _bytewise(sql, "category"), known="category <> '' AND name = 'Product Viewed'"
        ),
        "by_visit_hour": most_frequent("visits", "hour"),
        "by_visit_weekday": most_frequent("visits", "weekday"),
        "by_device": most_frequent("visits", "device", known="device <> ''"),
        "by_channel": most_frequent("visits", _bytewise(sql, "channel"), known="channel <> ''"),
        "by_answer": f"""
            SELECT customer_id,
                SUM(CASE WHEN name = '{OPENED}' THEN 1 ELSE 0 END) AS n_opens,
                SUM(CASE WHEN name = '{CLICKED}' THEN 1 ELSE 0 END) AS n_clicks,
                COUNT(DISTINCT campaign) AS n_answered,
                COUNT(DISTINCT CASE WHEN name = '{CLICKED}' THEN campaign END) AS n_clicked
            FROM seen WHERE name IN {ANSWERS} GROUP BY customer_id
        """,  # nosec B608
    }  # fmt: skip


def _bytewise(sql: Dialect, column: str) -> str:
    """The order of texts decides a tie, and databases sort texts in their own ways."""
    return f"{column} COLLATE {sql.bytewise}"


JOINS = """
LEFT JOIN ever_seen es ON es.customer_id = p.customer_id
LEFT JOIN by_visit v ON v.customer_id = p.customer_id
LEFT JOIN by_viewed vc ON vc.customer_id = p.customer_id AND vc.place = 1
LEFT JOIN by_visit_hour vh ON vh.customer_id = p.customer_id AND vh.place = 1
LEFT JOIN by_visit_weekday vw ON vw.customer_id = p.customer_id AND vw.place = 1
LEFT JOIN by_device d ON d.customer_id = p.customer_id AND d.place = 1
LEFT JOIN by_channel ch ON ch.customer_id = p.customer_id AND ch.place = 1
LEFT JOIN by_answer a ON a.customer_id = p.customer_id
"""
COLUMNS = {
    "last_seen_at": "es.visited_at",
    "last_answer_at": "es.answered_at",
    "n_sessions": "COALESCE(v.n_sessions, 0)",
    "n_active_days": "COALESCE(v.n_days, 0)",
    "n_views": "COALESCE(v.n_views, 0)",
    "n_searches": "COALESCE(v.n_searches, 0)",
    "n_cart_adds": "COALESCE(v.n_adds, 0)",
    "viewed_category": "COALESCE(vc.value, '')",
    "visit_hour": "vh.value",
    "visit_weekday": "vw.value",
    "weekend_visit_share": "v.weekend / v.n",
    "top_device": "COALESCE(d.value, '')",
    "mobile_share": "v.mobile / NULLIF(v.n_devices, 0)",
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
        WHERE {COUNTED} AND happened_at >= %(as_of)s GROUP BY customer_id
        """,  # nosec B608
    )
