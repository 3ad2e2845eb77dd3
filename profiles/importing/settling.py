"""From staged sales to orders and lines: a range of order numbers a step, all in SQL.

The staged rows are the queue: a step adds what is new and deletes what it took.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from profiles import bulk, changes
from profiles.files.rejects import RejectsFile
from profiles.identity import identifiers, registering
from profiles.importing.tallies import GUEST, NET, REJECTED, SET_ASIDE, Tally
from profiles.models import Customer, Order, OrderLine, StagedLine, Upload
from profiles.orders import filed_refunds, ordering, told_refunds
from profiles.orders.statements import OrderState, Strength

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

    from jobs.work import Work

LINES_PER_STEP = 20_000

NAMES = """
    SELECT DISTINCT customer FROM profiles_stagedline
    WHERE upload_id = %(upload)s AND kind = 'sale' AND number <= %(last)s AND customer <> ''
"""
COUNT_NEW = """
    SELECT COUNT(*)
    FROM (
        SELECT DISTINCT number FROM profiles_stagedline
        WHERE upload_id = %(upload)s AND kind = 'sale' AND number <= %(last)s
    ) AS staged
    WHERE NOT EXISTS (SELECT 1 FROM profiles_order AS placed WHERE placed.number = staged.number)
"""
# An order is what its first line says that names a customer; a guest order of ours may turn
# out to be a customer's, any other order that is there stays as it is.
ADD_ORDERS = """
    INSERT INTO profiles_order (
        number, customer_id, source_id, status, placed_at, country, currency, coupon,
        total_minor, tax_minor, shipping_minor, discount_minor, refunded_minor, stamps, is_partial,
        is_unclean
    )
    SELECT staged.number, customer.id, %(source)s, staged.status, staged.placed_at,
           staged.country, staged.currency, '', 0, 0, 0, 0, 0, '{}', false, true
    FROM (
        SELECT id, ROW_NUMBER() OVER (
            PARTITION BY number ORDER BY CASE WHEN customer = '' THEN 1 ELSE 0 END, line_number
        ) AS place
        FROM profiles_stagedline
        WHERE upload_id = %(upload)s AND kind = 'sale' AND number <= %(last)s
    ) AS ranked
    JOIN profiles_stagedline AS staged ON staged.id = ranked.id
    LEFT JOIN profiles_customer AS customer ON customer.external_id = staged.customer
    WHERE ranked.place = 1
    ORDER BY staged.number
    ON CONFLICT (number) DO UPDATE SET customer_id = excluded.customer_id
    WHERE profiles_order.customer_id IS NULL AND excluded.customer_id IS NOT NULL
      AND profiles_order.source_id = excluded.source_id
"""
# Orders that events told of in part: what they only imply, a file knows better.
PARTIAL = """
    SELECT staged.number, staged.customer, staged.status, staged.placed_at, staged.country,
           staged.currency
    FROM (
        SELECT line.id, ROW_NUMBER() OVER (
            PARTITION BY line.number
            ORDER BY CASE WHEN line.customer = '' THEN 1 ELSE 0 END, line.line_number
        ) AS place
        FROM profiles_stagedline AS line
        JOIN profiles_order AS placed ON placed.number = line.number AND placed.is_partial
        WHERE line.upload_id = %(upload)s AND line.kind = 'sale' AND line.number <= %(last)s
    ) AS ranked
    JOIN profiles_stagedline AS staged ON staged.id = ranked.id
    WHERE ranked.place = 1
"""
TOLD_OF = """
    SELECT DISTINCT told.number FROM profiles_toldrefund AS told
    JOIN profiles_stagedline AS staged ON staged.number = told.number
    WHERE staged.upload_id = %(upload)s AND staged.kind = 'sale' AND staged.number <= %(last)s
