"""Training and feeds as durable jobs, and the wake-ups for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import shared_task
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.models import Job
from jobs.registry import job
from recommendations import asking, catalogue_writing
from recommendations.feeds import arriving, importing
from recommendations.models import Feed, FeedImport

if TYPE_CHECKING:
    from jobs.work import Work


@job(asking.TRAIN, title=_("Training of recommendations"), queue=Job.Queue.BATCH)
def train(work: Work) -> dict[str, Any]:
    from recommendations import training

    told = training.train(work)
    asking.ask_for_nightly(work.now)
    return told


@job(asking.LIKELY, title=_("List of likely customers"), queue=Job.Queue.BATCH)
def list_likely(work: Work) -> dict[str, Any]:
    from recommendations import likely

    return likely.find(work)


@shared_task
def train_nightly() -> None:
    """Ask for a training as of now, unless one is waiting or running."""
    asking.ask_for_training(timezone.now())


@job(asking.IMPORT_FEED, title=_("Import of a feed"), queue=Job.Queue.BATCH)
def import_feed(work: Work) -> dict[str, Any]:
    return importing.run(
        FeedImport.objects.select_related("feed").get(pk=work.payload["import"]), work
    )


@job(asking.END_MISSING, title=_("Ending what a feed no longer holds"), queue=Job.Queue.BATCH)
def end_missing(work: Work) -> dict[str, Any]:
    return importing.remove(
        FeedImport.objects.select_related("feed").get(pk=work.payload["import"]), work
    )


@job(asking.FETCH_FEED, title=_("Fetch of a feed"), queue=Job.Queue.BATCH, max_attempts=1)
def fetch_feed(work: Work) -> dict[str, Any]:
    feed = Feed.objects.get(pk=work.payload["feed"])
    return arriving.fetch(feed, work, guard=arriving.guard())


@shared_task
def fetch_due_feeds() -> None:
    """Ask for the feeds whose time has come; runs every five minutes."""
    arriving.ask_due(timezone.now())


@shared_task
def forget_old_nightly() -> None:
    """Delete history of prices and reports of feeds that are too old to keep."""
    catalogue_writing.forget_changes(timezone.now())
    arriving.forget_old(timezone.now())
