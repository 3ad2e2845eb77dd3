"""Orders as their sources state them: upserted, so that late and repeated news converge."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery

from profiles import changes
from profiles.bulk import again_if_overtaken
from profiles.identity import registering
from profiles.models import Order, OrderLine, Refund, ToldRefund
from profiles.money import spread
from profiles.orders import filed_refunds, told_refunds
from profiles.orders.statements import Draft, LineState, OrderState, RefundState

if TYPE_CHECKING:
    from django.db.models import QuerySet

__all__ = [
    "LineState",
    "OrderState",
    "RefundState",
    "add_refunds",
    "complete",
    "has_bought",
    "upsert",
]
SAVED: Final = [
    "customer", "source", "status", "placed_at", "country", "currency", "tax_minor",
    "shipping_minor", "coupon", "stated_at", "stamps", "is_partial", "discount_minor",
    "total_minor", "is_unclean",
]  # fmt: skip
LINE: Final = [
    "line_key", "position", "product_id", "title", "category", "quantity", "unit_price_minor",
    "discount_minor", "total_minor", "refunded_quantity", "refunded_minor",
]  # fmt: skip


@again_if_overtaken
@transaction.atomic
def upsert(
    states: Sequence[OrderState],
    *,
    source_id: int,
    now: datetime,
    channel: str = ToldRefund.Channel.API,
) -> list[Order]:
    """Bring orders to the stated state and return them, each once, in the order given.

    Of several statements on one field the one that `statements` prefers holds, whichever comes
    first; refunds are only ever added. Unknown customers are created without personal data.
    """
    numbers = list(dict.fromkeys(state.number for state in states))
    named = {state.customer_id for state in states} - {""}
    customers, _n_added = registering.register(named, now=now)
    known = _locked(numbers)
    drafts = {number: Draft(order) for number, order in known.items()}
    for state in states:
        if state.number not in drafts:
            drafts[state.number] = Draft(Order(number=state.number, source_id=source_id))
        drafts[state.number].take(state, customers=customers, source_id=source_id)
    _save(drafts, known)
    told_refunds.tell(
        [(state.number, refund) for state in states for refund in state.refunds],
        source_id=source_id,
        channel=channel,
    )
    changed = _save_lines([draft for draft in drafts.values() if draft.lines is not None])
    told_refunds.apply(numbers, changed=changed)
    filed_refunds.rematch(_buyers(drafts))
    after = Order.objects.select_related("customer").in_bulk(numbers, field_name="number")
    return [after[number] for number in numbers]


@again_if_overtaken
@transaction.atomic
def add_refunds(
    refunds: Sequence[tuple[str, RefundState]], *, source_id: int, channel: str
) -> None:
    """Give money back on orders by number; one of an unknown order waits until it is told of."""
    numbers = {number for number, _refund in refunds}
    changes.mark({pk for order in _lock(numbers) if (pk := order.customer_id) is not None})
    told_refunds.tell(refunds, source_id=source_id, channel=channel)
    told_refunds.apply(numbers)


@transaction.atomic
def complete(
    states: Sequence[OrderState], *, customers: Mapping[str, int], source_id: int | None = None
) -> None:
    """Let statements fill what nobody stated better, customers among it; no order is added.

    With a source, orders without lines become its own: it brings the lines.
    """
    known = _locked({state.number for state in states})
    drafts = {number: Draft(order) for number, order in known.items()}
    for state in states:
        if (draft := drafts.get(state.number)) is not None:
            draft.take(state, customers=customers, source_id=draft.order.source_id)
            if source_id is not None and not draft.has_lines():
                draft.order.source_id = source_id
    _save(drafts, known)
    filed_refunds.rematch(_buyers(drafts))


def _lock(numbers: Iterable[str]) -> QuerySet[Order]:
    there = Order.objects.filter(number__in=set(numbers)).select_related("customer")
    return there.select_for_update(of=("self",)).order_by("number")


def _locked(numbers: Iterable[str]) -> dict[str, Order]:
    return {order.number: order for order in _lock(numbers)}


def _save(drafts: Mapping[str, Draft], known: Mapping[str, Order]) -> None:
    """Save the orders with the totals of the lines they take over, and whose refunds they are."""
    for draft in drafts.values():
        draft.order.is_unclean = True
        if (state := draft.lines) is not None:
            draft.order.discount_minor = sum(_discounts(state))
            draft.order.total_minor = _gross(state) - draft.order.discount_minor
    new = [drafts[number].order for number in sorted(drafts.keys() - known.keys())]
    Order.objects.bulk_create(new)
    Order.objects.bulk_update([drafts[number].order for number in known], SAVED, batch_size=500)
    whose = OrderLine.objects.filter(pk=OuterRef("line")).values("order__customer")
    of_known = Refund.objects.filter(line__order__in=[order.pk for order in known.values()])
    of_known.update(customer=Subquery(whose))
    changes.mark(_buyers(drafts))


def _buyers(drafts: Mapping[str, Draft]) -> set[int]:
    """Whose the orders are and whose they were."""
    buyers = {pk for draft in drafts.values() for pk in (draft.former, draft.order.customer_id)}
    return {pk for pk in buyers if pk is not None}


def _save_lines(drafts: Sequence[Draft]) -> list[int]:
    """Replace the lines of orders by those that won; returns the keys of these orders.

    A line that is stated again keeps its row, and with it what was given back on it; on one
    that is stated no more, files' refunds are left without a line.
    """
    order_ids = [draft.order.pk for draft in drafts]
    old: defaultdict[int, list[OrderLine]] = defaultdict(list)
    there = OrderLine.objects.filter(order__in=order_ids).order_by("position", "pk")
    for line in there:
        old[line.order_id].append(line)
    rows: list[OrderLine] = []
    gone: list[int] = []
    for draft in drafts:
        new = list(_lines(draft))
        rows += new
        gone += _adopt(new, old[draft.order.pk])
    Refund.objects.filter(line__in=gone, told__isnull=True).update(
        line=None, amount_minor=F("amount_minor") + F("beyond_minor"), beyond_minor=0
    )
    OrderLine.objects.filter(pk__in=gone).delete()
    OrderLine.objects.bulk_update([row for row in rows if row.pk], LINE, batch_size=500)
    OrderLine.objects.bulk_create([row for row in rows if not row.pk], batch_size=1000)
    return order_ids


def _adopt(new: Sequence[OrderLine], old: Sequence[OrderLine]) -> list[int]:
    """Give new lines the rows of old ones, by key, else by product; returns the rows left."""
    left = {line.line_key: line for line in old}
    for line in new:
        if (same := left.pop(line.line_key, None)) is not None:
            line.pk = same.pk
    spare: defaultdict[str, list[int]] = defaultdict(list)
    for same in left.values():
        spare[same.product_id].append(same.pk)
    for line in new:
        if not line.pk and spare[line.product_id]:
            line.pk = spare[line.product_id].pop(0)
    return [pk for pks in spare.values() for pk in pks]


def _lines(draft: Draft) -> Iterable[OrderLine]:
    state = draft.lines
    if state is None:
        return
    occurrence: Counter[str] = Counter()
    for position, (line, discount) in enumerate(zip(state.lines, _discounts(state), strict=True)):
        occurrence[line.product_id] += 1
        yield OrderLine(
            order=draft.order,
            line_key=f"{line.product_id}#{occurrence[line.product_id]}",
            position=position,
            product_id=line.product_id,
            title=line.title[:200],
            category=line.category[:100],
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            discount_minor=discount,
            total_minor=line.quantity * line.unit_price_minor - discount,
        )


def _gross(state: OrderState) -> int:
    return sum(line.quantity * line.unit_price_minor for line in state.lines)


def _discounts(state: OrderState) -> list[int]:
    """Each line's own discount and its share of the order's."""
    nets = [line.quantity * line.unit_price_minor - line.discount_minor for line in state.lines]
    shares = spread(state.discount_minor, nets)
    return [line.discount_minor + share for line, share in zip(state.lines, shares, strict=True)]


def has_bought() -> Q:
    """Return the condition on customers that something they bought was not all given back."""
    orders = Order.objects.countable().filter(customer=OuterRef("pk"))
    return Q(Exists(orders.filter(total_minor__gt=F("refunded_minor"))))
