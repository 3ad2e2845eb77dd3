"""Topics: what a person wants to hear about, channel by channel, within what they agreed to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat

from privacy.models import Channel, Consent, ConsentEntry, Topic
from privacy.purpose_registry import REGISTRY

if TYPE_CHECKING:
    from uuid import UUID

CHANNELS: Final = (Channel.EMAIL, Channel.SMS, Channel.PUSH)


def find(ledger_name: str) -> Topic | None:
    """Return the topic of a name in the consent ledger, None for a purpose's."""
    if not ledger_name.startswith(Topic.PREFIX):
        return None
    return Topic.objects.filter(key=ledger_name.removeprefix(Topic.PREFIX)).first()


def names(ledger_names: Iterable[str], language: str) -> dict[str, str]:
    """Return what purposes and topics of the ledger are called in a language; else their names."""
    wanted = set(ledger_names)
    told = {topic.ledger_name: topic.title(language) for topic in _of(wanted)}
    for name in wanted - told.keys():
        told[name] = str(REGISTRY[name].label) if name in REGISTRY else name
    return told


def titles_of(ledger_name: str) -> Subquery:
    """Return an expression: the titles of the topic that a column names, null for a purpose's."""
    named = Topic.objects.annotate(called=Concat(Value(Topic.PREFIX), "key"))
    return Subquery(named.filter(called=OuterRef(ledger_name)).values("titles")[:1])


def _of(ledger_names: set[str]) -> Iterable[Topic]:
    keys = [
        name.removeprefix(Topic.PREFIX) for name in ledger_names if name.startswith(Topic.PREFIX)
    ]
    return Topic.objects.filter(key__in=keys) if keys else ()


def shown() -> list[Topic]:
    return list(Topic.objects.filter(is_shown=True).order_by("position", "key"))


def wanted(topic: Topic | None, channel: str) -> Q:
    """Return the condition on rows with a `subject` that they want the topic on the channel."""
    if topic is None:
        return Q()
    said = Consent.objects.filter(
        subject=OuterRef("subject"), purpose=topic.ledger_name, channel=channel
    )
    if topic.by_choice:
        return Q(Exists(said.filter(state=ConsentEntry.State.GIVEN)))
    return ~Q(Exists(said.filter(state=ConsentEntry.State.WITHDRAWN)))


def said_by(subject: UUID) -> dict[tuple[str, str], str]:
    """Return what a person said, by ledger name and channel; topics alone."""
    rows = Consent.objects.filter(subject__uuid=subject, purpose__startswith=Topic.PREFIX)
    return {(row.purpose, row.channel): row.state for row in rows}


def is_on(topic: Topic, state: str | None) -> bool:
    """Whether a person who last said `state` gets the topic."""
    if topic.by_choice:
        return state == ConsentEntry.State.GIVEN
    return state != ConsentEntry.State.WITHDRAWN
