"""What privacy itself tells a person in the copy of their data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import TextField
from django.db.models.functions import Cast

from privacy import recipients, registry
from privacy.models import (
    AuditEntry,
    ConsentEntry,
    Disclosure,
    PrivacyRequest,
    Subject,
    WebhookDelivery,
)

Row = Mapping[str, Any]


def declare() -> None:
    registry.export_section("rights", _rights)
    registry.export_section("consents", _consents)
    registry.export_section("accesses", _accesses)
    registry.export_section("requests", _requests)
    registry.export_section("recipients", _recipients)
    registry.export_section("webhooks", _webhooks)


def _rights(subject: UUID, _now: datetime) -> Iterator[Row]:
    columns = ("uuid", "restricted", "objected", "no_profiling")
    yield from Subject.objects.filter(uuid=subject).values(*columns)


def _consents(subject: UUID, _now: datetime) -> Iterator[Row]:
    columns = ("purpose", "channel", "state", "wording", "source", "happened_at", "recorded_at")
    entries = ConsentEntry.objects.filter(subject__uuid=subject)
    yield from entries.order_by("happened_at", "pk").values(*columns)


def _accesses(subject: UUID, _now: datetime) -> Iterator[Row]:
    """Who opened the person's data, when, for what: accounts by number, not by name."""
    columns = ("at", "actor", "action", "purpose", "fields", "outcome")
    entries = AuditEntry.objects.annotate(named=Cast("subjects", TextField()))
    yield from entries.filter(named__contains=str(subject)).order_by("pk").values(*columns)


def _recipients(subject: UUID, now: datetime) -> Iterator[Row]:
    """Who else has the person's data; moments where each handing out is noted."""
    given = {row.recipient_id: row for row in Disclosure.objects.filter(subject__uuid=subject)}
    for recipient in recipients.of(subject, today=now.date()).order_by("name", "pk"):
        noted = given.get(recipient.pk)
        yield {
            "name": recipient.name,
            "kind": recipient.kind,
            "first_at": noted.first_at if noted else None,
            "last_at": noted.last_at if noted else None,
        }


def _requests(subject: UUID, _now: datetime) -> Iterator[Row]:
    columns = ("uuid", "kind", "law", "state", "created_at", "due_at", "closed_at", "reason")
    yield from PrivacyRequest.objects.filter(about__uuid=subject).order_by("pk").values(*columns)


def _webhooks(subject: UUID, _now: datetime) -> Iterator[Row]:
    """What other systems of the shop were told of, by the names of their webhooks."""
    told = WebhookDelivery.objects.filter(message__subject__uuid=subject).order_by("pk")
    for name, event, at, state in told.values_list(
        "webhook__name", "message__type", "message__occurred_at", "state"
    ):
        yield {"webhook": name, "event": event, "occurred_at": at, "state": state}
