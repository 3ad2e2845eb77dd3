"""What goes wrong in every shop: orders that cleaning marks, events that an app gets wrong."""

from __future__ import annotations

import datetime as dt
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from config.demo import filling
from privacy import doors
from privacy.models import ApiKey, Source
from profiles.events import ingestion
from profiles.models import Order
from profiles.orders import ordering
from profiles.orders.statements import LineState, OrderState, RefundState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.demo.catalogue import DemoProduct
    from config.demo.filling import World

# Before the first campaign, so that no test of one counts them.
ORDERED_DAYS_AGO: Final = (96, 131, 174)
SLIP: Final = 10  # a decimal point in the wrong place
COMMA_LOST: Final = 10_000
MANY: Final = 60_000
APP: Final = "Demo app"
# The app's version with faults was out for some days; how many events had which each day.
FAULTS: Final = {"unnamed": 4, "ahead": 3, "nobody": 2, "list": 1}
FAULTY_DAYS: Final = 4


def take_flawed_orders(world: World) -> None:
    """Refunds beyond what was paid, an order to try the till out, quantities and prices mistyped."""
    source = filling.source(world.now)
    ordering.upsert(list(_flawed(world)), source_id=source.pk, now=world.now)


def _flawed(world: World) -> Iterator[OrderState]:
    by_price = sorted(world.products, key=lambda one: (one.price_minor, one.product_id))
    cheap, dear = by_price[0], by_price[-1]
    for number, days in enumerate(ORDERED_DAYS_AGO, start=1):
        product, at = by_price[number * len(by_price) // 4], world.now - timedelta(days=days)
        back = RefundState(
            key=f"R-F{number}",
            refunded_at=at + timedelta(days=9),
            amount_minor=product.price_minor * SLIP,
            product_id=product.product_id,
            quantity=1,
        )
        person = world.people[number * 7]
        yield _order(f"F{number}", at, product, customer_id=person.external_id, refunds=(back,))
    at = world.now - timedelta(days=ORDERED_DAYS_AGO[0])
    yield _order("TEST-1", at, cheap)
    yield _order("F4", at, cheap, quantity=MANY, status=Order.Status.CANCELLED)
    lost = dear.price_minor * COMMA_LOST
    yield _order("F5", at, dear, price_minor=lost, status=Order.Status.CANCELLED)


def _order(
    number: str,
    at: datetime,
    product: DemoProduct,
    *,
    quantity: int = 1,
    price_minor: int = 0,
    **facts: Any,
) -> OrderState:
    line = LineState(
        product_id=product.product_id,
        quantity=quantity,
        unit_price_minor=price_minor or product.price_minor,
        title=product.title,
        category=product.category.name,
    )
    return OrderState(
        number=number,
        stated_at=at,
        placed_at=at,
        currency=filling.CURRENCY,
        lines=(line,),
        **facts,
    )


def tell_flawed_events(world: World) -> None:
    """What the shop's app sent last week with a key it no longer has; each with its verdict."""
    first = world.now - timedelta(days=FAULTY_DAYS + 1)
    source, _created = Source.objects.get_or_create(
        name=APP, defaults={"kind": Source.Kind.APP, "created_at": first}
    )
    key, _plaintext = doors.issue(source, kind=ApiKey.Kind.APP, now=first)
    for day in range(FAULTY_DAYS):
        at = first + timedelta(days=day)
        raws = [
            msgspec.json.encode(_event(world, fault, f"{fault}-{day}-{n}", at))
            for fault, most in FAULTS.items()
            for n in range(most + day % 2)
        ]
        ingestion.take_in(raws, key=key, kind=None, sent_at=None, ip="", now=at)
    doors.revoke(key, now=world.now)


def _event(world: World, fault: str, message_id: str, at: datetime) -> dict[str, Any]:
    product = world.products[len(message_id) % len(world.products)]
    event: dict[str, Any] = {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"app-{message_id}",
        "anonymousId": "app-1",
        "timestamp": at.astimezone(dt.UTC).isoformat(),
        "properties": {"product_id": product.product_id, "name": product.title},
    }
    if fault == "unnamed":
        return event | {"event": ""}
    if fault == "ahead":
        return event | {"timestamp": (at + timedelta(days=365)).isoformat()}
    if fault == "nobody":
        return event | {"anonymousId": ""}
    return event | {"properties": [product.product_id]}
