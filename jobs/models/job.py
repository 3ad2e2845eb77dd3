from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class JobQuerySet(models.QuerySet["Job"]):
    def open(self) -> JobQuerySet:
        return self.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING])

    def waiting(self, now: datetime) -> JobQuerySet:
        return self.filter(state=Job.State.QUEUED, not_before__lte=now)

    def lost(self, now: datetime, *, dead_workers: Sequence[str] = ()) -> JobQuerySet:
        """Running jobs whose worker is dead or stopped renewing its lease."""
        late = models.Q(lease_until__lt=now) | models.Q(worker__in=dead_workers)
        return self.filter(late, state=Job.State.RUNNING)


class Job(models.Model):
    """One piece of durable background work: this row is the truth, a message a wake-up."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        DEAD = "dead", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Queue(models.TextChoices):
        CRITICAL = "critical", _("Critical")
        SEND = "send", _("Send")
        DEFAULT = "default", _("Default")
        BATCH = "batch", _("Batch")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=64)
    queue = models.CharField(_("queue"), max_length=8, choices=Queue.choices)
    payload = models.JSONField(_("payload"), default=dict)
    cursor = models.JSONField(_("cursor"), default=dict)
    result = models.JSONField(_("result"), default=dict)
    unique_key = models.CharField(_("unique key"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.QUEUED)
    n_done = models.PositiveBigIntegerField(_("done"), default=0)
    n_total = models.PositiveBigIntegerField(_("total"), default=0)
    note = models.CharField(_("note"), max_length=200, blank=True)
    n_attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveSmallIntegerField(_("allowed attempts"), default=5)
    worker = models.CharField(_("worker"), max_length=120, blank=True)
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    error_code = models.CharField(_("error code"), max_length=64, blank=True)
    error_detail = models.TextField(_("error detail"), blank=True)
    not_before = models.DateTimeField(_("not before"))
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        permissions = [("retry_job", _("Can retry and cancel jobs"))]
        indexes = [
            models.Index(fields=["state", "not_before"], name="job_waiting"),
            models.Index(fields=["state", "lease_until"], name="job_lost"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="job_one_open_per_unique_key",
                fields=["unique_key"],
                condition=models.Q(state__in=["queued", "running"]) & ~models.Q(unique_key=""),
            ),
            models.CheckConstraint(
                name="job_running_has_claim",
                condition=~models.Q(state="running")
                | models.Q(claim_token__isnull=False, lease_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"

    @property
    def is_open(self) -> bool:
        return self.state in {Job.State.QUEUED, Job.State.RUNNING}

    @property
    def can_retry(self) -> bool:
        return self.state in {Job.State.DEAD, Job.State.CANCELLED}
