"""The background work of privacy: erasures, copies of data, letters, clocks, retention."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from celery import shared_task
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs import queue
from jobs.models import Job
from jobs.registry import job
from jobs.work import Work
from privacy import (
    checkpoints,
    erasure,
    letters,
    posting,
    requests,
    retention,
    rotation,
    subject_export,
)

log = logging.getLogger(__name__)


@job(erasure.JOB, title=_("Erase a person"), queue=Job.Queue.DEFAULT, max_attempts=20)
def erase(work: Work) -> dict[str, Any]:
    return erasure.run(work)


@job(subject_export.JOB, title=_("Copy a person's data"), queue=Job.Queue.DEFAULT)
def export_subject(work: Work) -> dict[str, Any]:
    return subject_export.make(work)


@job(rotation.JOB, title=_("Rotate keys"), queue=Job.Queue.BATCH, max_attempts=20)
def rotate_keys(work: Work) -> dict[str, Any]:
    return rotation.run(work)


@shared_task
def rotate_due_keys() -> None:
    """Begin a new key epoch every 90 days."""
    if rotation.is_due(timezone.now()):
        rotation.ask_for("epochs", timezone.now())


@shared_task
def sign_audit() -> None:
    """Sign the new end of the audit chain when that is due; runs every minute."""
    try:
        checkpoints.sign(timezone.now())
    except checkpoints.BrokenChainError:
        log.exception("the audit chain is broken; run manage.py verify_audit")


@job(checkpoints.JOB, title=_("Verify the audit log"), queue=Job.Queue.BATCH)
def verify_audit(_work: Work) -> dict[str, Any]:
    """Check every entry and checkpoint; a fault is the job's result, and is shown in the admin."""
    verdict = checkpoints.verify()
    if verdict.fault is not None:
        log.error("the audit chain is broken", extra={"code": str(verdict.fault)})
    return asdict(verdict)


@shared_task
def verify_audit_nightly() -> None:
    queue.enqueue(checkpoints.JOB, {}, now=timezone.now(), unique_key=checkpoints.JOB)


@job(letters.JOB, title=_("Send a letter"), queue=Job.Queue.DEFAULT, max_attempts=12)
def send_letter(work: Work) -> dict[str, Any]:
    return letters.send(work)


@shared_task
def keep_clocks() -> None:
    """Close what is answered, remind of what is due, drop copies that expired; every hour."""
    now = timezone.now()
    requests.settle(now)
    requests.forget(now)
    requests.remind(now)
    subject_export.expire(now)
    posting.tell_of_disabled(now)


@shared_task
def send_webhooks() -> None:
    """Post one batch of what is due, and say so to the next worker if there may be more."""
    if posting.send_due(timezone.now()) >= posting.BATCH // 2:
        send_webhooks.delay()


@job(retention.JOB, title=_("Delete what is kept long enough"), queue=Job.Queue.BATCH)
def apply_retention(work: Work) -> dict[str, Any]:
    """Delete what was due at `payload["as_of"]` (ISO 8601)."""
    return retention.apply(work)


@shared_task
def retain_nightly() -> None:
    now = timezone.now()
    queue.enqueue(retention.JOB, {"as_of": now.isoformat()}, now=now, unique_key=retention.JOB)
