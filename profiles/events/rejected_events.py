"""Events that could not be taken in: kept sealed for a week, grouped by reason, tried again.

What came is kept as it came, since its fault may be ours: a name that was not known, a limit
that was too low. Nobody but the replay opens it; the page shows shapes of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec
from django.db.models import Count, Max, Min

from jobs import queue
from privacy import files, finder
from privacy.models import ApiKey, Source
from privacy.purposes import purpose
from profiles.events import ingesting, sieve, wire
from profiles.files.rejects import shape
from profiles.models import EventVerdict, RejectedEvent

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.work import Work

REPLAY: Final = "profiles.replay_events"
PURPOSE: Final = "import"
MOST_OF_A_SOURCE: Final = 10_000
BATCH: Final = 200
SAMPLES: Final = 3
MOST_MEMBERS: Final = 30


@dataclass(frozen=True)
class Refused:
    """An event as it came, and why it was not taken in."""

    raw: bytes
    code: str


def keep(
    refused: Sequence[Refused],
    *,
    key: ApiKey,
    kind: str | None,
    sent_at: datetime | None,
    ip: str,
    now: datetime,
    most: int = MOST_OF_A_SOURCE,
) -> int:
    """Seal and keep those events; returns how many.

    Of one source at most `most` are kept at a time, and none of a test key's.
    """
    if key.is_test or not refused:
        return 0
    mine = RejectedEvent.objects.filter(source_id=key.source_id)
    n_free = max(0, most - mine.count())
    rows = []
    for one in refused[:n_free]:
        uuid = uuid4()
        rows.append(
            RejectedEvent(
                uuid=uuid,
                source_id=key.source_id,
                code=one.code,
                kind=kind or "",
                body=files.sealed(one.raw, uuid),
                is_confirmed=key.kind == ApiKey.Kind.SECRET,
                network=sieve.shorten_ip(ip),
                sent_at=sent_at,
                received_at=now,
            )
        )
    return len(RejectedEvent.objects.bulk_create(rows))


@dataclass(frozen=True)
class Group:
    """Rejected events of one source and reason."""

    source: Source
    code: str
    n_events: int
    first_at: datetime
    last_at: datetime
    tried_at: datetime | None


def groups() -> list[Group]:
    """Every source and reason with how many wait, the largest first."""
    found = list(
        RejectedEvent.objects.values("source_id", "code")
        .annotate(
            n_events=Count("pk"),
            first_at=Min("received_at"),
            last_at=Max("received_at"),
            tried=Max("tried_at"),
        )
        .order_by("-n_events", "source_id", "code")
    )
    sources = Source.objects.in_bulk({row["source_id"] for row in found})
    return [
        Group(
            sources[row["source_id"]],
            row["code"],
            row["n_events"],
            row["first_at"],
            row["last_at"],
            row["tried"],
        )
        for row in found
    ]


def samples(source_id: int, code: str, *, actor: str, now: datetime) -> list[str]:
    """Return what the newest events of a reason look like: names, and shapes of values."""
    newest = _waiting(source_id, code).order_by("-pk")[:SAMPLES]
    with purpose(PURPOSE, actor=actor, now=now, reason=f"samples of {code}"):
        opened = files.plain(
            {one.uuid: bytes(one.body) for one in newest}, label=f"rejected_event.{code}"
        )
    return [_shown(raw) for raw in opened.values()]


def _shown(raw: bytes) -> str:
    try:
        event: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return shape(raw[:200].decode(errors="replace"))
    return msgspec.json.format(msgspec.json.encode(_shapes(event)), indent=1).decode()


def _shapes(value: Any, depth: int = 0) -> Any:
    if depth > 4:  # noqa: PLR2004
        return "…"
    if isinstance(value, dict):
        members = list(value.items())[:MOST_MEMBERS]
        return {_name(name): _shapes(one, depth + 1) for name, one in members}
    if isinstance(value, list):
        return [_shapes(one, depth + 1) for one in value[:SAMPLES]]
    return value if value is None or isinstance(value, bool) else shape(str(value))


def _name(name: str) -> str:
    """A member's name, unless somebody wrote a value there."""
    return shape(name) if finder.holds(name) else name[:60]


def ask_for_replay(source_id: int, code: str, now: datetime) -> Job:
    """Ask that the events of a source and reason be read again."""
    facts = {"source": source_id, "code": code}
    return queue.enqueue(REPLAY, facts, now=now, unique_key=f"{REPLAY}:{source_id}:{code}")


def replay(work: Work) -> dict[str, Any]:
    """Read each waiting event again; what can be read now is taken in as if it came then.

    What still cannot stays, with the reason of today. Returns how many were taken and how
    many were refused again.
    """
    source_id, code = int(work.payload["source"]), str(work.payload["code"])
    total = _waiting(source_id, code).count()
    while page := _page(work, source_id, code):
        with purpose(PURPOSE, actor=f"job:{REPLAY}", now=work.now):
            opened = files.plain(
                {one.uuid: bytes(one.body) for one in page}, label=f"rejected_event.{code}"
            )
        with work.step() as cursor:
            n_taken = _read_again(page, opened, work.now)
            cursor["after"] = page[-1].pk
            cursor["n_taken"] = cursor.get("n_taken", 0) + n_taken
            cursor["n_refused"] = cursor.get("n_refused", 0) + len(page) - n_taken
        n_done = work.cursor["n_taken"] + work.cursor["n_refused"]
        work.progress(n_done, max(total, n_done))
    return {name: work.cursor.get(name, 0) for name in ("n_taken", "n_refused")}


def _page(work: Work, source_id: int, code: str) -> list[RejectedEvent]:
    after = int(work.cursor.get("after", 0))
    return list(_waiting(source_id, code).filter(pk__gt=after).order_by("pk")[:BATCH])


def _read_again(page: Sequence[RejectedEvent], opened: dict[Any, bytes], now: datetime) -> int:
    taken = []
    for one in page:
        try:
            message = wire.read(
                opened[one.uuid],
                kind=one.kind or None,
                sent_at=one.sent_at,
                received_at=one.received_at,
                ip=one.network,
            )
        except wire.RejectedError as error:
            one.code, one.tried_at = error.code, now
            one.save(update_fields=["code", "tried_at"])
        else:
            ingesting.keep(
                [message],
                source_id=one.source_id,
                is_confirmed=one.is_confirmed,
                received_at=one.received_at,
                now=now,
            )
            taken.append(one)
    ids = [wire.message_id(opened[one.uuid]) for one in taken]
    EventVerdict.objects.filter(
        source_id__in={one.source_id for one in taken},
        verdict=EventVerdict.Verdict.REJECTED,
        message_id__in=[text for text in ids if text],
    ).delete()
    RejectedEvent.objects.filter(pk__in=[one.pk for one in taken]).delete()
    return len(taken)


def _waiting(source_id: int, code: str) -> Any:
    return RejectedEvent.objects.filter(source_id=source_id, code=code)
