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
from profiles.models import Upload, UploadChange

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


def insert(
    rows: Sequence[SuppressionRow], *, upload: Upload, now: dt.datetime, preview: bool = False
) -> int:
    """Keep the addresses off; returns how many were not before. The first reason stays."""
    wanted = {f"{row.channel}:{row.tag.hex()}": row for row in reversed(rows)}
    tags = [row.tag for row in rows]
    found = Suppression.objects.filter(address_tag__in=tags).values_list("channel", "address_tag")
    known = {f"{channel}:{bytes(tag).hex()}" for channel, tag in found}
    fresh = {key: row for key, row in wanted.items() if key not in known}
    if preview:
        return len(fresh)
    UploadChange.objects.bulk_create(
        (
            UploadChange(
                upload=upload,
                kind=UploadChange.Kind.SUPPRESSION,
                key=key,
                is_new=True,
                after={"reason": row.reason},
            )
            for key, row in fresh.items()
        ),
        ignore_conflicts=True,
    )
    Suppression.objects.bulk_create(
        (
            Suppression(channel=row.channel, address_tag=row.tag, reason=row.reason, created_at=now)
            for row in fresh.values()
        ),
        ignore_conflicts=True,
    )
    return len(fresh)
