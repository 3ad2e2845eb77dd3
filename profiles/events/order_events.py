"""Orders told by events: `Order Completed` and its kin, as far as a secret key vouches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db import DataError, IntegrityError, transaction

from privacy.models import Shop
from privacy.problems import DomainError
from profiles.bulk import moment
from profiles.identity import registering
from profiles.models import Customer, EventVerdict, Order, ToldRefund
from profiles.models.event import ORDER_EVENTS
from profiles.money import EXPONENTS, to_minor
from profiles.orders import ordering
from profiles.orders.ordering import LineState, OrderState, RefundState
from profiles.orders.parsing import MAX_PRICE, MAX_QUANTITY

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

    from profiles.arrivals import Arrival

T = TypeVar("T")
# What a database says of values that it cannot hold; SQLite's driver counts bits itself.
REFUSED: Final = (DataError, IntegrityError, OverflowError)
STATUSES: Final = {
    "Order Completed": Order.Status.PAID,
    "Order Updated": Order.Status.PAID,
    "Order Cancelled": Order.Status.CANCELLED,
}
UPDATED: Final = "Order Updated"
REFUNDED: Final = "Order Refunded"
# What a visitor bought before the batch told who that is.
OF_STRANGERS = """
SELECT e.source_id, e.message_id, e.name, c.external_id, true, e.properties, e.happened_at
FROM profiles_event e
JOIN profiles_identity i ON i.anonymous_id = e.anonymous_id AND i.id > %s
JOIN profiles_customer c ON c.id = i.customer_id
WHERE e.customer_id IS NULL AND e.is_confirmed AND e.kind = 'track'
    AND e.name IN (%s, %s, %s, %s)
ORDER BY e.happened_at, e.id
"""


@dataclass(frozen=True)
class Told:
    source_id: int
    message_id: str
    name: str
    customer_id: str
    is_by_device: bool
    properties: dict[str, Any]
    happened_at: datetime
    usual_currency: str

    @property
    def currency(self) -> str:
        return currency_of(self.properties, self.usual_currency)


class UnreadableOrderError(ValueError):
    """An order event lacks what an order needs, or holds what no order can."""


def take_orders(arrived: Sequence[Arrival], *, now: datetime) -> None:
    """Upsert the orders and refunds that the merge's batch tells of.

    An event without a readable order stays an event; a verdict says so.
    """
    states: dict[int, list[tuple[Told, OrderState]]] = {}
    refunds: dict[int, list[tuple[Told, list[tuple[str, RefundState]]]]] = {}
    for told in _told_by(arrived):
        try:
            if told.name == REFUNDED:
                refunds.setdefault(told.source_id, []).append((told, list(refunds_of(told))))
            else:
                states.setdefault(told.source_id, []).append((told, order_of(told)))
        except (UnreadableOrderError, DomainError):
            _note_unreadable(told, now)
    for source_id, stated in states.items():
        upsert = partial(
            ordering.upsert, source_id=source_id, now=now, channel=ToldRefund.Channel.EVENT
        )
        _bring_in(stated, upsert, now=now)
    for source_id, given_back in refunds.items():
        _bring_in(given_back, partial(_give_back, source_id=source_id), now=now)


def adopt_orders(cursor: CursorWrapper, *, last_identity: int, now: datetime) -> None:
    """Give what visitors bought to the customers that identities behind `last_identity` name.

    Must run before their events are given to them, which is how the orders are found.
    """
    cursor.execute(OF_STRANGERS, [last_identity, *ORDER_EVENTS])
    states = []
    for told in _told(cursor):
        try:
            states += [] if told.name == REFUNDED else [order_of(told)]
        except UnreadableOrderError:
            continue
    if states:
        customers, _n = registering.register({one.customer_id for one in states}, now=now)
        ordering.complete([_whose(state) for state in states], customers=customers)


def _whose(state: OrderState) -> OrderState:
    """Of a statement only the customer, implied by the visitor's device."""
    return replace(
        state, lines=(), status=None, country=None, tax_minor=None, shipping_minor=None,
        coupon=None, refunds=(), implied=frozenset({"customer", "placed_at", "currency"}),
    )  # fmt: skip


def _bring_in(
    said: list[tuple[Told, T]], act: Callable[[list[T]], object], *, now: datetime
) -> None:
    """All at once; what the database refuses, one by one: a bad order holds up no other."""
    try:
        with transaction.atomic():
            act([one for _told, one in said])
    except REFUSED:
        for told, one in said:
            try:
                with transaction.atomic():
                    act([one])
            except REFUSED:
                _note_unreadable(told, now)


def _give_back(groups: list[list[tuple[str, RefundState]]], *, source_id: int) -> None:
    ordering.add_refunds(
        [refund for group in groups for refund in group],
        source_id=source_id,
        channel=ToldRefund.Channel.EVENT,
    )