"""
MISFITS = """
    SELECT staged.id, staged.line_number, staged.currency, staged.total_minor, misfit.code
    FROM (
        SELECT told.number, told.customer, told.currency,
               CASE WHEN placed.source_id <> %(source)s THEN 'order_known'
                    WHEN placed.currency <> told.currency THEN 'currency_differs'
                    ELSE 'customer_differs' END AS code
        FROM (
            SELECT DISTINCT number, customer, currency FROM profiles_stagedline
            WHERE upload_id = %(upload)s AND kind = 'sale' AND number <= %(last)s
        ) AS told
        JOIN profiles_order AS placed ON placed.number = told.number
        LEFT JOIN profiles_customer AS customer ON customer.id = placed.customer_id
        WHERE placed.source_id <> %(source)s OR placed.currency <> told.currency
           OR (told.customer <> '' AND told.customer <> COALESCE(customer.external_id, ''))
    ) AS misfit
    JOIN profiles_stagedline AS staged
      ON staged.upload_id = %(upload)s AND staged.kind = 'sale' AND staged.number = misfit.number
     AND staged.customer = misfit.customer AND staged.currency = misfit.currency
    ORDER BY staged.line_number
"""
# The key of a line: product, price, quantity, and which of equal ones it is within the order.
ADD_LINES = """
    INSERT INTO profiles_orderline (
        order_id, line_key, product_id, title, category, quantity,
        unit_price_minor, discount_minor, total_minor, refunded_quantity, refunded_minor, position
    )
    SELECT placed.id,
           staged.product || '|' || staged.price || '|' || staged.quantity || '|'
           || ROW_NUMBER() OVER (
               PARTITION BY staged.number, staged.product, staged.price, staged.quantity
               ORDER BY staged.line_number
           ),
           staged.product, staged.title, staged.category, staged.quantity,
           staged.unit_price_minor, staged.discount_minor, staged.total_minor, 0, 0, 0
    FROM profiles_stagedline AS staged
    JOIN profiles_order AS placed ON placed.number = staged.number
    WHERE staged.upload_id = %(upload)s AND staged.kind = 'sale' AND staged.number <= %(last)s
    ON CONFLICT (order_id, line_key) DO NOTHING
"""
SUM_ORDERS = """
    UPDATE profiles_order
    SET total_minor = sums.total, discount_minor = sums.discount, is_unclean = true
    FROM (
        SELECT line.order_id, SUM(line.total_minor) AS total, SUM(line.discount_minor) AS discount
        FROM profiles_orderline AS line
        WHERE line.order_id IN (
            SELECT placed.id FROM profiles_order AS placed
            WHERE placed.number IN (
                SELECT number FROM profiles_stagedline
                WHERE upload_id = %(upload)s AND kind = 'sale' AND number <= %(last)s
            )
        )
        GROUP BY line.order_id
    ) AS sums
    WHERE profiles_order.id = sums.order_id
"""
TALLY = """
    SELECT staged.currency, placed.customer_id IS NULL, SUM(staged.n), SUM(staged.total)
    FROM (
        SELECT number, currency, COUNT(*) AS n, SUM(total_minor) AS total
        FROM profiles_stagedline
        WHERE upload_id = %(upload)s AND kind = 'sale' AND number <= %(last)s
        GROUP BY number, currency
    ) AS staged
    JOIN profiles_order AS placed ON placed.number = staged.number
    GROUP BY 1, 2
"""
BUYERS = """
    SELECT placed.customer_id FROM profiles_order AS placed
    JOIN profiles_stagedline AS staged ON staged.number = placed.number
    WHERE staged.upload_id = %(upload)s AND staged.kind = 'sale' AND staged.number <= %(last)s
"""
TAKEN = """
    DELETE FROM profiles_stagedline
    WHERE upload_id = %(upload)s AND kind = 'sale' AND number <= %(last)s
"""


def settle(upload: Upload, source_id: int, work: Work) -> None:
    """Turn all staged sales of the upload into orders, customers and lines."""
    n_total = StagedLine.objects.filter(upload=upload, kind=StagedLine.Kind.SALE).count()
    n_done = n_known = 0
    while n_done < n_total:
        has_doubled = n_done >= 2 * n_known
        if has_doubled:
            bulk.learn_sizes(Customer, Order, OrderLine)
            n_known = n_done
        with work.step() as cursor:
            n_done += _settle_range(upload, source_id, cursor, now=work.now, learn=has_doubled)
        work.progress(n_done, n_total, _("Writing orders"))


def follow_merges(upload: Upload, work: Work) -> None:
    """Let the file's ids from before a merge of customers name the one they are now."""
    if work.cursor.get("merges_followed"):
        return
    staged = StagedLine.objects.filter(upload=upload).exclude(customer="")
    nobodys = staged.filter(~Exists(Customer.objects.filter(external_id=OuterRef("customer"))))
    with work.step() as state:
        known = identifiers.owners(
            set(nobodys.values_list("customer", flat=True)), *identifiers.SHOP_IDS
        )
        for name, customer in known.items():
            staged.filter(customer=name).update(customer=customer.external_id)
        state["merges_followed"] = True


