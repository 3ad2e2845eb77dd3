"""Bringing in suppressions: addresses never to be written to; only their keyed tags are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from privacy import suppression
from privacy.crypto.blind_index import NotAnAddressError
from privacy.models import Suppression
from privacy.suppression import Entry
from profiles.importing.comparing import Compared
from profiles.importing.consent_rows import CHANNELS
from profiles.importing.customer_rows import RejectedError
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


def parse(values: Mapping[str, str]) -> Entry:
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
    return Entry(channel, tag, REASONS[reason])


def compared(rows: Sequence[Entry]) -> Compared:
    """The addresses beside those that are kept off; the reason that was first stays."""
    fresh = set(suppression.unknown(rows))
    return Compared(
        [_cells(row) for row in rows], [_cells(row) for row in set(rows) if row not in fresh]
    )


def _cells(row: Entry) -> dict[str, str]:
    key = f"{row.channel}:{row.tag.hex()}"
    return {"key": key, "channel": row.channel, "reason": row.reason}


def insert(
    rows: Sequence[Entry], *, upload: Upload, now: dt.datetime, preview: bool = False
) -> int:
    """Keep the addresses off; returns how many were not before. The first reason stays."""
    fresh = suppression.unknown(rows)
    if preview:
        return len(fresh)
    UploadChange.objects.bulk_create(
        (
            UploadChange(
                upload=upload,
                kind=UploadChange.Kind.SUPPRESSION,
                key=f"{row.channel}:{row.tag.hex()}",
                is_new=True,
                after={"reason": row.reason},
            )
            for row in fresh
        ),
        ignore_conflicts=True,
    )
    named = [replace(row, source=f"import {upload.pk}") for row in fresh]
    suppression.suppress_many(named, now=now)
    return len(fresh)
