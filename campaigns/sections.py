"""What campaigns tell a person in the copy of their data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from campaigns.models import (
    Conversion,
    Coupon,
    Delivery,
    Feedback,
    Hit,
    Impression,
    PushSubscription,
    SignUp,
)
from privacy import registry

Row = Mapping[str, Any]


def declare() -> None:
    registry.export_section("messages", _messages)
    registry.export_section("message_reactions", _reactions)
    registry.export_section("message_orders", _orders)
    registry.export_section("message_feedback", _feedback)
    registry.export_section("message_coupons", _coupons)
    registry.export_section("message_products", _products)
    registry.export_section("sign_ups", _sign_ups)
    registry.export_section("push_subscriptions", _browsers)


def _messages(subject: UUID, _now: datetime) -> Iterator[Row]:
    """Each place in a campaign, also where no message was sent, and why."""
    rows = Delivery.objects.filter(customer__subject__uuid=subject).order_by("due_at", "pk")
    yield from rows.values(
        *("campaign__name", "campaign__purpose", "campaign__channel", "variant__key", "locale"),
        *("state", "reason", "due_at", "sent_at"),
    )


def _reactions(subject: UUID, _now: datetime) -> Iterator[Row]:
    rows = Hit.objects.filter(delivery__customer__subject__uuid=subject).order_by("at", "pk")
    yield from rows.values(
        "delivery__campaign__name", "kind", "link__url", "at", "by_machine", "sign"
    )


def _orders(subject: UUID, _now: datetime) -> Iterator[Row]:
    """The orders that a campaign's report counts as following its message."""
    rows = Conversion.objects.filter(delivery__customer__subject__uuid=subject).order_by("pk")
    yield from rows.values("delivery__campaign__name", "order__number", "net_minor", "ordered_at")


def _feedback(subject: UUID, _now: datetime) -> Iterator[Row]:
    """What mail servers and providers told of the person's messages."""
    rows = Feedback.objects.filter(delivery__customer__subject__uuid=subject).order_by("at", "pk")
    yield from rows.values("delivery__campaign__name", "kind", "code", "source", "at")


def _coupons(subject: UUID, _now: datetime) -> Iterator[Row]:
    rows = Coupon.objects.filter(delivery__customer__subject__uuid=subject).order_by("pk")
    yield from rows.values("delivery__campaign__name", "code", "redeemed_at", "order_number")


def _products(subject: UUID, _now: datetime) -> Iterator[Row]:
    """The products that a message recommended, in their order."""
    rows = Impression.objects.filter(delivery__customer__subject__uuid=subject).order_by("pk")
    for name, placement, items in rows.values_list(
        "delivery__campaign__name", "placement", "items"
    ):
        ids = [product for product, _link in items]
        yield {"delivery__campaign__name": name, "placement": placement, "products": ids}


def _sign_ups(subject: UUID, _now: datetime) -> Iterator[Row]:
    rows = SignUp.objects.filter(about__uuid=subject).order_by("asked_at", "pk")
    yield from rows.values(
        *("form__name", "wording__text", "wording__version", "topics", "locale"),
        *("asked_at", "confirmed_at"),
    )


def _browsers(subject: UUID, _now: datetime) -> Iterator[Row]:
    """The browsers that take push messages; the endpoint says which push service they use."""
    for row in PushSubscription.objects.filter(subject__uuid=subject).order_by("made_at", "pk"):
        target = row.target.reveal() if row.target else "{}"
        yield {
            "endpoint": json.loads(target).get("endpoint", ""),
            "made_at": row.made_at,
            "gone_at": row.gone_at,
        }
