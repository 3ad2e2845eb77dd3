"""Orders told by events: `Order Completed` and its kin, as far as a secret key vouches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db import DataError, IntegrityError, transaction

from privacy.models import Shop
from profiles import ordering
from profiles.bulk import moment
from profiles.models import EventVerdict, Order
from profiles.models.event import ORDER_EVENTS
from profiles.money import EXPONENTS, to_minor
from profiles.ordering import LineState, OrderState, RefundState
from profiles.parsing import MAX_PRICE, MAX_QUANTITY

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

T = TypeVar("T")
# What a database says of values that it cannot hold; SQLite's driver counts bits itself.
REFUSED: Final = (DataError, IntegrityError, OverflowError)
STATUSES: Final = {
    "Order Completed": Order.Status.PAID,
    "Order Updated": Order.Status.PAID,
    "Order Cancelled": Order.Status.CANCELLED,
}
REFUNDED: Final = "Order Refunded"
TOLD = """
SELECT source_id, message_id, name, customer_ref, properties, happened_at FROM profiles_merging
WHERE is_confirmed AND kind = 'track' AND name IN (%s, %s, %s, %s) ORDER BY happened_at, id
"""


@dataclass(frozen=True)
class Told:
    source_id: int
    message_id: str
    name: str
    customer_id: str
    properties: dict[str, Any]
    happened_at: datetime


class UnreadableOrderError(ValueError):
    """An order event lacks what an order needs, or holds what no order can."""


def take_orders(cursor: CursorWrapper, *, now: datetime) -> None:
    """Upsert the orders and refunds that the merge's batch tells of.

    An event without a readable order stays an event; a verdict says so.
    """
    cursor.execute(TOLD, ORDER_EVENTS)
    states: dict[int, list[tuple[Told, OrderState]]] = {}
    refunds: dict[int, list[tuple[Told, list[tuple[str, RefundState]]]]] = {}
    for told in _told(cursor):
        try:
            if told.name == REFUNDED:
                refunds.setdefault(told.source_id, []).append((told, list(refunds_of(told))))
            else:
                states.setdefault(told.source_id, []).append((told, order_of(told)))
        except UnreadableOrderError:
            _note_unreadable(told, now)
    for source_id, stated in states.items():
        upsert = partial(ordering.upsert, source_id=source_id, now=now)
        _bring_in(stated, upsert, now=now)
    for source_id, given_back in refunds.items():
        _bring_in(given_back, partial(_give_back, source_id=source_id), now=now)


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
    ordering.add_refunds([refund for group in groups for refund in group], source_id=source_id)


def order_of(told: Told) -> OrderState:
    """The order an event states; prices are net of tax, `discount` is the order's own."""
    facts = told.properties
    currency = _currency(facts)
    return OrderState(
        number=_number(facts),
        stated_at=told.happened_at,
        placed_at=told.happened_at,
        currency=currency,
        lines=tuple(_lines(facts, currency)),
        customer_id=told.customer_id,
        status=STATUSES[told.name],
        tax_minor=_money(facts, "tax", currency) or 0,
        shipping_minor=_money(facts, "shipping", currency) or 0,
        discount_minor=_money(facts, "discount", currency) or 0,
        coupon=_text(facts, "coupon")[:60],
    )


def refunds_of(told: Told) -> Iterable[tuple[str, RefundState]]:
    """The refunds an event states: by product where it lists some, else of the whole order."""
    facts = told.properties
    number, currency = _number(facts), _currency(facts)
    lines = list(_lines(facts, currency))
    if not lines:
        amount = _money(facts, "total", currency)
        return [(number, RefundState(told.message_id, told.happened_at, amount))]
    return [
        (
            number,
            RefundState(
                key=f"{told.message_id}#{index}",
                refunded_at=told.happened_at,
                amount_minor=line.quantity * line.unit_price_minor or None,
                product_id=line.product_id,
                quantity=line.quantity,
            ),
        )
        for index, line in enumerate(lines)
    ]


def _told(cursor: CursorWrapper) -> list[Told]:
    return [
        Told(source_id, message_id, name, customer_id, json.loads(properties), moment(happened_at))
        for source_id, message_id, name, customer_id, properties, happened_at in cursor.fetchall()
    ]


def _lines(facts: dict[str, Any], currency: str) -> Iterable[LineState]:
    products = facts.get("products")
    for product in products if isinstance(products, list) else []:
        if not isinstance(product, dict):
            raise UnreadableOrderError("products")
        product_id = _text(product, "product_id", "productId", "sku")
        if not product_id:
            raise UnreadableOrderError("product_id")
        yield LineState(
            product_id=product_id[:100],
            quantity=_quantity(product),
            unit_price_minor=_money(product, "price", currency) or 0,
            title=_text(product, "name", "title"),
            category=_text(product, "category"),
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
    if not (number := _text(facts, "order_id", "orderId")):
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


def _currency(facts: dict[str, Any]) -> str:
    told = _text(facts, "currency").upper()
    if told and told not in EXPONENTS:
        raise UnreadableOrderError("currency")
    if told:
        return told
    return Shop.current().currency


def _text(facts: dict[str, Any], *names: str) -> str:
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
