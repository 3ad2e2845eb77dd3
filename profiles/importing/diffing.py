"""What an order file would change, told from its staged lines before any of them arrives."""

from __future__ import annotations

from typing import Final

from django.db import connection

from profiles import money
from profiles.importing.comparing import MOST_ROWS, Change, Difference
from profiles.importing.settling import MISFITS
from profiles.models import StagedLine, Upload

KEYED: Final = """
    SELECT id, number, product || '|' || price || '|' || quantity || '|' || ROW_NUMBER() OVER (
        PARTITION BY number, product, price, quantity ORDER BY line_number
    ) AS name
    FROM profiles_stagedline WHERE upload_id = %(upload)s AND kind = 'sale'
"""
LINES: Final = f"""
    SELECT SUM(CASE WHEN line.id IS NULL THEN 1 ELSE 0 END),
           SUM(CASE WHEN line.id IS NULL THEN 0 ELSE 1 END),
           COUNT(DISTINCT CASE WHEN placed.id IS NULL THEN staged.number END),
           COUNT(DISTINCT CASE WHEN placed.id IS NOT NULL AND line.id IS NULL
                 THEN staged.number END)
    FROM ({KEYED}) AS staged
    LEFT JOIN profiles_order AS placed ON placed.number = staged.number
    LEFT JOIN profiles_orderline AS line
      ON line.order_id = placed.id AND line.line_key = staged.name
"""  # noqa: S608 -- constants  # nosec B608
# What is new, of orders that are not there and of those that are.
ROWS: Final = f"""
    SELECT line.line_number, staged.number, line.product, line.quantity, line.total_minor,
           line.currency
    FROM ({KEYED}) AS staged
    JOIN profiles_stagedline AS line ON line.id = staged.id
    LEFT JOIN profiles_order AS placed ON placed.number = staged.number
    LEFT JOIN profiles_orderline AS known
      ON known.order_id = placed.id AND known.line_key = staged.name
    WHERE known.id IS NULL AND placed.id IS {{is_there}}
    ORDER BY line.line_number LIMIT {MOST_ROWS}
"""  # noqa: S608 -- constants  # nosec B608
REFUNDS: Final = """
    SELECT COUNT(*), SUM(CASE WHEN EXISTS (
        SELECT 1 FROM profiles_refund AS known
        WHERE known.source_id = %(source)s AND known.refund_key =
            staged.number || '|' || staged.product || '|' || staged.price || '|'
            || staged.quantity || '|' || staged.occurrence
    ) THEN 1 ELSE 0 END)
    FROM profiles_stagedline AS staged
    WHERE staged.upload_id = %(upload)s AND staged.kind = 'refund'
"""


def counts(upload: Upload, source_id: int) -> dict[str, int]:
    """Count what is new, what changes an order that is there, and what is there already.

    Lines that their order cannot hold are taken out of the staged ones, which go after this.
    """
    last = (
        StagedLine.objects.filter(upload=upload).order_by("-number").values_list("number").first()
    )
    facts: dict[str, int | str] = {
        "upload": upload.pk,
        "source": source_id,
        "last": last[0] if last else "",
    }
    with connection.cursor() as cursor:
        cursor.execute(MISFITS, facts)
        found = cursor.fetchall()
        misfits = [code for *_line, code in found]
        StagedLine.objects.filter(pk__in=[key for key, *_line in found]).delete()
        cursor.execute(LINES, facts)
        n_new, n_same, n_orders, n_changed = (int(n or 0) for n in cursor.fetchone())
        cursor.execute(REFUNDS, facts)
        n_refunds, n_known = (int(n or 0) for n in cursor.fetchone())
    n_elsewhere = misfits.count("order_known")
    return {
        "orders_added": n_orders,
        "orders_changed": n_changed,
        "lines_added": n_new,
        "refunds_added": n_refunds - n_known,
        "same": n_same + n_known,
        "known_elsewhere": n_elsewhere,
        "misfits": len(misfits) - n_elsewhere,
    }


def rows(upload: Upload) -> list[tuple[int, Difference]]:
    """The first lines of new orders, and the first that orders which are there would get."""
    found = []
    with connection.cursor() as cursor:
        for is_new in (True, False):
            sql = ROWS.format(is_there="NULL" if is_new else "NOT NULL")
            cursor.execute(sql, {"upload": upload.pk})
            for line, number, product, quantity, minor, currency in cursor.fetchall():
                amount = f"{money.from_minor(minor, currency)} {currency}"
                cells = {"order": number, "product": product, "quantity": quantity, "total": amount}
                changes = [Change(name, "", str(cell)) for name, cell in cells.items()]
                found.append((line, Difference(is_new, changes)))
    return found
