"""Carts told by events: what visitors put in and take out, look at, and buy.

A cart is no money, so a browser may tell of one, but only of its own visitor's.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q

from privacy.models import Shop
from profiles.events.order_events import UnreadableOrderError, currency_of, lines_of, text_of
from profiles.models import Cart
from profiles.orders import carts
from profiles.orders.carts import Item

if TYPE_CHECKING:
    from profiles.arrivals import Arrival

ADDED, REMOVED = "Product Added", "Product Removed"
STATING: Final = ("Cart Viewed", "Checkout Started")
BOUGHT: Final = "Order Completed"
NAMES: Final = frozenset({ADDED, REMOVED, *STATING, BOUGHT})


@dataclass(frozen=True)
class Told:
    source_id: int
    message_id: str
    name: str
    customer_pk: int | None
    anonymous_id: str
    is_confirmed: bool
    facts: dict[str, Any]
    at: datetime
    usual_currency: str

    @property
    def currency(self) -> str:
        return currency_of(self.facts, self.usual_currency)

    @property
    def cart_id(self) -> str:
        return text_of(self.facts, "cart_id", "cartId")[:100]

    def is_of(self, cart: Cart) -> bool:
        """Whether the cart is of the event's visitor."""
        if self.customer_pk is not None and cart.customer_id is not None:
            return self.customer_pk == cart.customer_id
        return bool(self.anonymous_id) and self.anonymous_id == cart.anonymous_id


class Shelf:
    """The carts that a batch may concern, read at once; those it changed are `changed`."""

    def __init__(self, told: list[Told]) -> None:
        _begin(told)
        people = {one.customer_pk for one in told} - {None}
        visitors = {one.anonymous_id for one in told} - {""}
        concerned = Q(cart_id__in={one.cart_id for one in told} - {""})
        concerned |= Q(customer__in=people) | Q(anonymous_id__in=visitors)
        found = Cart.objects.filter(concerned).select_for_update(of=("self",)).order_by("pk")
        self._by_id = {cart.cart_id: cart for cart in found}
        self._of: defaultdict[Any, list[Cart]] = defaultdict(list)
        for cart in self._by_id.values():
            self._enter(cart)
        self.changed: dict[str, Cart] = {}

    def find(self, told: Told) -> Cart | None:
        """The cart an event tells of: by its id, else the visitor's latest; None if not theirs."""
        if told.cart_id:
            cart = self._by_id.get(told.cart_id)
            is_theirs = cart is not None and (told.is_confirmed or told.is_of(cart))
            return cart if is_theirs else None
        theirs = [*self._of[told.customer_pk], *self._of[told.anonymous_id]]
        theirs = [cart for cart in theirs if told.is_of(cart)]
        if not theirs:
            return self._new(told)
        latest = max(theirs, key=lambda cart: (cart.changed_at, cart.opened_at))
        is_past = latest.state == Cart.State.ORDERED and not carts.is_over(latest, told.at)
        return self._new(told) if is_past else latest

    def _new(self, told: Told) -> Cart | None:
        if told.name == BOUGHT:
            return None
        cart = _opened(told, uuid.uuid4().hex)
        self._by_id[cart.cart_id] = cart
        self._enter(cart)
        return cart

    def _enter(self, cart: Cart) -> None:
        if cart.customer_id is not None:
            self._of[cart.customer_id].append(cart)
        if cart.anonymous_id:
            self._of[cart.anonymous_id].append(cart)


def _begin(told: list[Told]) -> None:
    """Add the carts that nobody told of; who tells of one at the same moment gets the same."""
    named = [one for one in told if one.cart_id and one.name != BOUGHT]
    known = Cart.objects.filter(cart_id__in={one.cart_id for one in named})
    there = set(known.values_list("cart_id", flat=True))
    new: dict[str, Cart] = {}
    for one in named:
        with suppress(UnreadableOrderError):
            if one.cart_id not in there:
                new.setdefault(one.cart_id, _opened(one, one.cart_id))
    Cart.objects.bulk_create(new.values(), ignore_conflicts=True)


def _opened(told: Told, cart_id: str) -> Cart:
    return Cart(
        cart_id=cart_id,
        customer_id=told.customer_pk,
        anonymous_id=told.anonymous_id,
        source_id=told.source_id,
        currency=told.currency,
        opened_at=told.at,
        changed_at=told.at,
    )


def take_carts(arrived: Sequence[Arrival]) -> None:
    """Bring the carts that the merge's batch tells of to what it says.

    An event that cannot be read as one of a cart stays an event.
    """
    telling = [one for one in arrived if one.name in NAMES and one.kind == "track"]
    if not telling:
        return
    usual = Shop.current().currency
    told = [
        Told(
            one.parcel.source_id,
            one.message_id,
            one.name,
            one.customer_pk,
            one.anonymous_id,
            one.parcel.is_confirmed,
            one.facts,
            one.at,
            usual,
        )
        for one in sorted(telling, key=lambda one: one.at)
    ]
    shelf = Shelf(told)
    for one in told:
        try:
            _take(one, shelf)
        except UnreadableOrderError:
            continue
    carts.save(list(shelf.changed.values()))


def _take(told: Told, shelf: Shelf) -> None:
    currency = told.currency
    items = _items(told, currency)
    cart = shelf.find(told)
    if cart is None or carts.is_over(cart, told.at):
        return
    shelf.changed[cart.cart_id] = cart
    if told.name == BOUGHT:
        carts.order(cart, at=told.at)
        return
    if cart.state == Cart.State.ORDERED:
        carts.reopen(cart, at=told.at)
    if cart.customer_id is None:
        cart.customer_id = told.customer_pk
    if told.name in STATING and items:
        carts.state(cart, items, at=told.at)
        cart.currency = currency
    elif told.name in STATING:
        carts.touch(cart, at=told.at)
    for item in items if told.name in {ADDED, REMOVED} else ():
        carts.move(cart, item, at=told.at, message=told.message_id)


def _items(told: Told, currency: str) -> list[Item]:
    """The products of an event; of one that is taken out, the quantity is negative."""
    facts = told.facts if told.name in STATING else {"products": [told.facts]}
    if told.name == BOUGHT:
        return []
    sign = -1 if told.name == REMOVED else 1
    return [
        Item(
            line.product_id,
            sign * line.quantity,
            line.unit_price_minor,
            line.title[:200],
            line.category[:100],
        )
        for line in lines_of(facts, currency)
    ]
