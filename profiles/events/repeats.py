"""Telling an event from its repeats: by source and message id, for seven days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import connection

from profiles import changes
from profiles.models import Event, EventKey, EventVerdict
from profiles.models.event import ORDER_EVENTS, Kind

if TYPE_CHECKING:
    from profiles.arrivals import Arrival

Key = tuple[int, str]
REMEMBER: Final = {
    "postgresql": """
        INSERT INTO profiles_eventkey (source_id, message_id, staging_id, is_open, seen_at)
        SELECT source_id, message_id, %s, is_open, %s
        FROM unnest(%s::bigint[], %s::text[], %s::boolean[]) AS k (source_id, message_id, is_open)
        ON CONFLICT (source_id, message_id) DO NOTHING
    """,
    "sqlite": """
        INSERT INTO profiles_eventkey (source_id, message_id, staging_id, is_open, seen_at)
        VALUES (%s, %s, %s, %s, %s) ON CONFLICT (source_id, message_id) DO NOTHING
    """,
}


def drop(arrived: Sequence[Arrival], *, now: datetime) -> list[Arrival]:
    """The events that come for the first time; of each of the others a verdict is noted.

    Of two of one id the one that a secret key vouches for is kept, and an order that a secret
    key tells of takes the place of what a browser said under its id.
    """
    chosen: dict[Key, Arrival] = {}
    for one in arrived:
        there = chosen.setdefault(one.key, one)
        if one.parcel.is_confirmed and not there.parcel.is_confirmed:
            chosen[one.key] = one
    n_new = _remember(chosen, now)
    if n_new == len(arrived):
        return list(arrived)
    if n_new < len(chosen):
        _leave_known(chosen, arrived)
    kept = [one for one in arrived if chosen.get(one.key) is one]
    EventVerdict.objects.bulk_create(
        _repeat(one) for one in arrived if chosen.get(one.key) is not one
    )
    return kept


def _remember(chosen: dict[Key, Arrival], now: datetime) -> int:
    """Note the ids, in an order that lets two merges wait for each other; returns how many are new."""
    keys = sorted(chosen)
    token = _token(chosen)
    is_open = [not chosen[key].parcel.is_confirmed for key in keys]
    seen_at = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sources, messages = [list(column) for column in zip(*keys, strict=True)]
            cursor.execute(REMEMBER["postgresql"], [token, seen_at, sources, messages, is_open])
        else:
            rows = zip(keys, is_open, strict=True)
            cursor.executemany(
                REMEMBER["sqlite"], [(*key, token, is_new, seen_at) for key, is_new in rows]
            )
        return int(cursor.rowcount)


def _token(chosen: dict[Key, Arrival]) -> int:
    """What tells the ids of this merge from those before it: a parcel is merged once."""
    return min(one.parcel.pk for one in chosen.values())


def _leave_known(chosen: dict[Key, Arrival], arrived: Sequence[Arrival]) -> None:
    """Leave in `chosen` what is new, and orders that take the place of what was not confirmed."""
    token = _token(chosen)
    for key in _known(chosen, token):
        del chosen[key]
        orders = (one for one in arrived if one.key == key and _is_confirmed_order(one))
        if (order := next(orders, None)) and _confirm(order, token):
            chosen[key] = order


def _known(chosen: dict[Key, Arrival], token: int) -> set[Key]:
    found = EventKey.objects.filter(
        source__in={source for source, _id in chosen},
        message_id__in={message_id for _source, message_id in chosen},
    )
    known = set(found.exclude(staging_id=token).values_list("source_id", "message_id"))
    return known & chosen.keys()


def _is_confirmed_order(one: Arrival) -> bool:
    return one.parcel.is_confirmed and one.kind == Kind.TRACK and one.name in ORDER_EVENTS


def _confirm(order: Arrival, token: int) -> bool:
    """Let the order take the place of what waited under its id; whether anything did."""
    source, message_id = order.key
    waiting = EventKey.objects.filter(source=source, message_id=message_id, is_open=True)
    if not waiting.update(is_open=False, staging_id=token):
        return False
    said = Event.objects.filter(
        source=source, message_id=message_id, is_confirmed=False, name__in=ORDER_EVENTS
    )
    changes.mark(set(said.exclude(customer=None).values_list("customer", flat=True)))
    said.delete()
    return True


def _repeat(one: Arrival) -> EventVerdict:
    return EventVerdict(
        source_id=one.parcel.source_id,
        message_id=one.message_id,
        kind=one.kind,
        name=one.name,
        verdict=EventVerdict.Verdict.DUPLICATE,
        code="duplicate",
        received_at=one.parcel.received_at,
    )
