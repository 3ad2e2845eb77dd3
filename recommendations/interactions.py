"""From orders to interactions: who bought what when, without those who must not be profiled."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from django.db.models import F

from profiles.models import Customer, Order, OrderLine
from recommendations.engines.base import Integers, Interactions, Items
from recommendations.models import Product

if TYPE_CHECKING:
    from datetime import datetime

CHUNK = 20_000
# A product nobody can show is learned from and not listed: once bought, not on sale, no text.
NOT_IN_CATALOGUE = (False, False, "")
# What a product's text is made of.
DESCRIBED = ("title", "brand", "category", "description")


@dataclass(frozen=True)
class Reading:
    """The interactions of a shop, and whose they are.

    People are in the order of their external ids and products of theirs, both by code
    point, so every database gives the same numbers. `customers` holds primary keys by row.
    """

    interactions: Interactions
    items: Items
    customers: tuple[int, ...]

    @property
    def end(self) -> int:
        """The second after the last interaction: where the last window ends."""
        return int(self.interactions.at.max(initial=-1)) + 1

    @property
    def fingerprint(self) -> int:
        """A number that changes with any event, person or product."""
        data = self.interactions
        whose = repr((self.customers, self.items.ids, self.items.texts)).encode()
        columns = (data.users, data.items, data.at)
        return reduce(lambda so_far, column: crc32(column.tobytes(), so_far), columns, crc32(whose))


def read(as_of: datetime) -> Reading:
    """Read the order lines up to `as_of`, net of what was given back entirely.

    Guest orders become anonymous baskets. Orders of customers who are restricted, erased or
    refuse profiling are left out altogether.
    """
    customers = _customers()
    row_of = {pk: row for row, pk in enumerate(customers)}
    orders = Order.objects.countable().filter(placed_at__lt=as_of)
    known = orders.filter(customer__isnull=False).values_list("pk", "customer_id", "placed_at")
    place_of = {
        pk: (row_of[customer or 0], int(placed_at.timestamp()))
        for pk, customer, placed_at in known.iterator(CHUNK)
        if customer in row_of
    }
    guests = sorted(orders.filter(customer=None).values_list("number", "pk", "placed_at"))
    for row, (_, pk, placed_at) in enumerate(guests, start=len(customers)):
        place_of[pk] = (row, int(placed_at.timestamp()))
    users, codes, moments, bought = _events(place_of, as_of)
    number_of, items = _items(_with_catalogue(bought))
    numbers = number_of[codes]
    order = np.lexsort((numbers, moments, users))  # databases return rows in any order
    return Reading(
        Interactions(
            users=users[order],
            items=numbers[order],
            at=moments[order],
            n_people=len(customers),
            n_rows=len(customers) + len(guests),
            n_items=len(items.ids),
        ),
        items,
        customers,
    )


def _customers() -> tuple[int, ...]:
    allowed = Customer.objects.for_purpose("recommend").values_list("external_id", "pk")
    return tuple(pk for _, pk in sorted(allowed.iterator(CHUNK)))


def _events(
    place_of: dict[int, tuple[int, int]], as_of: datetime
) -> tuple[Integers, Integers, Integers, list[str]]:
    """Return users, product codes, times, and the product of each code."""
    kept = OrderLine.objects.filter(
        order__placed_at__lt=as_of, quantity__gt=F("refunded_quantity")
    ).exclude(product_id="")
    users, codes, at = array("q"), array("q"), array("q")
    code_of: dict[str, int] = {}
    for order, product in kept.values_list("order_id", "product_id").iterator(CHUNK):
        if (there := place_of.get(order)) is None:
            continue
        users.append(there[0])
        at.append(there[1])
        codes.append(code_of.setdefault(product, len(code_of)))
    return _numbers(users), _numbers(codes), _numbers(at), list(code_of)


def _numbers(values: array[Any]) -> Integers:
    return np.array(values, dtype=np.int64)


def _with_catalogue(bought: list[str]) -> list[str]:
    """Return the bought products, then those on sale that nobody bought yet."""
    on_sale = Product.objects.filter(is_active=True, from_orders=False)
    known = set(bought)
    new = [one for one in on_sale.values_list("product_id", flat=True) if one not in known]
    return [*bought, *sorted(new)]


def _items(products: list[str]) -> tuple[Integers, Items]:
    """Return each code's place in the order of product ids, and the items in that order."""
    order = sorted(range(len(products)), key=products.__getitem__)
    number_of = np.empty(len(products), dtype=np.int64)
    number_of[order] = np.arange(len(products))
    ids = tuple(products[code] for code in order)
    facts = {
        product: (again, sold, " ".join(filter(None, told)))
        for product, again, sold, *told in Product.objects.values_list(
            "product_id", "is_consumable", "is_active", *DESCRIBED
        ).iterator(CHUNK)
    }
    known = [facts.get(product, NOT_IN_CATALOGUE) for product in ids]
    return number_of, Items(
        ids,
        repeatable=np.array([again for again, _, _ in known], dtype=np.bool_),
        on_sale=np.array([sold for _, sold, _ in known], dtype=np.bool_),
        texts=tuple(text for _, _, text in known),
    )
