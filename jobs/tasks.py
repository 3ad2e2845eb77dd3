"""The Celery side of jobs: one task runs a job, one sweeps, one proves that queues move."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from jobs import children, running, sweeping
from jobs.models import Job, Pulse


@shared_task
def run_job(*, job_id: int) -> None:
    """Run one job here or, as a batch job beside a web server, in a child process."""
    if settings.JOBS_BATCH_IN_CHILD and children.belongs_in_child(job_id):
        children.run(job_id, clock=timezone.now)
    else:
        running.run(job_id, clock=timezone.now)


@shared_task
def sweep_jobs() -> None:
    sweeping.sweep(timezone.now())


@shared_task
def prune_jobs() -> None:
    sweeping.prune(timezone.now())


@shared_task
def pulse(*, queue: str) -> None:
    """Note that a task came through `queue`; the worker's health is read from it."""
    Pulse.objects.update_or_create(queue=Job.Queue(queue), defaults={"beat_at": timezone.now()})
