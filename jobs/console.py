"""Running a job in the process of the command that asks for it, with a bar for people."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jobs import registry, running
from jobs.models import Job
from jobs.work import LEASE
from jobs.workers import is_dead, this_worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from jobs.queue import Way
    from jobs.work import Clock, ProgressSink


class JobBusyError(CommandError):
    """A living worker has the job."""


class JobEndedBadlyError(CommandError):
    """The job ended without its result; `job` holds the code and the detail."""

    def __init__(self, job: Job, message: str) -> None:
        super().__init__(message)
        self.job = job


class Stream(Protocol):
    def write(self, text: str, /) -> Any: ...

    def isatty(self) -> bool: ...


def run_here(
    kind: str,
    payload: dict[str, Any],
    *,
    now: datetime,
    unique_key: str = "",
    stdout: Stream,
    stderr: Stream,
    clock: Clock,
    verbosity: int = 1,
) -> Job:
    """Run a job of `kind` in this process and return it when it is done.

    With a `unique_key`, an open job of that key is gone on with from its cursor (its own
    payload stays) at once if its worker is dead. Raises JobBusyError if the worker lives,
    JobEndedBadlyError if the job dies; both end a command with status 1 and their text.
    """
    job = _open(kind, payload, unique_key=unique_key, now=now)
    if verbosity and job.cursor:
        stdout.write(_("Going on with job %(uuid)s where it stopped.\n") % {"uuid": job.uuid})
    with _bar(registry.title_of(kind), shown=verbosity > 0 and stderr.isatty()) as sink:
        running.execute(job, clock=clock, sink=sink)
    if job.state != Job.State.DONE:
        raise JobEndedBadlyError(job, _reason(job))
    return job


def here(command: BaseCommand, *, clock: Clock, verbosity: int) -> Way:
    """Return the way of asking for work that does it at once, in the process of a command."""
    return partial(
        run_here, stdout=command.stdout, stderr=command.stderr, clock=clock, verbosity=verbosity
    )


def _open(kind: str, payload: dict[str, Any], *, unique_key: str, now: datetime) -> Job:
    """Return a job claimed by this process: a new one, or the open one of that key.

    A new one starts out claimed, so that no other worker can be first.
    """
    found = registry.find(kind)
    job = Job(
        kind=kind,
        queue=found.queue,
        max_attempts=found.max_attempts,
        payload=payload,
        unique_key=unique_key,
        not_before=now,
        created_at=now,
        **_claim(now),
    )
    try:
        with transaction.atomic():
            job.save()
    except IntegrityError:
        there = Job.objects.open().filter(unique_key=unique_key).first()
        if there is None:
            raise
        return _take(there, now=now)
    return job


def _take(job: Job, *, now: datetime) -> Job:
    held = job.state == Job.State.RUNNING and not (
        is_dead(job.worker) or (job.lease_until is not None and job.lease_until < now)
    )
    same = Job.objects.filter(pk=job.pk, state=job.state, claim_token=job.claim_token)
    if held or not same.update(**_claim(now)):
        raise JobBusyError(
            _("%(worker)s is at this job (%(uuid)s) already; wait for it or cancel it.")
            % {"worker": job.worker or _("another worker"), "uuid": job.uuid}
        )
    job.refresh_from_db()
    return job


def _claim(now: datetime) -> dict[str, Any]:
    """Return the columns of a claim by this process; a person's start counts as the first."""
    return {
        "state": Job.State.RUNNING,
        "claim_token": uuid4(),
        "worker": this_worker(),
        "lease_until": now + LEASE,
        "started_at": now,
        "n_attempts": 1,
    }


def _reason(job: Job) -> str:
    if job.error_detail:
        return f"{job.error_detail} ({job.error_code})"
    if job.state == Job.State.QUEUED:
        return _(
            "The job failed (%(code)s); a worker tries again, or start this command again."
        ) % {"code": job.error_code}
    return _("The job ended as %(state)s (%(code)s).") % {
        "state": job.get_state_display(),
        "code": job.error_code or "-",
    }


@contextmanager
def _bar(label: str, *, shown: bool) -> Iterator[ProgressSink]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(label, total=None)

        def sink(n_done: int, n_total: int, note: str) -> None:
            bar.update(task, completed=n_done, total=n_total or None, description=note or label)

        yield sink
