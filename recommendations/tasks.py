"""Training as a durable job, and the nightly wake-up for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import shared_task
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.models import Job
from jobs.registry import job
from recommendations import asking

if TYPE_CHECKING:
    from jobs.work import Work


@job(asking.TRAIN, title=_("Training of recommendations"), queue=Job.Queue.BATCH)
def train(work: Work) -> dict[str, Any]:
    from recommendations import training

    return training.train(work)


@shared_task
def train_nightly() -> None:
    """Ask for a training as of now, unless one is waiting or running."""
    asking.ask_for_training(timezone.now())
