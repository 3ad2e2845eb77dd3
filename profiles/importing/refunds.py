"""Refunds without their invoice: taken from the latest earlier line that has quantity left.

Which line that is depends on what was bought and on files alone (`orders.filed_refunds`): what
events and the API tell of the same orders is brought in line afterwards (`told_refunds`), so
that it makes no difference who came first.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Exists, OuterRef, Subquery, Sum
from django.utils.translation import gettext as _

from profiles import bulk, changes
from profiles.bulk import moment
from profiles.identity import registering
from profiles.importing.tallies import REFUND_MATCHED, REFUND_UNMATCHED, Tally
from profiles.models import Customer, Order, OrderLine, Refund, StagedLine, ToldRefund, Upload
from profiles.orders import filed_refunds, told_refunds
from profiles.orders.filed_refunds import Candidate, Part, split

if TYPE_CHECKING:
    from jobs.work import Work

REFUNDS_PER_STEP = 1_000


NUMBER_EQUAL_ONES = """
    UPDATE profiles_stagedline SET occurrence = equal_ones.place
    FROM (
        SELECT id, ROW_NUMBER() OVER (
            PARTITION BY number, product, price, quantity ORDER BY line_number
        ) AS place
        FROM profiles_stagedline WHERE upload_id = %s AND kind = 'refund'
    ) AS equal_ones
    WHERE profiles_stagedline.id = equal_ones.id AND equal_ones.place > 1
"""
# What the customers of the next refunds bought of the same items, and by no file gave back yet.
BOUGHT_BEFORE = """
    SELECT placed.placed_at, placed.number, line.line_key, placed.customer_id, line.product_id,
           placed.currency, line.id, placed.id, line.quantity - (
               SELECT COALESCE(SUM(back.quantity), 0) FROM profiles_refund AS back
               WHERE back.line_id = line.id AND back.told_id IS NULL
           )
    FROM (
        SELECT customer, product, MAX(placed_at) AS until
        FROM (
            SELECT customer, product, placed_at FROM profiles_stagedline
            WHERE upload_id = %s AND kind = 'refund' ORDER BY placed_at, line_number LIMIT %s
        ) AS chunk
        WHERE customer <> '' GROUP BY customer, product
    ) AS staged
    JOIN profiles_customer AS customer ON customer.external_id = staged.customer
    JOIN profiles_order AS placed
      ON placed.customer_id = customer.id AND placed.placed_at <= staged.until
    JOIN profiles_orderline AS line
      ON line.order_id = placed.id AND line.product_id = staged.product
    WHERE line.refunded_quantity < line.quantity OR EXISTS (
        SELECT 1 FROM profiles_refund AS told
        WHERE told.line_id = line.id AND told.told_id IS NOT NULL
    )
"""
TAKE_BACK = """
    UPDATE profiles_orderline
    SET refunded_quantity = refunded_quantity + %s, refunded_minor = refunded_minor + %s
    WHERE id = %s
