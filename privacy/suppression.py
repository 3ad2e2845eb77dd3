"""Addresses that are never written to again, kept as keyed tags that outlive the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from privacy.crypto import blind_index
from privacy.models import Channel, Suppression
from privacy.sealed import keys

if TYPE_CHECKING:
    from datetime import datetime


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


def suppress(channel: str, address: str, *, reason: str, now: datetime) -> Suppression:
    """Keep an address off a channel for good; the first reason stays."""
    return suppress_tag(channel, tag_of(channel, address), reason=reason, now=now)


def suppress_tag(channel: str, tag: bytes, *, reason: str, now: datetime) -> Suppression:
    """Keep off the address behind `tag`, as in `Customer.email_suppression_tag`."""
    return Suppression.objects.get_or_create(
        channel=channel,
        address_tag=bytes(tag),
        defaults={"reason": reason, "created_at": now},
    )[0]


def is_suppressed(channel: str, address: str) -> bool:
    tag = tag_of(channel, address)
    return Suppression.objects.filter(channel=channel, address_tag=tag).exists()


def lift_tag(channel: str, tag: bytes, *, reason: str) -> bool:
    """Let the address behind `tag` be written to again, if that was the reason it was not."""
    there = Suppression.objects.filter(channel=channel, address_tag=bytes(tag), reason=reason)
    return there.delete()[0] > 0
