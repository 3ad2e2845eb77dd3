"""Facts become messages to webhooks: rows written in the transaction that makes the fact.

If the transaction is rolled back nobody hears of it; if it is committed, somebody surely does.
Where no webhook listens this costs one look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from privacy import event_types, registry
from privacy.models import Webhook, WebhookDelivery, WebhookMessage

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

BATCH = 1_000
DISABLED = "webhook_disabled"


@dataclass(frozen=True)
class Fact:
    """Something that happened: its type, and the members of its data.

    For a fact about `subject` the member `customerId` is filled in, the shop's id of then; null
    where the subject is no customer.
    """

    type: str
    data: Mapping[str, Any]
    subject: UUID | None = None


def is_heard(*types: str) -> bool:
    """Whether a webhook listens to one of these types; spares the search for what to tell."""
    heard = _hearing().values_list("event_types", flat=True)
    return any(not set(types).isdisjoint(some) for some in heard)


def announce(facts: Iterable[Fact], *, now: datetime) -> int:
    """Write each fact for each webhook that listens to it, and return how many are heard.

    Raises RuntimeError outside a transaction, and ValueError for data that the type's entry in
    the catalogue does not describe.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a fact is announced in the transaction that makes it one")
    told = list(facts)
    listeners = _listeners({fact.type for fact in told})
    heard = {name for webhook in listeners for name in webhook.event_types}
    told = [fact for fact in told if fact.type in heard]
    if not told:
        return 0
    messages = WebhookMessage.objects.bulk_create(_messages(told, now), batch_size=BATCH)
    WebhookDelivery.objects.bulk_create(
        (
            _delivery(message, webhook)
            for message in messages
            for webhook in listeners
            if message.type in webhook.event_types
        ),
        batch_size=BATCH,
    )
    return len(messages)


def _listeners(types: Collection[str]) -> list[Webhook]:
    """Those that failed for days among them: what they miss is kept, to be sent once they mend."""
    found = _hearing().order_by("pk")
    return [webhook for webhook in found if not set(types).isdisjoint(webhook.event_types)]


def _hearing() -> QuerySet[Webhook]:
    return Webhook.objects.filter(state__in=[Webhook.State.ENABLED, Webhook.State.FAILING])


def _messages(facts: Collection[Fact], now: datetime) -> list[WebhookMessage]:
    subjects = {fact.subject for fact in facts if fact.subject is not None}
    ids = registry.names_by_subject(subjects)
    made = []
    for fact in facts:
        data = dict(fact.data)
        if fact.subject is not None:
            data["customerId"] = ids.get(fact.subject)
        event_types.find(fact.type).check(data)
        made.append(
            WebhookMessage(type=fact.type, data=data, subject_id=fact.subject, occurred_at=now)
        )
    return made


def _delivery(message: WebhookMessage, webhook: Webhook) -> WebhookDelivery:
    delivery = WebhookDelivery(message=message, webhook=webhook, due_at=message.occurred_at)
    if not webhook.is_enabled:
        delivery.state, delivery.reason = WebhookDelivery.State.FAILED, DISABLED
        delivery.ended_at = message.occurred_at
    return delivery
