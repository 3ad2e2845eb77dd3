"""The values of a shop's own trait, by one statement, for the customers in `profiles_scope`.

Only events that carry the property in the kind the trait has count: numbers for a number,
texts for a text. Sums are exact on PostgreSQL and rounded alike on both to six digits.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from profiles.event_store import EVENTS
from profiles.traits.sources.dialect import COUNTED, DIALECTS, Dialect

if TYPE_CHECKING:
    from profiles.models import CustomTrait

GONE = "DELETE FROM profiles_customtraitvalue WHERE customer_id IN (SELECT customer_id FROM profiles_scope)"
NUMBERS = {
    "count": "COUNT(*)",
    "distinct": "COUNT(DISTINCT value)",
    "sum": "ROUND(CAST(SUM(value) AS numeric), 6)",
    "avg": "ROUND(CAST(AVG(value) AS numeric), 6)",
}


def insert(vendor: str, trait: CustomTrait) -> str:
    """Return the statement that writes the values; parameters are `trait` and those of `select`."""
    return (
        "INSERT INTO profiles_customtraitvalue (trait_id, customer_id, number, text, due_at)"
        f" SELECT %(trait)s, customer_id, number, text, due_at FROM ({select(vendor, trait)}) AS made"  # nosec B608
    )


def select(vendor: str, trait: CustomTrait) -> str:
    """Return a select of (customer_id, number, text, due_at).

    Parameters: `event`, `as_of`, `start` (the window's), `seconds` (its length, NULL for none).
    """
    path = tuple(trait.property_path.split(".")) if trait.property_path else ()
    return _select(vendor, trait.aggregate, trait.kind, path)


# Statements of words of our own: a path is checked to be names when a trait is declared.
@cache
def _select(vendor: str, aggregate: str, kind: str, path: tuple[str, ...]) -> str:
    sql = DIALECTS[vendor]
    told = f"""
        SELECT id, customer_id, happened_at, {_value(sql, aggregate, kind, path)} AS value
        FROM {EVENTS.relation} WHERE {COUNTED} AND kind = 'track' AND name = %(event)s
            AND happened_at >= %(start)s AND happened_at < %(as_of)s
    """  # nosec B608
    due = sql.moment(f"MIN({sql.seconds('happened_at')}) + %(seconds)s + 1")
    if aggregate in NUMBERS:
        return f"""
            SELECT customer_id, {NUMBERS[aggregate]} AS number, '' AS text, {due} AS due_at
            FROM ({told}) AS told WHERE value IS NOT NULL GROUP BY customer_id
        """  # nosec B608
    order = "happened_at DESC, id DESC" if aggregate == "last" else "happened_at, id"
    columns = (
        "value AS number, '' AS text"
        if kind == "number"
        else "CAST(NULL AS double precision) AS number, value AS text"
    )
    due = sql.moment(f"{sql.seconds('happened_at')} + %(seconds)s + 1")
    return f"""
        SELECT customer_id, {columns}, {due} AS due_at FROM (
            SELECT *, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY {order}) AS place
            FROM ({told}) AS told WHERE value IS NOT NULL
        ) AS ranked WHERE place = 1
    """  # nosec B608


def _value(sql: Dialect, aggregate: str, kind: str, path: tuple[str, ...]) -> str:
    if not path:
        return "1"
    if aggregate in {"count", "distinct"}:
        return sql.scalar("properties", *path)
    return sql.number("properties", *path) if kind == "number" else sql.text("properties", *path)
