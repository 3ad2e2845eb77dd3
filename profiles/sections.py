"""What profiles tell a person in the copy of their data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from privacy import registry
from privacy.crypto.envelope import SealedIntegrityError
from privacy.fields import reveal_columns
from profiles import personas, segmentation
from profiles.models import (
    CartLine,
    Customer,
    CustomerMerge,
    CustomerTraits,
    CustomTraitValue,
    Event,
    Identifier,
    Identity,
    Order,
    OrderLine,
    OwnedDevice,
    Refund,
    Segment,
    SegmentMember,
    StaticListMember,
)

Row = Mapping[str, Any]
SEALED = ("email", "phone", "full_name", "birth_date")
OPEN = (
    "external_id", "locale", "country", "time_zone", "city", "birth_year", "gender",
    "occupation", "created_at",
)  # fmt: skip


def declare() -> None:
    registry.export_section("customer", _customer)
    registry.export_section("orders", _orders)
    registry.export_section("order_lines", _order_lines)
    registry.export_section("refunds", _refunds)
    registry.export_section("carts", _carts)
    registry.export_section("events", _events)
    registry.export_section("devices", _devices)
    registry.export_section("owned_devices", _owned_devices)
    registry.export_section("identifiers", _identifiers)
    registry.export_section("merges", _merges)
    registry.export_section("traits", _traits)
    registry.export_section("own_traits", _own_traits)
    registry.export_section("segments", _segments)
    registry.export_section("segment_stays", _stays)
    registry.export_section("lists", _lists)


def _customer(subject: UUID, _now: datetime) -> Iterator[Row]:
    mine = Customer.objects.filter(subject__uuid=subject)
    revealed = reveal_columns(mine, SEALED, "subject.rights")
    if revealed.damaged:
        raise SealedIntegrityError("the person's data does not open; restore it from the backup")
    for row in mine.values("pk", *OPEN):
        yield {**{name: row[name] for name in OPEN}, **revealed[row["pk"]]}


def _orders(subject: UUID, _now: datetime) -> Iterator[Row]:
    yield from (
        Order.objects.filter(customer__subject__uuid=subject)
        .order_by("placed_at", "pk")
        .values(
            *("number", "status", "placed_at", "country", "currency", "total_minor", "tax_minor"),
            *("shipping_minor", "discount_minor", "refunded_minor", "coupon"),
        )
    )


def _order_lines(subject: UUID, _now: datetime) -> Iterator[Row]:
    yield from (
        OrderLine.objects.filter(order__customer__subject__uuid=subject)
        .order_by("order__placed_at", "pk")
        .values(
            *("order__number", "product_id", "title", "category", "quantity"),
            *("unit_price_minor", "discount_minor", "total_minor", "refunded_minor"),
        )
    )


def _refunds(subject: UUID, _now: datetime) -> Iterator[Row]:
    columns = (
        "product_id", "quantity", "amount_minor", "beyond_minor", "currency", "refunded_at",
    )  # fmt: skip
    refunds = Refund.objects.filter(customer__subject__uuid=subject)
    yield from refunds.order_by("refunded_at", "pk").values(*columns)


def _carts(subject: UUID, _now: datetime) -> Iterator[Row]:
    lines = CartLine.objects.filter(cart__customer__subject__uuid=subject)
    yield from lines.order_by("cart__opened_at", "pk").values(
        *("cart__cart_id", "cart__state", "cart__opened_at", "cart__changed_at"),
        *("product_id", "title", "category", "quantity", "unit_price_minor", "cart__currency"),
    )


def _events(subject: UUID, _now: datetime) -> Iterator[Row]:
    events = Event.objects.filter(customer__subject__uuid=subject)
    columns = ("happened_at", "kind", "name", "product_id", "anonymous_id", "properties", "context")
    yield from events.order_by("happened_at", "pk").values(*columns)


def _devices(subject: UUID, _now: datetime) -> Iterator[Row]:
    devices = Identity.objects.filter(customer__subject__uuid=subject)
    yield from devices.order_by("pk").values("anonymous_id", "joined_at")


def _owned_devices(subject: UUID, _now: datetime) -> Iterator[Row]:
    columns = ("product_id", "title", "category", "brand", "quantity", "bought_at")
    devices = OwnedDevice.objects.filter(customer__subject__uuid=subject)
    yield from devices.order_by("bought_at", "pk").values(*columns, "warranty_ends_at")


def _identifiers(subject: UUID, _now: datetime) -> Iterator[Row]:
    """Further ids as far as we know them: of each its kind, since only a keyed tag is kept."""
    mine = Identifier.objects.filter(customer__subject__uuid=subject)
    yield from mine.order_by("pk").values("kind", "added_at")


def _merges(subject: UUID, _now: datetime) -> Iterator[Row]:
    mine = CustomerMerge.objects.filter(survivor__subject__uuid=subject)
    yield from mine.order_by("pk").values("absorbed_id", "merged_at", "undone_at", "taken")


def _traits(subject: UUID, _now: datetime) -> Iterator[Row]:
    """The figures made of the person's orders, and the persona in words of both languages."""
    mine = CustomerTraits.objects.filter(customer__subject__uuid=subject)
    names = [field.name for field in CustomerTraits._meta.concrete_fields if not field.is_relation]
    for traits in mine.select_related("persona__run"):
        row: dict[str, Any] = {name: getattr(traits, name) for name in names}
        if traits.persona is not None:
            row["persona_en"] = personas.sentence(traits.persona, "en")
            row["persona_zh"] = personas.sentence(traits.persona, "zh-hans")
        yield row


def _own_traits(subject: UUID, _now: datetime) -> Iterator[Row]:
    """The values of the shop's own traits, with what they are made of."""
    mine = CustomTraitValue.objects.filter(customer__subject__uuid=subject).order_by("trait__name")
    columns = ("trait__name", "trait__label", "trait__unit", "trait__event", "number", "text")
    yield from mine.values(*columns)


def _segments(subject: UUID, now: datetime) -> Iterator[Row]:
    """The segments the person is in at this moment, with their rules in words."""
    keys = list(Customer.objects.filter(subject__uuid=subject).values_list("pk", flat=True))
    for segment in Segment.objects.order_by("name"):
        if segmentation.unreadable(segment) is None and segmentation.of_these(
            keys, segment.rule, now
        ):
            yield {"segment": segment.name, "rule": segmentation.describe(segment.rule, "en")}


def _lists(subject: UUID, _now: datetime) -> Iterator[Row]:
    """The lists the shop put the person on."""
    mine = StaticListMember.objects.filter(customer__subject__uuid=subject)
    for name, added_at in mine.order_by("pk").values_list("static_list__name", "added_at"):
        yield {"list": name, "added_at": added_at}


def _stays(subject: UUID, _now: datetime) -> Iterator[Row]:
    """When the person was in which segment, as far as that was kept."""
    mine = SegmentMember.objects.filter(customer__subject__uuid=subject).order_by("pk")
    for name, entered_at, left_at in mine.values_list("segment__name", "entered_at", "left_at"):
        yield {"segment": name, "entered_at": entered_at, "left_at": left_at}
