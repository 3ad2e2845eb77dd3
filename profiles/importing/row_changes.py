"""Noting what an import adds and changes, so that `undoing` can take it back.

Customers are noted with the sealed bytes their columns held, orders by their numbers: whether
they were there before. Every note commits together with the change it tells of.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import connection

from privacy.fields import with_tags
from profiles.models import Customer, StagedLine, Upload, UploadChange

Kind = UploadChange.Kind
SEALED: Final = {
    name: with_tags(Customer, [name]) for name in ("full_name", "email", "phone", "birth_date")
}
PLAIN: Final = (
    "locale", "country", "time_zone", "city", "birth_year", "gender", "occupation", "imported_digest",
)  # fmt: skip
# What changes together is kept and brought back together.
GROUPS: Final[Mapping[str, Sequence[str]]] = SEALED | {name: [name] for name in PLAIN}
COLUMNS: Final = [column for group in GROUPS.values() for column in group]
NOTES: Final = (
    "INSERT INTO profiles_uploadchange (upload_id, kind, key, is_new, is_kept, before, after) "
)
NEW_CUSTOMERS: Final = f"""{NOTES}
    SELECT %(upload)s, 'customer', staged.customer, true, false, '{{}}', '{{}}'
    FROM profiles_stagedline AS staged
    LEFT JOIN profiles_customer AS known ON known.external_id = staged.customer
    WHERE staged.upload_id = %(upload)s AND staged.customer <> '' AND known.id IS NULL
    GROUP BY staged.customer
    ON CONFLICT DO NOTHING
"""  # noqa: S608 -- constants  # nosec B608
ORDERS: Final = f"""{NOTES}
    SELECT %(upload)s, 'order', staged.number, true, false, '{{}}', '{{}}'
    FROM profiles_stagedline AS staged
    LEFT JOIN profiles_order AS placed ON placed.number = staged.number
    WHERE staged.upload_id = %(upload)s AND staged.kind = 'sale' AND placed.id IS NULL
    GROUP BY staged.number
    ON CONFLICT DO NOTHING
"""  # noqa: S608 -- constants  # nosec B608
KEYED: Final = """
    SELECT number, number || '|' || product || '|' || price || '|' || quantity || '|' || CASE
        WHEN kind = 'refund' THEN occurrence ELSE ROW_NUMBER() OVER (
            PARTITION BY kind, number, product, price, quantity ORDER BY line_number
        ) END AS name
    FROM profiles_stagedline WHERE upload_id = %(upload)s AND kind = %(kind)s
"""
LINES: Final = f"""{NOTES}
    SELECT %(upload)s, 'line', staged.name, true, false, '{{}}', '{{}}'
    FROM ({KEYED}) AS staged
    JOIN profiles_order AS placed
      ON placed.number = staged.number AND placed.source_id = %(source)s
    LEFT JOIN profiles_orderline AS line
      ON line.order_id = placed.id AND placed.number || '|' || line.line_key = staged.name
    WHERE line.id IS NULL
    ON CONFLICT DO NOTHING
"""  # noqa: S608 -- constants  # nosec B608
REFUNDS: Final = f"""{NOTES}
    SELECT %(upload)s, 'refund', staged.name, true, false, '{{}}', '{{}}'
    FROM ({KEYED}) AS staged
    WHERE NOT EXISTS (
        SELECT 1 FROM profiles_refund AS known
        WHERE known.source_id = %(source)s AND known.refund_key = staged.name
    )
    ON CONFLICT DO NOTHING
"""  # noqa: S608 -- constants  # nosec B608


def stored(keys: Collection[int]) -> dict[int, dict[str, Any]]:
    """What the columns of customers hold, sealed as they are, by primary key."""
    if not keys:
        return {}
    names = ", ".join(connection.ops.quote_name(name) for name in COLUMNS)
    marks = ", ".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        # Columns are names of our own model; the keys are given beside the statement.
        cursor.execute(
            f"SELECT id, {names} FROM profiles_customer WHERE id IN ({marks})",  # noqa: S608  # nosec B608
            list(keys),
        )
        return {
            key: dict(zip(COLUMNS, map(_plain, values), strict=True))
            for key, *values in cursor.fetchall()
        }


def note_customers(
    upload: Upload,
    customers: Iterable[Customer],
    before: Mapping[int, Mapping[str, Any]],
    *,
    added: Collection[int],
) -> None:
    """Note what the columns of the customers held `before`, and what they hold now."""
    rows = list(customers)
    after = stored([row.pk for row in rows])
    earlier = {
        change.key: change
        for change in upload.changes.filter(
            kind=Kind.CUSTOMER, key__in=[r.external_id for r in rows]
        )
    }
    changes = []
    for row in rows:
        old, new = before[row.pk], after[row.pk]
        changed = [
            column
            for group in GROUPS.values()
            if any(old[column] != new[column] for column in group)
            for column in group
        ]
        change = earlier.get(row.external_id) or UploadChange(
            upload=upload,
            kind=Kind.CUSTOMER,
            key=row.external_id,
            customer=row,
            is_new=row.pk in added,
        )
        # A customer who is in the file twice had the oldest values before it.
        change.before = {column: packed(old[column]) for column in changed} | change.before
        change.after |= {column: mark(new[column]) for column in changed}
        changes.append(change)
    UploadChange.objects.bulk_create([one for one in changes if one.pk is None])
    UploadChange.objects.bulk_update([one for one in changes if one.pk], ["before", "after"])


def note_orders(upload: Upload, source_id: int) -> None:
    """Note which of the staged orders, lines, refunds and customers are not there yet."""
    facts = {"upload": upload.pk, "source": source_id}
    with connection.cursor() as cursor:
        cursor.execute(NEW_CUSTOMERS, facts)
        cursor.execute(ORDERS, facts)
        cursor.execute(LINES, facts | {"kind": StagedLine.Kind.SALE})
        cursor.execute(REFUNDS, facts | {"kind": StagedLine.Kind.REFUND})


def packed(value: Any) -> Any:
    """A column's value as JSON holds it."""
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def unpacked(value: Any) -> Any:
    return base64.b64decode(value["bytes"]) if isinstance(value, dict) else value


def mark(value: Any) -> str:
    """A value's hash: says whether a column still holds it, and not what it is."""
    text = value if isinstance(value, bytes) else repr(value).encode()
    return hashlib.sha256(text).hexdigest()[:24]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
