"""Bringing in suppressions: addresses never to be written to; only their keyed tags are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from privacy import suppression
from privacy.crypto.blind_index import NotAnAddressError
from privacy.models import Suppression
from profiles.importing_consents import CHANNELS
from profiles.importing_customers import RejectedError

REASONS = {
    name: reason
    for reason, names in {
        Suppression.Reason.UNSUBSCRIBED: "unsubscribed unsubscribe opt-out optout 退订",
        Suppression.Reason.BOUNCED: "bounced bounce hard-bounce 退信",
        Suppression.Reason.COMPLAINED: "complained complaint spam abuse 投诉",
        Suppression.Reason.IMPORTED: "imported other",
    }.items()
    for name in names.split()
}


@dataclass(frozen=True)
class SuppressionRow:
    """An address as its tag; the address itself is not held."""

    channel: str
    tag: bytes
    reason: str


def parse(values: Mapping[str, str]) -> SuppressionRow:
    """Check the cells of a row; raises RejectedError with the code of the first fault.

    Without a channel an address with an @ is an e-mail address, else a telephone number.
    """
    cells = {name: " ".join(value.split()) for name, value in values.items()}
    address, said = cells["address"], cells.get("channel", "").casefold()
    channel = CHANNELS.get(said, said) or ("email" if "@" in address else "sms")
    reason = cells.get("reason", "").casefold() or Suppression.Reason.IMPORTED.value
    if reason not in REASONS:
        raise RejectedError("reason_unknown")
    try:
        tag = suppression.tag_of(channel, address)
    except NotAnAddressError:
        raise RejectedError("address_invalid") from None
    except ValueError:
        raise RejectedError("unknown_channel") from None
    return SuppressionRow(channel, tag, REASONS[reason])


def insert(rows: Sequence[SuppressionRow], *, now: dt.datetime) -> int:
    """Keep the addresses off; returns how many were not before. The first reason stays."""
    n_before = Suppression.objects.count()
    Suppression.objects.bulk_create(
        (
            Suppression(channel=row.channel, address_tag=row.tag, reason=row.reason, created_at=now)
            for row in rows
        ),
        ignore_conflicts=True,
    )
    return Suppression.objects.count() - n_before
