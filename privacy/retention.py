"""How long things are kept: schedules by kind, the shop's own periods over their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from privacy import registry
from privacy.models import RetentionPeriod
from privacy.registry import Schedule

if TYPE_CHECKING:
    from jobs.work import Work

JOB = "privacy.apply_retention"
BATCH = 1_000


@dataclass(frozen=True)
class Due:
    """What a schedule would delete at a moment.

    `days` is the period in force, None for none; `n_rows` is None where nothing ever goes.
    """

    schedule: Schedule
    days: int | None
    n_rows: int | None


def periods() -> list[tuple[Schedule, int | None]]:
    """Return every schedule with the period in force here."""
    own = dict(RetentionPeriod.objects.values_list("schedule", "days"))
    return [(one, own.get(one.name, one.days)) for one in registry.schedules()]


def due(now: datetime) -> Iterator[Due]:
    """Count what would go now, without touching it."""
    for schedule, days in periods():
        rows = _old(schedule, days, now)
        yield Due(schedule, days, None if rows is None else rows.count())


def apply(work: Work) -> dict[str, int]:
    """Delete what is due, some rows a step; returns how many by schedule."""
    now = datetime.fromisoformat(work.payload["as_of"])
    for n_done, (schedule, days) in enumerate(periods()):
        work.progress(n_done, len(registry.schedules()), schedule.name)
        if _old(schedule, days, now) is not None:
            _apply(work, schedule, days, now)
    return dict(work.cursor.get("rows", {}))


def _apply(work: Work, schedule: Schedule, days: int | None, now: datetime) -> None:
    if schedule.drop is not None and days is not None:
        with work.step() as cursor:
            _count(cursor, schedule, schedule.drop(schedule.before(now, days)))
    n_gone = BATCH
    while n_gone == BATCH:
        with work.step() as cursor:
            rows = _old(schedule, days, now)
            if rows is None:
                return
            keys = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
            rows.model._base_manager.filter(pk__in=keys).delete()
            n_gone = len(keys)
            _count(cursor, schedule, n_gone)


def _count(cursor: dict[str, Any], schedule: Schedule, n_gone: int) -> None:
    counts = cursor.setdefault("rows", {})
    counts[schedule.name] = counts.get(schedule.name, 0) + n_gone


def _old(schedule: Schedule, days: int | None, now: datetime) -> QuerySet[Any] | None:
    if schedule.old is None or days is None:
        return None
    return schedule.old(schedule.before(now, days))
