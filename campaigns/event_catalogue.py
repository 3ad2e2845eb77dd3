"""What webhooks hear of messages: each step of a delivery, by ids, codes and times."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from campaigns.models import Delivery
from privacy import announcing, event_types
from privacy.announcing import Fact
from privacy.event_types import Member

SENT: Final = "message.sent"
FAILED: Final = "message.failed"
UNKNOWN: Final = "message.unknown"
SKIPPED: Final = "message.skipped"
BOUNCED: Final = "message.bounced"
COMPLAINED: Final = "message.complained"
OPENED: Final = "message.opened"
CLICKED: Final = "message.clicked"
UNSUBSCRIBED: Final = "message.unsubscribed"
MEMBERS: Final = (
    Member("deliveryId", "The number of the message, as in its Message-ID."),
    Member(
        "messageId", "The id under /v1/messages; null for a campaign's.", "uuid", can_be_null=True
    ),
    Member("campaignId", "The id under /v1/campaigns, or of a step of an automation.", "uuid"),
    Member("kind", "campaign, automation or transactional."),
    Member("channel", "email, sms or push."),
    Member("reason", "The rule that skipped it, or the server's code; else empty."),
    Member("customerId", "The shop's id of the customer.", can_be_null=True),
)
TYPES: Final = {
    SENT: (_("A message was sent"), "A mail server, gateway or push service took the message."),
    FAILED: (_("A message failed"), "Refused for good, or too often for the time being."),
    UNKNOWN: (
        _("A message may have been sent"),
        "The connection or the worker died after the intent; it is not sent again.",
    ),
    SKIPPED: (_("A message was skipped"), "A rule barred it; reason says which."),
    BOUNCED: (_("A message bounced"), "The address, or its server, gave the message back."),
    COMPLAINED: (_("A message was called spam"), "Its reader complained to their provider."),
    OPENED: (_("A message was opened"), "By a person, as far as can be told a few minutes later."),
    CLICKED: (
        _("A message was clicked"),
        "By a person, as far as can be told a few minutes later.",
    ),
    UNSUBSCRIBED: (_("A reader unsubscribed"), "By the link or button of this message."),
}


def declare() -> None:
    for name, (title, about) in TYPES.items():
        event_types.register(name, title, MEMBERS, about=about, is_about_customers=True)


def tell(reasons: Mapping[str, Mapping[int, str]], now: datetime) -> None:
    """Announce, by type, the deliveries with the reason of each.

    Where no webhook listens this costs one look.
    """
    told = {name: rows for name, rows in reasons.items() if rows}
    if not told or not announcing.is_heard(*told):
        return
    rows = _rows({pk for some in told.values() for pk in some})
    facts = [
        Fact(name, _data(rows[pk], reason), rows[pk].customer.subject_id)
        for name, some in told.items()
        for pk, reason in some.items()
        if pk in rows
    ]
    with transaction.atomic():
        announcing.announce(facts, now=now)


def tell_one(name: str, delivery: Delivery, now: datetime) -> None:
    tell({name: {delivery.pk: ""}}, now)


def _rows(pks: Collection[int]) -> dict[int, Delivery]:
    rows = Delivery.objects.select_related("campaign", "customer", "service")
    return rows.defer("service__data").in_bulk(list(pks))


def _data(row: Delivery, reason: str) -> dict[str, str | None]:
    service = getattr(row, "service", None)
    return {
        "deliveryId": str(row.pk),
        "messageId": str(service.uuid) if service else None,
        "campaignId": str(row.campaign.uuid),
        "kind": row.campaign.kind,
        "channel": row.campaign.channel,
        "reason": reason,
        "customerId": None,
    }
