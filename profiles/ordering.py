"""Orders as their sources state them: upserted, so that late and repeated news converge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce, Least

from profiles import registering
from profiles.bulk import again_if_overtaken
from profiles.models import Order, OrderLine, Refund
from profiles.money import spread

if TYPE_CHECKING:
    from django.db.models import QuerySet


@dataclass(frozen=True)
class LineState:
    """One item: `unit_price_minor` net of tax, `discount_minor` on the whole line."""

    product_id: str
    quantity: int
    unit_price_minor: int
    discount_minor: int = 0
    title: str = ""
    category: str = ""


@dataclass(frozen=True)
class RefundState:
    """Money given back; without a product it concerns the order as a whole.

    Without an amount it gives back all that is left of what it concerns.
    """

    key: str
    refunded_at: datetime
    amount_minor: int | None = None
    product_id: str = ""
    quantity: int = 0


@dataclass(frozen=True)
class OrderState:
    """An order as its source states it at `stated_at`; money in minor units of `currency`.

    `discount_minor` is what is taken off beyond the discounts of the lines; it is spread over
    them, so that the lines add up to the order's total. An empty `customer_id` is a guest's.
    """

    number: str
    stated_at: datetime
    placed_at: datetime
    currency: str
    lines: tuple[LineState, ...]
    customer_id: str = ""
    status: str = Order.Status.FULFILLED
    country: str = ""
    tax_minor: int = 0
    shipping_minor: int = 0
    discount_minor: int = 0
    coupon: str = ""
    refunds: tuple[RefundState, ...] = ()


@again_if_overtaken
@transaction.atomic
def upsert(states: Sequence[OrderState], *, source_id: int, now: datetime) -> list[Order]:
    """Bring orders to the stated state and return them, in the order given.

    Of several states of one order the one stated last holds, whichever comes first; refunds
    are only ever added. Unknown customers are created without personal data.
    """
    latest = {state.number: state for state in sorted(states, key=lambda state: state.stated_at)}
    named = {state.customer_id for state in latest.values()} - {""}
    customers, _n_added = registering.register(named, now=now)
    there = Order.objects.select_for_update().order_by("number")
    known = there.in_bulk(list(latest), field_name="number")
    fresh = {
        number: state
        for number, state in latest.items()
        if number not in known or _is_newer(state, known[number])
    }
    orders = dict(known)
    for number, state in fresh.items():
        order = orders.setdefault(number, Order(number=number, source_id=source_id))
        _state(order, state, customer_pk=customers.get(state.customer_id))
    _save(orders, known, fresh)
    _save_lines(orders, fresh)
    add_refunds(
        [(number, refund) for number, state in latest.items() for refund in state.refunds],
        source_id=source_id,
    )
    after = Order.objects.select_related("customer").in_bulk(list(latest), field_name="number")
    return [after[number] for number in latest]


@transaction.atomic
def add_refunds(refunds: Sequence[tuple[str, RefundState]], *, source_id: int) -> None:
    """Give money back on orders by number; a refund key counts once per order line.

    Refunds of unknown orders are passed over: the order's own statement brings them again.
    """
    if not refunds:
        return
    numbers = {number for number, _refund in refunds}
    lines: dict[str, list[OrderLine]] = {}
    stored = OrderLine.objects.filter(order__number__in=numbers).order_by("pk")
    for line in stored.select_related("order"):
        lines.setdefault(line.order.number, []).append(line)
    seen = set(
        Refund.objects.filter(
            source_id=source_id, refund_key__in={refund.key for _number, refund in refunds}
        ).values_list("line__order__number", "refund_key")
    )
    rows: list[Refund] = []
    for number, refund in refunds:
        if (number, refund.key) not in seen and number in lines:
            seen.add((number, refund.key))
            rows += _refund_rows(refund, lines[number], source_id)
    Refund.objects.bulk_create(rows)
    recount(OrderLine.objects.filter(order__number__in=numbers))


def recount(lines: QuerySet[OrderLine]) -> None:
    """Add the refunds of `lines` up again, on the lines and on their orders."""
    refunds = Refund.objects.filter(line=OuterRef("pk")).order_by().values("line")
    units = Subquery(refunds.annotate(n=Sum("quantity")).values("n"))
    money = Subquery(refunds.annotate(n=Sum("amount_minor")).values("n"))
    order_ids = list(lines.values_list("order_id", flat=True).distinct())
    OrderLine.objects.filter(order_id__in=order_ids).update(
        refunded_quantity=Least(F("quantity"), Coalesce(units, 0)),
        refunded_minor=Coalesce(money, 0),
    )
    of_order = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
    Order.objects.filter(pk__in=order_ids).update(
        refunded_minor=Coalesce(Subquery(of_order.annotate(n=Sum("refunded_minor")).values("n")), 0)
    )


def _is_newer(state: OrderState, order: Order) -> bool:
    return order.stated_at is None or state.stated_at >= order.stated_at


def _state(order: Order, state: OrderState, *, customer_pk: int | None) -> None:
    order.customer_id = customer_pk
    order.status = state.status
    order.placed_at = state.placed_at
    order.country = state.country
    order.currency = state.currency
    order.tax_minor = state.tax_minor
    order.shipping_minor = state.shipping_minor
    order.coupon = state.coupon
    order.stated_at = state.stated_at
    if state.lines:
        discounts = _discounts(state)
        order.discount_minor = sum(discounts)
        order.total_minor = _gross(state) - order.discount_minor


STATED: Final = [
    "customer",
    "status",
    "placed_at",
    "country",
    "currency",
    "tax_minor",
    "shipping_minor",
    "coupon",
    "stated_at",
    "discount_minor",
    "total_minor",
]


def _save(orders: dict[str, Order], known: dict[str, Order], fresh: dict[str, OrderState]) -> None:
    Order.objects.bulk_create(orders[number] for number in sorted(fresh) if number not in known)
    changed = [orders[number] for number in fresh if number in known]
    Order.objects.bulk_update(changed, STATED, batch_size=500)


def _save_lines(orders: dict[str, Order], fresh: dict[str, OrderState]) -> None:
    """Replace the lines by key; one that is stated no more stays only if money went back on it."""
    stated = {number: state for number, state in fresh.items() if state.lines}
    rows = [line for number, state in stated.items() for line in _lines(orders[number], state)]
    OrderLine.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["order", "line_key"],
        update_fields=[
            "product_id", "title", "category", "quantity", "unit_price_minor", "discount_minor",
            "total_minor",
        ],
        batch_size=1000,
    )  # fmt: skip
    kept = {(row.order_id, row.line_key) for row in rows}
    there = OrderLine.objects.filter(order__number__in=stated, refunds__isnull=True)
    gone = [
        pk
        for pk, order_id, key in there.values_list("pk", "order_id", "line_key")
        if (order_id, key) not in kept
    ]
    OrderLine.objects.filter(pk__in=gone).delete()


def _lines(order: Order, state: OrderState) -> Iterable[OrderLine]:
    occurrence: Counter[str] = Counter()
    for line, discount in zip(state.lines, _discounts(state), strict=True):
        occurrence[line.product_id] += 1
        yield OrderLine(
            order=order,
            line_key=f"{line.product_id}#{occurrence[line.product_id]}",
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


def _refund_rows(
    refund: RefundState, lines: Sequence[OrderLine], source_id: int
) -> Iterable[Refund]:
    """The refund on the lines it concerns, money in proportion to what is left of each."""
    concerned = [line for line in lines if refund.product_id in {"", line.product_id}]
    if not concerned:
        concerned = list(lines)
    left = [max(line.total_minor - line.refunded_minor, 0) for line in concerned]
    amount = sum(left) if refund.amount_minor is None else refund.amount_minor
    units = refund.quantity
    for line, share in zip(concerned, spread(amount, left), strict=True):
        free = line.quantity - line.refunded_quantity
        back = min(units, free) if refund.quantity else free * (refund.amount_minor is None)
        units -= back if refund.quantity else 0
        yield Refund(
            line=line,
            customer_id=line.order.customer_id,
            source_id=source_id,
            refund_key=refund.key,
            product_id=line.product_id,
            quantity=back,
            amount_minor=share,
            currency=line.order.currency,
            refunded_at=refund.refunded_at,
        )
        line.refunded_minor += share
        line.refunded_quantity += back


def has_bought() -> Q:
    """Return the condition on customers that something they bought was not all given back."""
    orders = Order.objects.filter(customer=OuterRef("pk"), total_minor__gt=F("refunded_minor"))
    return Q(Exists(orders.exclude(status=Order.Status.CANCELLED)))
