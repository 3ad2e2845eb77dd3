"""Claiming and running jobs: a lease while it runs, bounded attempts, a reason when it dies."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import DatabaseError, connections, transaction
from django.db.models import F

from jobs import registry
from jobs.models import Job
from jobs.work import LEASE, LostLeaseError, ObstacleError, Work
from jobs.workers import this_worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from jobs.work import Clock, ProgressSink

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = LEASE.total_seconds() / 3


class JobFailedError(Exception):
    """A handler's way to say that trying again is useless: `code` for machines, text for people.

    The text is stored and shown, so it names no person.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def claim(job_id: int, *, now: datetime) -> Job | None:
    """Take a waiting job, or None if another worker was first or it is not due."""
    token = uuid4()
    taken = (
        Job.objects.waiting(now)
        .filter(pk=job_id)
        .update(
            state=Job.State.RUNNING,
            claim_token=token,
            worker=this_worker(),
            lease_until=now + LEASE,
            started_at=now,
            n_attempts=F("n_attempts") + 1,
        )
    )
    return Job.objects.get(pk=job_id, claim_token=token) if taken else None


def run(job_id: int, *, clock: Clock, sink: ProgressSink | None = None) -> Job | None:
    """Claim and run one job to its end; returns it, or None if it was not ours to take."""
    job = claim(job_id, now=clock())
    return None if job is None else execute(job, clock=clock, sink=sink)


def execute(job: Job, *, clock: Clock, sink: ProgressSink | None = None) -> Job:
    """Run a job that is already claimed, keep its lease alive meanwhile, and store its end."""
    work = Work(job, clock=clock, sink=sink)
    try:
        with heartbeat(work):
            result = registry.find(job.kind).run(work) or {}
    except LostLeaseError:
        log.warning("job lost", extra={"job": str(job.uuid), "kind": job.kind})
    except JobFailedError as error:
        _finish(job, clock(), state=Job.State.DEAD, error_code=error.code, error_detail=str(error))
    except ObstacleError as error:
        log.exception("job hindered", extra={"job": str(job.uuid), "kind": job.kind})
        retry_or_die(job, clock(), code=type(error).__name__, detail=str(error))
    except Exception as error:
        log.exception("job failed", extra={"job": str(job.uuid), "kind": job.kind})
        retry_or_die(job, clock(), code=type(error).__name__)
    else:
        _finish(job, clock(), state=Job.State.DONE, result=result, error_code="", error_detail="")
    job.refresh_from_db()
    return job


@contextmanager
def heartbeat(work: Work, *, every_seconds: float = HEARTBEAT_SECONDS) -> Iterator[None]:
    """Renew the lease from a second thread, for stretches in which a handler reports nothing.

    A hung handler is not kept alive for ever: its queue's time limit ends its process.
    """
    over = Event()

    def beat() -> None:
        while not over.wait(every_seconds):
            try:
                work.renew()
            except LostLeaseError:
                return
            except DatabaseError as error:
                log.warning("heartbeat missed", extra={"error": type(error).__name__})
            finally:
                connections.close_all()

    thread = Thread(target=beat, name=f"heartbeat of {work}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def retry_or_die(job: Job, now: datetime, *, code: str, detail: str = "") -> None:
    """Put a job that failed back to wait twice as long each time, or end it for good.

    Only a code is kept where an error's text may quote personal data.
    """
    if job.n_attempts >= job.max_attempts:
        _finish(job, now, state=Job.State.DEAD, error_code=code, error_detail=detail)
        return
    mine = Job.objects.filter(pk=job.pk, claim_token=job.claim_token)
    mine.update(
        state=Job.State.QUEUED,
        claim_token=None,
        lease_until=None,
        published_at=None,
        not_before=now + LEASE * 2 ** (job.n_attempts - 1),
        error_code=code,
        error_detail=detail,
    )


@transaction.atomic
def _finish(job: Job, now: datetime, **changes: object) -> None:
    mine = Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, claim_token=job.claim_token)
    if mine.update(finished_at=now, claim_token=None, lease_until=None, **changes):
        job.refresh_from_db()
        registry.ended([job], now)