def order_of(told: Told) -> OrderState:
    """What an event states of its order; prices are net of tax, `discount` is the order's own.

    What it does not carry it leaves open; when the order was placed, it only implies.
    """
    facts = told.properties
    currency = told.currency
    implied = {"placed_at"}
    if not text_of(facts, "currency"):
        implied.add("currency")
    if told.name == UPDATED:
        implied.add("status")
    if told.is_by_device:
        implied.add("customer")
    return OrderState(
        number=_number(facts),
        stated_at=told.happened_at,
        placed_at=told.happened_at,
        currency=currency,
        lines=tuple(lines_of(facts, currency)),
        customer_id=told.customer_id,
        status=STATUSES[told.name],
        country=None,
        tax_minor=_money(facts, "tax", currency),
        shipping_minor=_money(facts, "shipping", currency),
        discount_minor=_money(facts, "discount", currency) or 0,
        coupon=text_of(facts, "coupon")[:60] or None,
        implied=frozenset(implied),
    )


def refunds_of(told: Told) -> Iterable[tuple[str, RefundState]]:
    """The refunds an event states: by product where it lists some, else of the whole order.

    With a `refund_id` it is the shop's own refund of that id, whoever else tells of it.
    """
    facts = told.properties
    number, currency = _number(facts), told.currency
    lines = list(lines_of(facts, currency))
    named = text_of(facts, "refund_id", "refundId")[:160]
    key = named or f"message:{told.message_id}"
    if not lines:
        amount = _money(facts, "total", currency)
        return [(number, RefundState(key, told.happened_at, amount, is_named=bool(named)))]
    return [
        (
            number,
            RefundState(
                key=f"{key}#{index}" if index else key,
                refunded_at=told.happened_at,
                amount_minor=line.quantity * line.unit_price_minor or None,
                product_id=line.product_id,
                quantity=line.quantity,
                is_named=bool(named),
            ),
        )
        for index, line in enumerate(lines)
    ]


def _told_by(arrived: Sequence[Arrival]) -> list[Told]:
    """The order events of the batch that a secret key vouches for, in the order of time."""
    telling = [
        one
        for one in arrived
        if one.name in ORDER_EVENTS and one.kind == "track" and one.parcel.is_confirmed
    ]
    if not telling:
        return []
    by_device = [one.customer_pk for one in telling if one.customer_pk and not one.customer_ref]
    names = dict(Customer.objects.filter(pk__in=by_device).values_list("pk", "external_id"))
    usual = Shop.current().currency
    return [
        Told(
            source_id=one.parcel.source_id,
            message_id=one.message_id,
            name=one.name,
            customer_id=one.customer_ref or names.get(one.customer_pk or 0, ""),
            is_by_device=not one.customer_ref,
            properties=one.facts,
            happened_at=one.at,
            usual_currency=usual,
        )
        for one in sorted(telling, key=lambda one: one.at)
    ]


def _told(cursor: CursorWrapper) -> list[Told]:
    rows = cursor.fetchall()
    usual = Shop.current().currency if rows else ""
    return [
        Told(source, message, name, whose, bool(by_device), json.loads(facts), moment(at), usual)
        for source, message, name, whose, by_device, facts, at in rows
    ]


def lines_of(facts: dict[str, Any], currency: str) -> Iterable[LineState]:
    products = facts.get("products")
    for product in products if isinstance(products, list) else []:
        if not isinstance(product, dict):
            raise UnreadableOrderError("products")
        product_id = text_of(product, "product_id", "productId", "sku")
        if not product_id:
            raise UnreadableOrderError("product_id")
        yield LineState(
            product_id=product_id[:100],
            quantity=_quantity(product),
            unit_price_minor=_money(product, "price", currency) or 0,
            title=text_of(product, "name", "title"),
            category=text_of(product, "category"),
        )


def _quantity(product: dict[str, Any]) -> int:
    try:
        quantity = int(product.get("quantity", 1))
    except (OverflowError, TypeError, ValueError):
        raise UnreadableOrderError("quantity") from None
    if not 1 <= quantity <= MAX_QUANTITY:
        raise UnreadableOrderError("quantity")
    return quantity


def _number(facts: dict[str, Any]) -> str:
    if not (number := text_of(facts, "order_id", "orderId")):
        raise UnreadableOrderError("order_id")
    return number[:100]


def _money(facts: dict[str, Any], name: str, currency: str) -> int | None:
    if (value := facts.get(name)) is None:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise UnreadableOrderError(name) from None
    if not amount.is_finite() or not 0 <= amount <= MAX_PRICE:
        raise UnreadableOrderError(name)
    return to_minor(amount, currency)


def currency_of(facts: dict[str, Any], usual: str) -> str:
    """Return the currency an event tells, else the usual one."""
    told = text_of(facts, "currency").upper()
    if told and told not in EXPONENTS:
        raise UnreadableOrderError("currency")
    return told or usual


def text_of(facts: dict[str, Any], *names: str) -> str:
    for name in names:
        value = facts.get(name)
        if isinstance(value, str | int) and str(value).strip():
            return str(value).strip()
    return ""


def _note_unreadable(told: Told, now: datetime) -> None:
    EventVerdict.objects.create(
        source_id=told.source_id,
        message_id=told.message_id,
        kind="track",
        name=told.name,
        verdict=EventVerdict.Verdict.WARNED,
        code="order_not_readable",
        received_at=now,
    )
