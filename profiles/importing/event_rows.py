"""Bringing in events: each row is one call, checked and cleaned as the event door does it.

A row without an id gets one from what it says, and ids of earlier files are known for as long
as their uploads are, so that a file brought in twice adds nothing twice. Orders are money and
come as orders: an event that tells of one is refused.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from privacy.models import Source
from profiles import asking
from profiles.events import sealing, staging, wire
from profiles.importing.comparing import Compared
from profiles.importing.customer_rows import RejectedError
from profiles.models import Upload, UploadChange
from profiles.models.event import ORDER_EVENTS

SOURCE: Final = "Event files"
PROPERTY: Final = "properties."
LONGEST_SECONDS: Final = 11  # 99,999,999,999 s is the year 5138: longer digits are milliseconds


@dataclass
class Inserted:
    """What became of rows: `n_masked` are those of which personal data was left out."""

    n_new: int = 0
    n_same: int = 0
    n_masked: int = 0


def more(columns: Sequence[str], places: Mapping[str, int]) -> dict[str, int]:
    """Columns that hold no field of ours are properties, by their own names."""
    taken = set(places.values())
    parts = {name.partition(".")[0] for name in columns if "." in name} & set(columns)
    return {
        f"{PROPERTY}{name}": at
        for at, name in enumerate(columns)
        if at not in taken and name and name.partition(".")[0] not in parts
    }


def parse(values: Mapping[str, str], *, zone: ZoneInfo, now: dt.datetime) -> wire.Message:
    """Check the cells of a row; times without an offset are of `zone`.

    Raises RejectedError with the code of the first fault.
    """
    cells = {name: value.strip() for name, value in values.items()}
    name, kind = cells.get("event", ""), cells.get("type", "").lower() or "track"
    call: dict[str, Any] = {
        "type": kind,
        "event" if kind == "track" else "name": name,
        "userId": cells.get("external_id", ""),
        "anonymousId": cells.get("anonymous_id", ""),
        "previousId": cells.get("previous_id", ""),
        "timestamp": _moment(cells["happened_at"], zone).isoformat(),
        "properties": _object(cells.get("properties", "")) | _rest(cells),
        "traits": _object(cells.get("traits", "")),
        "context": _object(cells.get("context", "")),
    }
    if cells.get("product_id"):
        call["properties"]["product_id"] = cells["product_id"]
    raw = msgspec.json.encode(call)
    call["messageId"] = cells.get("message_id") or f"file-{hashlib.sha256(raw).hexdigest()[:40]}"
    try:
        message = wire.read(
            msgspec.json.encode(call), kind=None, sent_at=None, received_at=now, ip=""
        )
    except wire.RejectedError as error:
        raise RejectedError(error.code) from None
    if message.name in ORDER_EVENTS:  # by now also by the names of other trackers
        raise RejectedError("order_event")
    return message


def _rest(cells: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(PROPERTY): value
        for name, value in cells.items()
        if name.startswith(PROPERTY) and value
    }


def _object(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise RejectedError("json_invalid") from None


def _moment(text: str, zone: ZoneInfo) -> dt.datetime:
    try:
        if text.isdigit():
            seconds = int(text) if len(text) <= LONGEST_SECONDS else int(text) / 1000
            return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
        moment = dt.datetime.fromisoformat(text.replace("/", "-"))
    except (ValueError, OverflowError, OSError):
        raise RejectedError("date_invalid") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def source(now: dt.datetime) -> Source:
    """Return the source of all event files."""
    found, _is_new = Source.objects.get_or_create(
        name=SOURCE, defaults={"kind": Source.Kind.FILE, "created_at": now}
    )
    return found


def compared(rows: Sequence[wire.Message]) -> Compared:
    """The events beside those that earlier files brought; an event never changes."""
    known = _known({row.message_id for row in rows})
    cells = [
        {
            "key": row.message_id,
            "event": row.name,
            "happened_at": f"{row.happened_at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}",
        }
        for row in rows
    ]
    return Compared(cells, list({one["key"]: one for one in cells if one["key"] in known}.values()))


def _known(message_ids: Collection[str]) -> set[str]:
    changes = UploadChange.objects.filter(
        kind=UploadChange.Kind.EVENT, key__in=message_ids, undone_at__isnull=True
    )
    return set(changes.values_list("key", flat=True))


def insert(
    rows: Sequence[wire.Message], *, upload: Upload, now: dt.datetime, preview: bool = False
) -> Inserted:
    """Stage the events for the merge and note them for `undoing`, or only count them."""
    wanted = {row.message_id: row for row in rows}
    known = _known(wanted)
    fresh = [row for key, row in wanted.items() if key not in known]
    done = Inserted(n_new=len(fresh), n_same=len(rows) - len(fresh))
    if preview or not fresh:
        return done
    sealing.seal(fresh, is_confirmed=True, now=now)
    done.n_masked = sum(bool(row.concerns) for row in fresh)
    staging.write(fresh, source_id=source(now).pk, is_confirmed=True, received_at=now)
    UploadChange.objects.bulk_create(
        UploadChange(upload=upload, kind=UploadChange.Kind.EVENT, key=row.message_id, is_new=True)
        for row in fresh
    )
    asking.ask_for_merge(now)
    return done