"""


def number(upload: Upload) -> None:
    """Tell equal refunds of the upload apart; `match` counts on it."""
    with connection.cursor() as cursor:
        cursor.execute(NUMBER_EQUAL_ONES, [upload.pk])


def match(upload: Upload, source_id: int, work: Work) -> None:
    """Turn all staged refunds of the upload into refunds, in the order of time."""
    bulk.learn_sizes(StagedLine, Customer, Order, OrderLine, Refund)
    staged = StagedLine.objects.filter(upload=upload, kind=StagedLine.Kind.REFUND)
    n_total = staged.count()
    for n_done in range(0, n_total, REFUNDS_PER_STEP):
        chunk = list(staged.order_by("placed_at", "line_number")[:REFUNDS_PER_STEP])
        with work.step() as state:
            tally = Tally.from_json(state["tally"])
            _match_chunk(chunk, source_id, tally, now=work.now)
            staged.filter(pk__in=[row.pk for row in chunk]).delete()
            state["tally"] = tally.to_json()
        work.progress(n_done + len(chunk), n_total, _("Matching refunds"))


def _match_chunk(chunk: list[StagedLine], source_id: int, tally: Tally, *, now: datetime) -> None:
    names = {row.customer for row in chunk if row.customer}
    customers, n_customers = registering.register(names, now=now)
    tally.count("customers_added", n_customers)
    known = _known(chunk, source_id)
    candidates = _candidates(chunk)
    added: list[Refund] = []
    for row in sorted(chunk, key=lambda row: (row.placed_at, refund_key(row))):
        if refund_key(row) not in known:
            customer_id = customers.get(row.customer)
            lines = candidates[customer_id, row.product, row.currency]
            parts = list(split(row.quantity, -row.total_minor, lines, refunded_at=row.placed_at))
            added += [_refund(row, part, customer_id, source_id) for part in parts]
            known[refund_key(row)] = parts
    Refund.objects.bulk_create(added, batch_size=500)
    tally.count("refunds_added", len(added))
    changes.mark({refund.customer_id for refund in added if refund.customer_id is not None})
    is_capped = _take_back(added, candidates)
    if overtaken := _overtaken(added):
        filed_refunds.rematch(overtaken)
    if overtaken or is_capped:
        known = _known(chunk, source_id)
    for row in chunk:
        _count(tally, row, known[refund_key(row)])


def _overtaken(added: list[Refund]) -> set[int]:
    """The customers of whom a file told later refunds before: those come after the added ones."""
    first: dict[tuple[int | None, str], tuple[datetime, str]] = {}
    for refund in added:
        group, at = (refund.customer_id, refund.product_id), (refund.refunded_at, refund.refund_key)
        first[group] = min(first.get(group, at), at)
    if not first:
        return set()
    mine = {refund.pk for refund in added}
    earliest = min(at for at, _key in first.values())
    later = Refund.objects.filter(
        told__isnull=True,
        customer__in={customer for customer, _product in first},
        refunded_at__gte=earliest,
    )
    columns = ("pk", "customer", "product_id", "refunded_at", "refund_key")
    return {
        customer
        for pk, customer, product, *at in later.values_list(*columns)
        if pk not in mine and (customer, product) in first and first[customer, product] < tuple(at)
    }


def refund_key(row: StagedLine) -> str:
    return f"{row.number}|{row.product}|{row.price}|{row.quantity}|{row.occurrence}"


def _refund(row: StagedLine, part: Part, customer_id: int | None, source_id: int) -> Refund:
    return Refund(
        line_id=part.line_id,
        customer_id=customer_id,
        source_id=source_id,
        refund_key=refund_key(row),
        product_id=row.product,
        quantity=part.quantity,
        amount_minor=part.amount_minor,
        currency=row.currency,
        refunded_at=row.placed_at,
    )


def _count(tally: Tally, row: StagedLine, parts: list[Part]) -> None:
    parts = sorted(parts, key=lambda part: part.line_id is None)
    matched = sum(part.amount_minor for part in parts if part.line_id is not None)
    is_matched = any(part.line_id is not None for part in parts)
    rest = -row.total_minor - matched
    if is_matched:
        tally.add(REFUND_MATCHED, row.currency, -matched)
    if not is_matched or rest:
        tally.add(REFUND_UNMATCHED, row.currency, -rest, n=int(not is_matched))
    tally.count("refunds_partly_matched", is_matched and parts[-1].line_id is None)


def _known(chunk: list[StagedLine], source_id: int) -> defaultdict[str, list[Part]]:
    """Return the refunds that an earlier import stored already, by their key."""
    known = defaultdict(list)
    stored = Refund.objects.filter(
        source_id=source_id, refund_key__in=[refund_key(row) for row in chunk]
    )
    columns = ("refund_key", "line_id", "quantity", "amount_minor")
    for key, *part in stored.order_by("refund_key", "line_id").values_list(*columns):
        known[key].append(Part(*part))
    return known


def _candidates(
    chunk: list[StagedLine],
) -> defaultdict[tuple[int | None, str, str], list[Candidate]]:
    """Return the open lines by customer, product and currency, the latest first."""
    found: defaultdict[tuple[int | None, str, str], list[Candidate]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(BOUGHT_BEFORE, [chunk[0].upload_id, len(chunk)])
        # Sorted here and not in the database, whose collations differ.
        latest_first = sorted(cursor.fetchall(), key=lambda line: line[:3], reverse=True)
    for placed_at, _number, _key, customer_id, product, currency, *line in latest_first:
        found[customer_id, product, currency].append(Candidate(moment(placed_at), *line))
    return found


def _take_back(added: list[Refund], candidates: dict[Any, list[Candidate]]) -> bool:
    """Bring lines and orders in line with what was added to them.

    Returns whether more was given back of an order than it has money.
    """
    order_of = {one.line_id: one.order_id for found in candidates.values() for one in found}
    taken = [(refund, pk) for refund in added if (pk := refund.line_id) is not None]
    touched = {order_of[pk] for _refund, pk in taken}
    capped = filed_refunds.cap(touched)
    orders = Order.objects.filter(pk__in=touched)
    told = dict(
        orders.filter(Exists(ToldRefund.objects.filter(number=OuterRef("number")))).values_list(
            "pk", "number"
        )
    )
    matched = [
        (refund.quantity, refund.amount_minor, pk)
        for refund, pk in taken
        if order_of[pk] not in told.keys() | capped
    ]
    with connection.cursor() as cursor:
        cursor.executemany(TAKE_BACK, matched)
    sums = OrderLine.objects.filter(order=OuterRef("pk")).values("order")
    orders.exclude(pk__in=told.keys() | capped).update(
        refunded_minor=Subquery(sums.annotate(total=Sum("refunded_minor")).values("total")),
        is_unclean=True,
    )
    told_refunds.apply(told.values(), changed=capped)
    return bool(capped)
