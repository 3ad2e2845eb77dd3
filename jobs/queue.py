"""Putting work into the queue, taking it out and back in: rows first, then a wake-up."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.module_loading import import_string

from jobs import registry
from jobs.models import Job

if TYPE_CHECKING:
    from datetime import datetime

log = logging.getLogger(__name__)

TRIES = 5
OPEN = "SELECT 1 FROM jobs_job WHERE unique_key = %s AND state IN ('queued', 'running') LIMIT 1"

# Set by the process that holds the worker of a `memory://` broker: only it hears wake-ups.
worker_is_here = threading.Event()


class Way(Protocol):
    """How work that is asked for gets done: `enqueue` for a worker, `console.here` at once."""

    def __call__(
        self, kind: str, payload: dict[str, Any], *, now: datetime, unique_key: str
    ) -> Job: ...


class NotRetryableError(Exception):
    """The job is not at an end, or an open job of its unique key does the work already."""


class NotCancellableError(Exception):
    """The job is at its end already."""


def enqueue(
    kind: str,
    payload: dict[str, Any] | None = None,
    *,
    now: datetime,
    unique_key: str = "",
    not_before: datetime | None = None,
) -> Job:
    """Store a job and wake a worker after commit.

    With a `unique_key`, an open job of that key is returned instead of a second one.
    Raises UnknownKindError if no handler is registered.
    """
    found = registry.find(kind)
    job = Job(
        kind=kind,
        queue=found.queue,
        max_attempts=found.max_attempts,
        payload=payload or {},
        unique_key=unique_key,
        not_before=not_before or now,
        created_at=now,
    )
    for n_left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                job.save()
            break
        except IntegrityError:
            if there := Job.objects.open().filter(unique_key=unique_key).first():
                return there
            # The job that was in the way ended between the two statements: there is room now.
            if not unique_key or not n_left:
                raise
    if job.not_before <= now:
        transaction.on_commit(lambda: publish(job, now=now))
    return job


def is_asked_for(unique_key: str) -> bool:
    """Whether a job of that key waits or runs; asked by every request that brings events."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [unique_key])
        return cursor.fetchone() is not None


def retry(job: Job, now: datetime) -> None:
    """Let a failed or cancelled job go on from its cursor, with all its attempts again.

    Raises NotRetryableError.
    """
    ended = Job.objects.filter(pk=job.pk, state__in=[Job.State.DEAD, Job.State.CANCELLED])
    try:
        with transaction.atomic():
            back = ended.update(
                state=Job.State.QUEUED,
                n_attempts=0,
                not_before=now,
                published_at=None,
                finished_at=None,
                error_code="",
                error_detail="",
            )
    except IntegrityError:
        back = 0
    if not back:
        raise NotRetryableError(f"{job} is open, done, or replaced by a newer job")
    job.refresh_from_db()
    transaction.on_commit(lambda: publish(job, now=now))


@transaction.atomic
def cancel(job: Job, now: datetime) -> None:
    """End a waiting job at once and a running one before its next step.

    Steps already done stay done. Raises NotCancellableError.
    """
    stopped = (
        Job.objects.open()
        .filter(pk=job.pk)
        .update(
            state=Job.State.CANCELLED,
            finished_at=now,
            claim_token=None,
            lease_until=None,
            error_code="cancelled",
        )
    )
    if not stopped:
        raise NotCancellableError(f"{job} has ended")
    job.refresh_from_db()
    registry.ended([job], now)


def publish(*jobs: Job, now: datetime) -> None:
    """Send the wake-ups for waiting jobs; a lost one is sent again by the sweeper.

    Raises nothing if the broker is away: the rows are stored, and the sweeper finds them.
    """
    from kombu.exceptions import OperationalError  # noqa: PLC0415 -- costs the start of every command

    app = import_string(settings.JOBS_CELERY_APP)
    if app.conf.broker_url.startswith("memory:") and not worker_is_here.is_set():
        return
    sent = []
    try:
        for job in jobs:
            app.send_task(
                "jobs.tasks.run_job",
                kwargs={"job_id": job.pk},
                queue=job.queue,
                time_limit=settings.JOBS_TIME_LIMIT_SECONDS[job.queue],
                retry=False,
            )
            sent.append(job.pk)
    except OperationalError:
        left = jobs[len(sent)]
        log.warning("no wake-up sent: the broker is away", extra={"job": str(left.uuid)})
    Job.objects.filter(pk__in=sent, state=Job.State.QUEUED).update(published_at=now)
