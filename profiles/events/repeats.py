"""Telling an event from its repeats: by source and message id, for seven days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, connection, transaction

from profiles import changes
from profiles.bulk import ESCAPES
from profiles.models import Event, EventKey, EventVerdict
from profiles.models.event import ORDER_EVENTS, Kind

if TYPE_CHECKING:
    from profiles.arrivals import Arrival

Key = tuple[int, str]
COLUMNS: Final = "source_id, message_id, staging_id, is_open, seen_at"
COPY: Final = f"COPY profiles_eventkey ({COLUMNS}) FROM STDIN"
REMEMBER: Final = (
    f"INSERT INTO profiles_eventkey ({COLUMNS}) VALUES (%s, %s, %s, %s, %s)"  # noqa: S608 -- constants  # nosec B608
    " ON CONFLICT (source_id, message_id) DO NOTHING"
)
# Most ids are new, and copying them in costs half of asking for each whether it is. Where one is
# not, its neighbours are asked for as well: first in large steps, then in small ones.
STEPS: Final = (5_000, 500)
Row = tuple[int, str, int, bool, Any]


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
    """Note the ids; returns how many are new. In their order, in which two merges wait in turn."""
    token = _token(chosen)
    seen_at = connection.ops.adapt_datetimefield_value(now)
    rows = [
        (*key, token, not one.parcel.is_confirmed, seen_at)
        for key, one in sorted(chosen.items(), key=itemgetter(0))
    ]
    return _note(rows, STEPS)


def _note(rows: Sequence[Row], steps: Sequence[int]) -> int:
    if steps and connection.vendor == "postgresql":
        some = (rows[start : start + steps[0]] for start in range(0, len(rows), steps[0]))
        return sum(_noted(part, steps[1:]) for part in some)
    with connection.cursor() as cursor:
        cursor.executemany(REMEMBER, rows)
        return int(cursor.rowcount)


def _noted(rows: Sequence[Row], smaller: Sequence[int]) -> int:
    try:
        return _copy(rows)
    except IntegrityError:
        return _note(rows, smaller)


def _copy(rows: Sequence[Row]) -> int:
    """Copy the rows in; raises IntegrityError, which leaves none of them."""
    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(COPY) as copy,
    ):
        copy.write("".join(map(_line, rows)))
    return len(rows)


def _line(row: Row) -> str:
    source, message_id, token, is_open, seen_at = row
    return f"{source}\t{message_id.translate(ESCAPES)}\t{token}\t{is_open}\t{seen_at}\n"


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
