"""Keeping accepted events until the merge: a parcel for all events of a request.

A row for each event would cost the database as much again as the event itself. A parcel is JSON:
the contexts, of which most events of a request have the same, and the events, each a list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from django.db import connection, transaction

from profiles.arrivals import Arrival, Parcel
from profiles.events.wire import Message
from profiles.models import EventStaging

MOST_IN_ONE: Final = 500
COLUMNS: Final = "source_id, is_confirmed, received_at, n_events, events"
INSERT: Final = f"INSERT INTO profiles_eventstaging ({COLUMNS}) VALUES (%s, %s, %s, %s, %s)"  # noqa: S608 -- a constant  # nosec B608
# A statement that holds a parcel would be read through as one before the parcel is.
COPY: Final = f"COPY profiles_eventstaging ({COLUMNS}) FROM STDIN"
# Kind, message id, name, customer, previous id, anonymous id, product, moment, properties, context.
Row = tuple[str, str, str, str, str, str, str, str, msgspec.Raw, int]


class Packed(msgspec.Struct, array_like=True):
    """What a parcel holds."""

    contexts: list[msgspec.Raw]
    events: list[Row]


_encoder = msgspec.json.Encoder()
_packed = msgspec.json.Decoder(Packed)


def write(
    messages: Sequence[Message],
    *,
    source_id: int,
    is_confirmed: bool,
    received_at: datetime,
) -> None:
    """Stage `messages`, whose ids are tags already, for the merge."""
    head = (source_id, is_confirmed, connection.ops.adapt_datetimefield_value(received_at))
    for start in range(0, len(messages), MOST_IN_ONE):
        some = messages[start : start + MOST_IN_ONE]
        _store((*head, len(some)), _pack(some))


def _store(head: tuple[Any, ...], events: bytes) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            line = "".join(f"{value}\t" for value in head).encode()
            with connection.wrap_database_errors, cursor.copy(COPY) as copy:
                # Of what COPY takes for its own, JSON without spaces holds the backslash alone.
                copy.write(line + events.replace(b"\\", rb"\\") + b"\n")
        else:
            cursor.execute(INSERT, [*head, events.decode()])


def _pack(messages: Sequence[Message]) -> bytes:
    places: dict[int, int] = {}
    contexts: list[dict[str, Any]] = []
    rows = []
    for message in messages:
        # Messages of one request share their contexts, not only what is in them.
        if (place := places.get(id(message.context))) is None:
            place = places[id(message.context)] = len(contexts)
            contexts.append(message.context)
        rows.append(
            (
                message.kind, message.message_id, message.name, message.user_id,
                message.previous_id, message.anonymous_id, message.product_id,
                message.happened_at, message.properties, place,
            )
        )  # fmt: skip
    return _encoder.encode((contexts, rows))


def unpack(staged: EventStaging) -> list[Arrival]:
    packed = _packed.decode(staged.events)
    parcel = Parcel(
        pk=staged.pk,
        source_id=staged.source_id,
        is_confirmed=staged.is_confirmed,
        received_at=staged.received_at,
        contexts=[bytes(one).decode() for one in packed.contexts],
    )
    return [Arrival(parcel, *row) for row in packed.events]


def take(limit: int) -> list[Arrival]:
    """Take the events that wait longest, `limit` or the rest of a parcel more; in a transaction."""
    chosen, n_events = [], 0
    waiting = EventStaging.objects.order_by("pk").values_list("pk", "n_events")
    for pk, n in waiting[:limit]:
        chosen.append(pk)
        n_events += n
        if n_events >= limit:
            break
    parcels = EventStaging.objects.filter(pk__in=chosen).order_by("pk")
    taken = list(parcels.select_for_update(skip_locked=True))
    EventStaging.objects.filter(pk__in=[one.pk for one in taken]).delete()
    return [arrival for one in taken for arrival in unpack(one)]


def newest(n_parcels: int) -> Iterator[Arrival]:
    """What waits in the newest parcels, the newest first."""
    for staged in EventStaging.objects.order_by("-pk")[:n_parcels]:
        yield from reversed(unpack(staged))


def of(customer_refs: Collection[str], anonymous_ids: Collection[str]) -> set[int]:
    """The parcels that hold events of any of those ids."""
    refs, visitors = set(customer_refs), set(anonymous_ids)
    if not refs and not visitors:
        return set()
    return {
        staged.pk
        for staged in EventStaging.objects.iterator(chunk_size=50)
        if any(_is_of(one, refs, visitors) for one in unpack(staged))
    }


@transaction.atomic
def take_out(
    parcels: Iterable[int], customer_refs: Collection[str], anonymous_ids: Collection[str]
) -> None:
    """Take the events of those ids out of the parcels; what is of others goes on waiting."""
    refs, visitors = set(customer_refs), set(anonymous_ids)
    rows = EventStaging.objects.filter(pk__in=list(parcels)).order_by("pk").select_for_update()
    for staged in rows:
        packed = _packed.decode(staged.events)
        left = [
            row
            for row, one in zip(packed.events, unpack(staged), strict=True)
            if not _is_of(one, refs, visitors)
        ]
        staged.n_events = len(left)
        staged.events = _encoder.encode((packed.contexts, left)).decode()
        if left:
            staged.save(update_fields=["n_events", "events"])
        else:
            staged.delete()


def _is_of(one: Arrival, refs: set[str], visitors: set[str]) -> bool:
    return one.customer_ref in refs or one.anonymous_id in visitors