def _settle_range(
    upload: Upload, source_id: int, state: dict[str, Any], *, now: datetime, learn: bool
) -> int:
    """Settle the lowest order numbers left and return how many staged lines that took.

    `learn`: tables that may have been empty until now are looked at as soon as they are filled.
    """
    facts: dict[str, Any] = {"upload": upload.pk, "source": source_id, "last": _last_number(upload)}
    tally = Tally.from_json(state["tally"])
    with connection.cursor() as cursor:
        cursor.execute(NAMES, facts)
        names = [name for (name,) in cursor.fetchall()]
        customers, n_customers = registering.register(names, now=now)
        tally.count("customers_added", n_customers)
        cursor.execute(COUNT_NEW, facts)
        tally.count("orders_added", cursor.fetchone()[0])
        cursor.execute(ADD_ORDERS, facts)
        n_touched = cursor.rowcount
        _complete(cursor, facts, customers)
        if learn:
            bulk.learn_sizes(Order)
        n_misfits = _take_misfits(upload, facts, tally, state)
        cursor.execute(ADD_LINES, facts)
        if learn:
            bulk.learn_sizes(OrderLine)
        n_lines = cursor.rowcount
        tally.count("lines_added", n_lines)
        cursor.execute(SUM_ORDERS, facts)
        changes.mark_found(cursor, BUYERS, facts)
        cursor.execute(TALLY, facts)
        for currency, is_guest, n_lines, minor in cursor:
            tally.add(GUEST if is_guest else NET, currency, int(minor), n=int(n_lines))
        cursor.execute(TOLD_OF, facts)
        told_refunds.apply([number for (number,) in cursor.fetchall()])
        if n_touched or n_lines:  # a refund may have come before its sale
            filed_refunds.rematch(customers.values())
        cursor.execute(TAKEN, facts)
        n_taken: int = cursor.rowcount
    state["tally"] = tally.to_json()
    return n_taken + n_misfits


def _complete(cursor: CursorWrapper, facts: dict[str, Any], customers: dict[str, int]) -> None:
    """Let the file fill what is only implied of orders that events told of."""
    cursor.execute(PARTIAL, facts)
    states = [
        OrderState(
            number=number,
            stated_at=bulk.moment(placed_at),
            placed_at=bulk.moment(placed_at),
            currency=currency,
            lines=(),
            customer_id=customer,
            status=status,
            country=country,
            tax_minor=None,
            shipping_minor=None,
            coupon=None,
            strength=Strength.FILE,
        )
        for number, customer, status, placed_at, country, currency in cursor.fetchall()
    ]
    if states:
        ordering.complete(states, customers=customers, source_id=facts["source"])


def _last_number(upload: Upload) -> str | None:
    """Return the order number up to which a step goes; whole orders, however long."""
    staged = StagedLine.objects.filter(upload=upload, kind=StagedLine.Kind.SALE)
    numbers = staged.values_list("number", flat=True)
    ahead = list(numbers.order_by("number")[LINES_PER_STEP : LINES_PER_STEP + 1])
    return ahead[0] if ahead else numbers.order_by("number").last()


def _take_misfits(
    upload: Upload, facts: dict[str, Any], tally: Tally, state: dict[str, Any]
) -> int:
    """Take out lines that their order cannot hold, each with its reason; return how many."""
    rejects = RejectsFile(
        upload, [], n_bytes=state["reject_bytes"], n_more=state.get("rejects_beyond", 0)
    )
    taken = []
    with connection.cursor() as cursor:
        cursor.execute(MISFITS, facts)
        for key, line_number, currency, minor, code in cursor.fetchall():
            taken.append(key)
            if code == "order_known":
                tally.add(f"{SET_ASIDE}:{code}", currency, minor)
            else:
                tally.add(f"{REJECTED}:{code}", currency, minor)
                tally.count("rejected")
                rejects.add(line_number, code)
    StagedLine.objects.filter(pk__in=taken).delete()
    state |= {"reject_bytes": rejects.write(), "rejects_beyond": rejects.n_more}
    return len(taken)
