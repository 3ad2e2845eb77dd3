"""What came in lately and what became of each event: the lines of the event debugger."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from django.db import connection
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Collate

from privacy import finder
from profiles.events import staging
from profiles.models import Event, EventVerdict

Verdict = EventVerdict.Verdict
ACCEPTED: Final = "accepted"
WAITING: Final = "waiting"
VERDICTS: Final = (ACCEPTED, WAITING, *Verdict.values)
TESTS_SHOWN: Final = timedelta(hours=24)
# Of the stored events only so many are looked through, the newest: they have no index by source.
LOOKED_THROUGH: Final = 20_000
PARCELS_LOOKED_THROUGH: Final = 200
LONGEST: Final = 300
COLUMNS: Final = ("source_id", "message_id", "kind", "name", "received_at")


@dataclass(frozen=True)
class Line:
    """An event and what became of it. `verdict`: accepted, waiting, or a value of EventVerdict.

    `carries` is what it told, with whatever looks personal taken out.
    """

    source_id: int
    message_id: str
    kind: str
    name: str
    received_at: datetime
    verdict: str
    codes: tuple[str, ...] = ()
    product_id: str = ""
    carries: str = ""
    is_test: bool = False


@dataclass(frozen=True)
class Wanted:
    """Which lines; what is empty does not narrow. `since` is the earliest arrival."""

    source_id: int | None = None
    verdict: str = ""
    name: str = ""
    since: datetime | None = None


def lines(wanted: Wanted, *, now: datetime, limit: int = 50) -> list[Line]:
    """The newest events with what became of each, newest first; four queries at most.

    A warning stands on the line of its event. Events of test keys are shown for 24 hours.
    """
    found: list[Line] = []
    if wanted.verdict in {"", WAITING}:
        found += itertools.islice(_waiting(wanted), limit)
    if wanted.verdict in {"", ACCEPTED}:
        newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
        stored = Event.objects.filter(pk__gt=newest - LOOKED_THROUGH)
        found += _events(stored, wanted, limit)
    if wanted.verdict not in {ACCEPTED, WAITING}:
        found += _verdicts(wanted, now, limit)
    # An event that was merged between two of the questions was found by both.
    merged = {(_key(line), line.received_at) for line in found if line.verdict == ACCEPTED}
    found = [
        line
        for line in found
        if line.verdict != WAITING or (_key(line), line.received_at) not in merged
    ]
    found.sort(key=lambda line: line.received_at, reverse=True)
    return _folded(found)[:limit]


def _waiting(wanted: Wanted) -> Iterator[Line]:
    for one in staging.newest(PARCELS_LOOKED_THROUGH):
        parcel = one.parcel
        if (
            wanted.source_id in {None, parcel.source_id}
            and wanted.name.casefold() in one.name.casefold()
            and (wanted.since is None or parcel.received_at >= wanted.since)
        ):
            yield Line(
                parcel.source_id,
                one.message_id,
                one.kind,
                one.name,
                parcel.received_at,
                WAITING,
                product_id=one.product_id,
                carries=_carried(one.facts),
            )


def _events(rows: QuerySet[Event], wanted: Wanted, limit: int) -> Iterator[Line]:
    if connection.vendor == "postgresql":
        # They are kept to be compared by their bytes, by which no letter beyond English has a case.
        rows = rows.alias(said=Collate("name", "default"))
        narrowed = _narrow(wanted, name="said")
    else:
        narrowed = _narrow(wanted)
    newest = rows.filter(narrowed).order_by("-pk")
    for row in newest.values(*COLUMNS, "product_id", "properties")[:limit]:
        yield Line(verdict=ACCEPTED, carries=_carried(row.pop("properties")), **row)


def _verdicts(wanted: Wanted, now: datetime, limit: int) -> Iterable[Line]:
    rows = EventVerdict.objects.filter(_narrow(wanted))
    rows = rows.exclude(is_test=True, received_at__lt=now - TESTS_SHOWN)
    if wanted.verdict:
        rows = rows.filter(verdict=wanted.verdict)
    newest = rows.order_by("-received_at", "-pk")
    for row in newest.values(*COLUMNS, "verdict", "code", "is_test")[:limit]:
        code = row.pop("code")
        yield Line(codes=(code,) if code else (), **row)


def _narrow(wanted: Wanted, *, name: str = "name") -> Q:
    narrowed = Q()
    if wanted.source_id is not None:
        narrowed &= Q(source=wanted.source_id)
    if wanted.name:
        narrowed &= Q((f"{name}__icontains", wanted.name))
    if wanted.since is not None:
        narrowed &= Q(received_at__gte=wanted.since)
    return narrowed


def _carried(properties: dict[str, Any]) -> str:
    text = finder.redact(msgspec.json.encode(properties).decode()) if properties else ""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _folded(found: list[Line]) -> list[Line]:
    """Put warnings onto the lines of the events that they are about."""
    warned: dict[tuple[int, str], list[str]] = {}
    told = {_key(line) for line in found if line.verdict != Verdict.WARNED}
    for line in found:
        if line.verdict == Verdict.WARNED and _key(line) in told:
            warned.setdefault(_key(line), []).extend(line.codes)
    return [
        replace(line, codes=(*line.codes, *warned.get(_key(line), ())))
        for line in found
        if line.verdict != Verdict.WARNED or _key(line) not in told
    ]


def _key(line: Line) -> tuple[int, str]:
    return line.source_id, line.message_id
