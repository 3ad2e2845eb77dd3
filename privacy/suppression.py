"""Addresses that are never written to again, kept as keyed tags that outlive the person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils.translation import gettext as _

from privacy import announcing, audit, registry
from privacy.announcing import Fact
from privacy.crypto import blind_index
from privacy.models import Channel, Suppression
from privacy.problems import DomainError
from privacy.sealed import keys

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

EXPORTED_AT_ONCE: Final = 1_000
ADDED: Final = "suppression.added"
LIFTED: Final = "suppression.lifted"
# What staff may end: it says that an address did not work, or came in a file. The others are a
# person's own word, or an erasure, which that person alone takes back by agreeing anew.
LIFTABLE: Final = frozenset({Suppression.Reason.BOUNCED, Suppression.Reason.IMPORTED})


@dataclass(frozen=True)
class Entry:
    """An address to keep off, as its tag; the address itself is not held."""

    channel: str
    tag: bytes
    reason: str
    source: str = ""


def tag_of(channel: str, address: str) -> bytes:
    """Return the tag of an e-mail address or an E.164 number, the one customers carry.

    Raises NotAnAddressError, and ValueError for a channel without addresses.
    """
    if channel == Channel.EMAIL:
        return blind_index.tag(
            keys().index_key("suppression", "email"),
            blind_index.mailbox(blind_index.normalise_email(address)),
        )
    if channel == Channel.SMS:
        number = blind_index.normalise_phone(address)
        return blind_index.tag(keys().index_key("suppression", "phone"), number)
    raise ValueError(f"the channel {channel!r} has no addresses")


def suppress(
    channel: str, address: str, *, reason: str, now: datetime, source: str = ""
) -> Suppression:
    """Keep an address off a channel for good; the first reason stays."""
    tag = tag_of(channel, address)
    return suppress_tag(channel, tag, reason=reason, now=now, source=source)


@transaction.atomic
def suppress_tag(
    channel: str, tag: bytes, *, reason: str, now: datetime, source: str = ""
) -> Suppression:
    """Keep off the address behind `tag`, as in `Customer.email_suppression_tag`.

    The first reason stays, but that an erasure outlives what staff may lift.
    """
    there, is_new = Suppression.objects.get_or_create(
        channel=channel,
        address_tag=bytes(tag),
        defaults={"reason": reason, "created_at": now, "source": source[:60]},
    )
    if reason == Suppression.Reason.ERASED and there.reason in LIFTABLE:
        there.reason = reason
        there.save(update_fields=["reason"])
    # Of an erasure, webhooks hear as such.
    if is_new and reason != Suppression.Reason.ERASED and announcing.is_heard(ADDED):
        _announce(ADDED, [Entry(channel, bytes(tag), reason)], now=now)
    return there


@transaction.atomic
def suppress_many(entries: Sequence[Entry], *, now: datetime) -> None:
    """Keep all these addresses off, which `unknown` gave. The first reason stays."""
    Suppression.objects.bulk_create(
        (
            Suppression(
                channel=one.channel,
                address_tag=one.tag,
                reason=one.reason,
                source=one.source[:60],
                created_at=now,
            )
            for one in entries
        ),
        ignore_conflicts=True,
    )
    if announcing.is_heard(ADDED):
        _announce(ADDED, entries, now=now)


def is_suppressed(channel: str, address: str) -> bool:
    tag = tag_of(channel, address)
    return Suppression.objects.filter(channel=channel, address_tag=tag).exists()


def lift_tag(channel: str, tag: bytes, *, reason: str, now: datetime) -> bool:
    """Let the address behind `tag` be written to again, if that was the reason it was not."""
    found = Suppression.objects.filter(channel=channel, address_tag=bytes(tag), reason=reason)
    return lift_all(found, now=now) > 0


@transaction.atomic
def lift_all(found: QuerySet[Suppression], *, now: datetime) -> int:
    """Let these addresses be written to again, and return how many they are."""
    rows = list(found.select_for_update())
    if rows and announcing.is_heard(LIFTED):
        entries = [Entry(row.channel, bytes(row.address_tag), row.reason) for row in rows]
        _announce(LIFTED, entries, now=now)
    Suppression.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


@transaction.atomic
def lift(suppression: Suppression, *, reason: str, actor: str, now: datetime) -> None:
    """Let an address be written to again because somebody of the staff says why.

    Raises DomainError `not_liftable`, and `reason_missing` for an empty `reason`.
    """
    if suppression.reason not in LIFTABLE:
        detail = _(
            "The shop did not stop this address: whoever unsubscribed or complained has to agree "
            "anew, and after an erasure it stays."
        )
        raise DomainError("not_liftable", detail, status=HTTPStatus.CONFLICT)
    if not reason.strip():
        detail = _("Say why the address may be written to again.")
        raise DomainError("reason_missing", detail, pointer="/reason")
    tag = bytes(suppression.address_tag)
    whose = registry.subjects_tagged(suppression.channel, [tag])
    if not lift_tag(suppression.channel, tag, reason=suppression.reason, now=now):
        return  # somebody else was first
    audit.append(
        "suppression.lifted",
        actor=actor,
        at=now,
        subjects=[subject.bytes for _tag, subject in whose],
        fields=[suppression.channel],
        reason=reason.strip(),
    )


def unknown(entries: Sequence[Entry]) -> list[Entry]:
    """Return the first entry of each address that is not suppressed yet."""
    tags = [one.tag for one in entries]
    there = Suppression.objects.filter(address_tag__in=tags).values_list("channel", "address_tag")
    known = {(channel, bytes(tag)) for channel, tag in there}
    fresh: dict[tuple[str, bytes], Entry] = {}
    for one in entries:
        if (one.channel, one.tag) not in known:
            fresh.setdefault((one.channel, one.tag), one)
    return list(fresh.values())


def by_hand(channel: str, address: str, *, actor: str, now: datetime) -> Suppression:
    """Keep an address off because somebody of the staff was told to, which is kept.

    Raises DomainError `address_invalid`, and `unknown_channel` for one without addresses.
    """
    try:
        tag = tag_of(channel, address)
    except blind_index.NotAnAddressError:
        detail = _("This is no address of the channel: name@example.com, or +8613800138000.")
        raise DomainError("address_invalid", detail, pointer="/address") from None
    except ValueError:
        detail = _("Addresses are kept off e-mail and text messages.")
        raise DomainError("unknown_channel", detail, pointer="/channel") from None
    made = suppress_tag(channel, tag, reason=Suppression.Reason.IMPORTED, now=now, source="by hand")
    whose = registry.subjects_tagged(channel, [tag])
    audit.append(
        "suppression.added",
        actor=actor,
        at=now,
        subjects=[subject.bytes for _tag, subject in whose],
        fields=[channel],
        reason="by hand",
    )
    return made


def exported(rows: QuerySet[Suppression]) -> Iterator[dict[str, str]]:
    """Give the rows with whose they are, as far as known; addresses are not held.

    Two queries for each thousand rows.
    """
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:EXPORTED_AT_ONCE]):
        last = batch[-1].pk
        whose: dict[tuple[str, bytes], list[UUID]] = {}
        for channel in sorted({row.channel for row in batch}):
            tags = [bytes(row.address_tag) for row in batch if row.channel == channel]
            for tag, subject in registry.subjects_tagged(channel, tags):
                whose.setdefault((channel, bytes(tag)), []).append(subject)
        names = registry.names_by_subject({one for found in whose.values() for one in found})
        for row in batch:
            people = whose.get((row.channel, bytes(row.address_tag)), [])
            yield {
                "channel": row.channel,
                "reason": row.reason,
                "source": row.source,
                "created_at": row.created_at.isoformat(),
                "customer_id": " ".join(sorted(filter(None, map(names.get, people)))),
                "tag": bytes(row.address_tag).hex(),
            }


def _announce(fact: str, entries: Sequence[Entry], *, now: datetime) -> None:
    """Tell of the customers these addresses belong to; of strangers there is nothing to tell."""
    for channel in sorted({one.channel for one in entries}):
        reasons = {one.tag: one.reason for one in entries if one.channel == channel}
        announcing.announce(
            (
                Fact(fact, {"channel": channel, "reason": str(reasons[tag])}, subject)
                for tag, subject in registry.subjects_tagged(channel, reasons)
            ),
            now=now,
        )
