"""What a person chose, on a page of their own that a signed link opens: to say no is one click."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from privacy import consent, opt_in, rights, tokens, topics
from privacy.consent import Declaration
from privacy.models import Channel, Consent, ConsentEntry, Subject, Topic
from privacy.problems import DomainError
from privacy.purpose_registry import REGISTRY
from privacy.rights import Right

if TYPE_CHECKING:
    from uuid import UUID

    from django_stubs_ext import StrOrPromise

USE = "preferences"
SOURCE = "preference page"
ACTOR = "person:preferences"


@dataclass(frozen=True)
class Choice:
    """One purpose on one channel: whether it is used now, and whether the person may switch it on.

    What needs only a notice is refused here and cannot be asked for.
    """

    purpose: str
    channel: str
    label: StrOrPromise
    by: StrOrPromise
    is_on: bool
    can_give: bool


def link(subject: UUID, language: str = "") -> str:
    """Return the address of a person's preference page, in the language they are written to in."""
    page = settings.PUBLIC_URL + reverse("preferences", args=[tokens.token(USE, subject)])
    return f"{page}?{urlencode({'language': language})}" if language else page


def is_ours(token: str) -> bool:
    """Whether a token was made here, even if the person it was made for is erased since."""
    return tokens.read(USE, token) is not None


def find(token: str) -> Subject | None:
    """Return whose page a token opens; None for no token of ours and for somebody erased."""
    uuid = tokens.read(USE, token)
    if uuid is None:
        return None
    return Subject.objects.filter(uuid=uuid, erased_at__isnull=True).first()


def choices(subject: Subject) -> list[Choice]:
    """Return every purpose that the ledger speaks of, in the order of their names."""
    rows = Consent.objects.filter(subject=subject)
    states = {(row.purpose, row.channel): row.state for row in rows}
    off = {None, ConsentEntry.State.WITHDRAWN}
    return [
        Choice(
            name,
            channel,
            purpose.label,
            Channel(channel).label,
            is_on=states.get((name, channel)) not in off,
            can_give=purpose.needs_consent,
        )
        for name, purpose in sorted(REGISTRY.items())
        if purpose.is_declared
        for channel in sorted(purpose.channels)
    ]


@dataclass(frozen=True)
class TopicRow:
    """A topic with the channels it can be wanted on: whether it is, and its name in a form."""

    title: str
    note: str
    cells: tuple[tuple[str, StrOrPromise, bool], ...]


def topic_channels(subject: Subject) -> list[str]:
    """Return the channels a person can choose topics on: e-mail, and those they agreed to."""
    marketing = [name for name, purpose in REGISTRY.items() if purpose.is_marketing]
    agreed = set(
        Consent.objects.filter(subject=subject, purpose__in=marketing)
        .exclude(state=ConsentEntry.State.WITHDRAWN)
        .values_list("channel", flat=True)
    )
    return [one.value for one in topics.CHANNELS if one == Channel.EMAIL or one.value in agreed]


def topic_rows(subject: Subject, language: str) -> list[TopicRow]:
    """Return the topics that are shown, in a person's language, with what holds on each channel."""
    shown = topics.shown()
    if not shown:
        return []
    said, channels = topics.said_by(subject.uuid), topic_channels(subject)
    return [
        TopicRow(
            topic.title(language),
            topic.note(language),
            tuple(
                (
                    f"{topic.key}:{channel}",
                    Channel(channel).label,
                    topics.is_on(topic, said.get((topic.ledger_name, channel))),
                )
                for channel in channels
            ),
        )
        for topic in shown
    ]


@transaction.atomic
def choose_topics(
    subject: Subject, offered: Iterable[str], on: Collection[str], *, locale: str, now: datetime
) -> int:
    """Keep which of the `offered` topics, each as `key:channel`, the person wants; how many changed.

    Only what changes goes into the ledger; what was not offered stays.
    """
    known = {topic.key: topic for topic in topics.shown()}
    channels = topic_channels(subject)
    said = topics.said_by(subject.uuid)
    changed = []
    for name in dict.fromkeys(offered):
        key, _colon, channel = name.partition(":")
        if (topic := known.get(key)) is None or channel not in channels:
            continue
        wants = name in on
        if wants != topics.is_on(topic, said.get((topic.ledger_name, channel))):
            changed.append(_of_topic(subject, topic, channel, on=wants, locale=locale, now=now))
    return consent.record_many(changed, now=now)


def refuse_topic(
    subject: Subject, topic: Topic, channel: str, *, source: str, locale: str, now: datetime
) -> None:
    """Take one topic off a channel and leave the others; safe to repeat."""
    said = topics.said_by(subject.uuid).get((topic.ledger_name, channel))
    if said != ConsentEntry.State.WITHDRAWN:
        told = _of_topic(subject, topic, channel, on=False, locale=locale, now=now, source=source)
        consent.record_many([told], now=now)


def _of_topic(
    subject: Subject,
    topic: Topic,
    channel: str,
    *,
    on: bool,
    locale: str,
    now: datetime,
    source: str = SOURCE,
) -> Declaration:
    answer = _("Yes, please") if on else _("No, thank you")
    return Declaration(
        subject.uuid,
        topic.ledger_name,
        channel,
        ConsentEntry.State.GIVEN if on else ConsentEntry.State.WITHDRAWN,
        f"{topic.title(locale)} ({Channel(channel).label}): {answer}",
        source,
        now,
        locale=locale,
    )


@transaction.atomic
def choose(
    subject: Subject,
    purpose: str,
    channel: str,
    *,
    on: bool,
    wording: str,
    locale: str,
    now: datetime,
) -> None:
    """Give or withdraw one consent; `wording` is what the person pressed.

    Raises DomainError as `consent.check` does, and for what the page does not offer.
    """
    if on and purpose in REGISTRY and not REGISTRY[purpose].needs_consent:
        raise DomainError("unknown_purpose", _("Nobody has to agree to this."), pointer="/purpose")
    consent.record(
        subject,
        purpose,
        channel,
        ConsentEntry.State.GIVEN if on else ConsentEntry.State.WITHDRAWN,
        wording=wording,
        source=SOURCE,
        locale=locale,
        happened_at=now,
        now=now,
    )
    if on:
        opt_in.welcome_back(subject, channel, now=now)


def profile(subject: Subject, *, allowed: bool, now: datetime) -> None:
    """Let, or no longer let, the person be profiled: segments, personas, recommendations."""
    rights.switch(subject, Right.NO_PROFILING, on=not allowed, actor=ACTOR, now=now)
