"""Finding work that no message announces: lost wake-ups, dead workers, due retries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Q

from jobs import registry
from jobs.models import Job, JobQuerySet
from jobs.queue import publish
from jobs.workers import is_dead

if TYPE_CHECKING:
    from datetime import datetime

REPUBLISH_AFTER = timedelta(seconds=30)
PUBLISH_AT_ONCE = 500
KEPT_FOR = timedelta(days=30)
PRUNED_AT_ONCE = 1_000


def sweep(now: datetime) -> int:
    """Put lost jobs back and wake workers for what waits; returns how many were woken."""
    put_back(Job.objects.lost(now, dead_workers=_dead_workers()), now=now, code="worker_lost")
    silent = Q(published_at__isnull=True) | Q(published_at__lt=now - REPUBLISH_AFTER)
    waiting = Job.objects.waiting(now).filter(silent).order_by("not_before", "pk")
    woken = list(waiting[:PUBLISH_AT_ONCE])
    publish(*woken, now=now)
    return len(woken)


def prune(now: datetime, *, batch: int = PRUNED_AT_ONCE) -> int:
    """Forget jobs that ended well or were cancelled a month ago; returns how many.

    Failed ones stay until somebody retries them.
    """
    over = Job.objects.filter(
        state__in=[Job.State.DONE, Job.State.CANCELLED], finished_at__lt=now - KEPT_FOR
    )
    n_pruned = 0
    while old := list(over.order_by("pk").values_list("pk", flat=True)[:batch]):
        n_pruned += over.filter(pk__in=old).delete()[0]
    return n_pruned


def put_back(lost: JobQuerySet, *, now: datetime, code: str) -> None:
    """Queue running jobs again whose worker is gone; those without attempts left end dead.

    A worker that lives after all is stopped by its missing claim before its next effect.
    """
    _bury(lost.filter(n_attempts__gte=F("max_attempts")), now=now, code=code)
    lost.update(
        state=Job.State.QUEUED,
        error_code=code,
        claim_token=None,
        lease_until=None,
        published_at=None,
    )


@transaction.atomic
def _bury(spent: JobQuerySet, *, now: datetime, code: str) -> None:
    keys = list(spent.select_for_update().values_list("pk", flat=True))
    if not keys:
        return
    Job.objects.filter(pk__in=keys).update(
        state=Job.State.DEAD,
        error_code=code,
        error_detail="",
        finished_at=now,
        claim_token=None,
        lease_until=None,
    )
    registry.ended(list(Job.objects.filter(pk__in=keys).order_by("pk")), now)


def release(worker: str, *, now: datetime) -> None:
    """Hand the jobs of a worker that stops in good order to the next one."""
    mine = Job.objects.filter(state=Job.State.RUNNING, worker=worker)
    mine.update(
        state=Job.State.QUEUED,
        n_attempts=F("n_attempts") - 1,
        not_before=now,
        claim_token=None,
        lease_until=None,
        published_at=None,
    )


def _dead_workers() -> list[str]:
    running = Job.objects.filter(state=Job.State.RUNNING).values_list("worker", flat=True)
    return [worker for worker in running.distinct() if is_dead(worker)]
