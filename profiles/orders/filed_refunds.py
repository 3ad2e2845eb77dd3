"""Refunds that files tell of without their invoice: shared out over what was bought before.

Which line gives back is decided by the customer's lines and refunds alone, so that it makes no
difference in which order files, events and the API tell of them: whoever adds to either has
the refunds of these customers matched anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.db.models import F, Sum

from profiles import changes
from profiles.models import Order, OrderLine, Refund
from profiles.orders import told_refunds

CUSTOMERS_AT_ONCE: Final = 500
Group = tuple[int, str, str]  # customer, product, currency


@dataclass
class Candidate:
    """A line bought before, with the quantity that is not given back of it yet."""

    placed_at: datetime
    line_id: int
    order_id: int
    left: int


class Part(NamedTuple):
    """What one line, or no line, takes of a refund; amounts in minor units, not negative."""

    line_id: int | None
    quantity: int
    amount_minor: int


def split(
    quantity: int, amount_minor: int, candidates: Iterable[Candidate], *, refunded_at: datetime
) -> Iterator[Part]:
    """Share a refund out over lines from the latest to the earliest; takes from their `left`.

    `candidates` come latest first; those later than the refund are passed over. What no line
    can take is the last part, without one. The parts add up to quantity and amount exactly.
    """
    open_quantity, open_minor = quantity, amount_minor
    for candidate in candidates:
        if not open_quantity:
            return
        taken = max(min(candidate.left, open_quantity), 0)
        if not taken or candidate.placed_at > refunded_at:
            continue
        # The share of what is still open, so that rounding never loses a penny.
        minor = open_minor * taken // open_quantity
        candidate.left -= taken
        open_quantity -= taken
        open_minor -= minor
        yield Part(candidate.line_id, taken, minor)
    if open_quantity:
        yield Part(None, open_quantity, open_minor)


@transaction.atomic
def rematch(customers: Iterable[int]) -> None:
    """Bring the files' refunds of customers in line with what they are known to have bought."""
    keys = sorted(set(customers))
    for begin in range(0, len(keys), CUSTOMERS_AT_ONCE):
        refunds = _refunds(keys[begin : begin + CUSTOMERS_AT_ONCE])
        if refunds:
            _rematch(refunds, _bought(refunds))


def cap(orders: Collection[int]) -> set[int]:
    """Let files' refunds take no more of orders than their money; returns the keys of those changed.

    The earliest take first. What an order has no money left for is kept beside the amount.
    """
    filed = Refund.objects.filter(line__order__in=orders, told=None)
    sums = filed.order_by().values_list("line__order").annotate(
        said=Sum(F("amount_minor") + F("beyond_minor")), beyond=Sum("beyond_minor")
    )  # fmt: skip
    lines = OrderLine.objects.filter(order__in=orders).order_by()
    left = dict(lines.values_list("order").annotate(minor=Sum("total_minor")))
    over = [order for order, said, beyond in sums if beyond or said > max(left[order], 0)]
    if not over:
        return set()
    changed = []
    in_time = ("refunded_at", "refund_key", "source_id", "product_id", "line.line_key")
    rows = filed.filter(line__order__in=over).select_related("line")
    for row in sorted(rows, key=attrgetter(*in_time)):
        order = row.line.order_id  # type: ignore[union-attr]
        amount = min(row.said_minor, max(left[order], 0))
        left[order] -= amount
        if amount != row.amount_minor:
            row.amount_minor, row.beyond_minor = amount, row.said_minor - amount
            changed.append(row)
    Refund.objects.bulk_update(changed, ["amount_minor", "beyond_minor"], batch_size=500)
    return {row.line.order_id for row in changed if row.line is not None}


def _rematch(
    refunds: dict[Group, list[list[Refund]]], bought: dict[Group, list[Candidate]]
) -> None:
    gone: list[Refund] = []
    added: list[Refund] = []
    orders: set[int] = set()
    every = [row for of_group in refunds.values() for rows in of_group for row in rows]
    lines = {row.line_id for row in every if row.line_id is not None}
    held = dict(OrderLine.objects.filter(pk__in=lines).values_list("pk", "order"))
    for group, of_group in refunds.items():
        candidates = bought.get(group, [])
        order_of: dict[int | None, int] = {one.line_id: one.order_id for one in candidates}
        for rows in of_group:
            parts = _parts(rows, candidates)
            if parts == sorted(map(_part, rows), key=str):
                continue
            gone += rows
            added += [_row(rows[0], part) for part in parts]
            orders |= {order_of[part.line_id] for part in parts if part.line_id is not None}
    orders |= {held[row.line_id] for row in gone if row.line_id is not None}
    Refund.objects.filter(pk__in=[row.pk for row in gone]).delete()
    Refund.objects.bulk_create(added, batch_size=500)
    orders |= cap(orders | set(held.values()))
    if not orders:
        return
    changes.mark({row.customer_id for row in gone if row.customer_id is not None})
    numbers = Order.objects.filter(pk__in=orders).values_list("number", flat=True)
    told_refunds.apply(list(numbers), changed=orders)


def _refunds(customers: Sequence[int]) -> dict[Group, list[list[Refund]]]:
    """The refunds of each group in the order of time, each with all of its rows."""
    found: defaultdict[Group, defaultdict[tuple[Any, ...], list[Refund]]]
    found = defaultdict(lambda: defaultdict(list))
    rows = Refund.objects.filter(told__isnull=True, customer__in=customers).select_for_update()
    for row in rows.order_by("pk"):
        if row.customer_id is not None:
            key = row.refunded_at, row.refund_key, row.source_id
            found[row.customer_id, row.product_id, row.currency][key].append(row)
    return {group: [rows for _key, rows in sorted(of.items())] for group, of in found.items()}


def _bought(groups: Iterable[Group]) -> dict[Group, list[Candidate]]:
    """What was bought of the items of each group, the latest first."""
    customers, products, _currencies = map(set, zip(*groups, strict=True))
    lines = OrderLine.objects.filter(order__customer__in=customers, product_id__in=products)
    found: defaultdict[Group, list[Candidate]] = defaultdict(list)
    columns = (
        "order__placed_at", "order__number", "line_key", "order__customer", "product_id",
        "order__currency", "pk", "order", "quantity",
    )  # fmt: skip
    # Sorted here and not in the database, whose collations differ.
    latest_first = sorted(lines.values_list(*columns), key=lambda line: line[:3], reverse=True)
    for placed_at, _number, _key, customer, product, currency, *line in latest_first:
        found[customer, product, currency].append(Candidate(placed_at, *line))
    return found


def _parts(rows: Sequence[Refund], candidates: Iterable[Candidate]) -> list[Part]:
    quantity, amount = sum(row.quantity for row in rows), sum(row.said_minor for row in rows)
    parts = split(quantity, amount, candidates, refunded_at=rows[0].refunded_at)
    return sorted(parts, key=str)


def _part(row: Refund) -> Part:
    return Part(row.line_id, row.quantity, row.said_minor)


def _row(like: Refund, part: Part) -> Refund:
    return Refund(
        line_id=part.line_id,
        customer_id=like.customer_id,
        source_id=like.source_id,
        refund_key=like.refund_key,
        product_id=like.product_id,
        quantity=part.quantity,
        amount_minor=part.amount_minor,
        currency=like.currency,
        refunded_at=like.refunded_at,
    )
