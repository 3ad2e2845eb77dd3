"""The background work of profiles: imports, merging events, partitions ahead, forgetting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from celery import shared_task
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.models import Job
from jobs.registry import job
from jobs.running import JobFailedError
from jobs.work import Work
from privacy import consent
from privacy.problems import DomainError
from profiles import asking, changes, cleaning, membership, registry, segmentation
from profiles.events import merging, partitions, rejected_events
from profiles.identity import joining
from profiles.importing import order_files, people_files, undoing, uploads
from profiles.models import CustomTrait, Segment, TraitBuild, Upload
from profiles.orders import carts
from profiles.traits import featuring

MERGE_FOR: Final = timedelta(seconds=60)


@job(asking.MERGE, title=_("Merge of events"), queue=Job.Queue.DEFAULT, is_routine=True)
def merge_events(work: Work) -> dict[str, Any]:
    """Merge until nothing waits or a minute is over; the next wake-up goes on."""
    until = work.now + MERGE_FOR
    n_merged = int(work.cursor.get("n_merged", 0))
    n_taken = 1
    while n_taken and work.now < until:
        with work.step() as cursor:
            n_taken = merging.merge(work.now)
            n_merged += n_taken
            cursor["n_merged"] = n_merged
        work.progress(n_merged, n_merged + n_taken)
    return {"n_merged": n_merged}


@job(rejected_events.REPLAY, title=_("Replay of rejected events"), queue=Job.Queue.DEFAULT)
def replay_events(work: Work) -> dict[str, Any]:
    return rejected_events.replay(work)


@shared_task
def wake_merge() -> None:
    """Find staged events whose wake-up was lost; runs every two seconds."""
    merging.wake_if_needed(timezone.now())


@shared_task
def keep_events_in_order() -> None:
    """Make the partitions ahead, forget old message ids and uploaded files; runs every hour."""
    partitions.ensure(timezone.now())
    merging.forget(timezone.now())
    joining.destroy_keys(timezone.now())
    uploads.discard_old(timezone.now())


@shared_task
def sweep_carts() -> None:
    """Mark carts that rest as abandoned, and those that were bought; runs every five minutes."""
    carts.sweep(timezone.now())


@job(asking.IMPORTS["orders"], title=_("Import of orders"), queue=Job.Queue.BATCH)
def import_orders(work: Work) -> dict[str, Any]:
    upload = Upload.objects.get(pk=work.payload["upload"])
    if upload.options.get("preview"):
        from profiles.importing import previewing

        return order_files.import_orders(upload, work, looking=previewing)
    summary = order_files.import_orders(upload, work)
    uploads.discard(upload)
    return summary


@job(asking.IMPORTS["customers"], title=_("Import of customers"), queue=Job.Queue.BATCH)
def import_customers(work: Work) -> dict[str, Any]:
    return _import(work, people_files.customers)


@job(asking.IMPORTS["consents"], title=_("Import of consents"), queue=Job.Queue.BATCH)
def import_consents(work: Work) -> dict[str, Any]:
    people_files.refuse_before_suppressions()
    return _import(work, people_files.consents)


@job(asking.IMPORTS["suppressions"], title=_("Import of suppressions"), queue=Job.Queue.BATCH)
def import_suppressions(work: Work) -> dict[str, Any]:
    return _import(work, people_files.suppressions)


@job(asking.IMPORTS["events"], title=_("Import of events"), queue=Job.Queue.BATCH)
def import_events(work: Work) -> dict[str, Any]:
    return _import(work, people_files.events)


def _import(work: Work, form: Callable[[Upload], people_files.Form[Any]]) -> dict[str, Any]:
    """Bring the rows in or, of a preview, say what would come of them and keep the file."""
    upload = Upload.objects.get(pk=work.payload["upload"])
    if upload.options.get("preview"):
        from profiles.importing import previewing

        return people_files.run(form(upload), upload, work, looking=previewing)
    summary = people_files.run(form(upload), upload, work)
    uploads.discard(upload)
    return summary


@job(asking.UNDO_CONSENTS, title=_("Taking back an import of consents"), queue=Job.Queue.BATCH)
def undo_consents(work: Work) -> dict[str, Any]:
    """Retract every entry of the import, some a step."""
    upload = Upload.objects.get(pk=work.payload["upload"])
    n_done = 1
    while n_done:
        with work.step() as cursor:
            n_done = consent.retract(upload.uuid, source=f"undo:{upload.uuid}", now=work.now)
            cursor["n_retracted"] = cursor.get("n_retracted", 0) + n_done
    summary = upload.summary | {"n_retracted": work.cursor["n_retracted"]}
    Upload.objects.filter(pk=upload.pk).update(summary=summary)
    return {"n_retracted": work.cursor["n_retracted"]}


@job(asking.UNDO, title=_("Taking back an import"), queue=Job.Queue.BATCH)
def undo_import(work: Work) -> dict[str, Any]:
    """Take back what the import changed, some a step; what others build on is kept."""
    upload = Upload.objects.get(pk=work.payload["upload"])
    is_over = False
    while not is_over:
        with work.step() as cursor:
            try:
                found = undoing.step(upload, now=work.now)
            except DomainError as error:
                raise JobFailedError(error.code, error.detail) from error
            cursor["counts"] = dict(Counter(cursor.get("counts", {})) + found)
            is_over = not found
        work.progress(sum(work.cursor["counts"].values()), upload.changes.count())
    counts: dict[str, Any] = {"undone": 0, "kept": 0} | work.cursor["counts"]
    Upload.objects.filter(pk=upload.pk).update(summary=upload.summary | counts)
    registry.run_after_import(work.now)
    return counts


@job(asking.CLEAN, title=_("Cleaning"), queue=Job.Queue.BATCH)
def clean(work: Work) -> dict[str, Any]:
    """Mark programs, impossible behaviour, test orders and outliers among what came in."""
    return dict(cleaning.clean(work))


@shared_task
def clean_hourly() -> None:
    """Ask for cleaning, unless it waits or runs; runs every hour."""
    asking.ask_for_cleaning(timezone.now())


@job(asking.BUILD, title=_("Build of profiles and personas"), queue=Job.Queue.BATCH)
def build_profiles(work: Work) -> dict[str, Any]:
    """Traits, clusters, personas as of `payload["as_of"]` (ISO 8601), segments recounted."""
    from profiles import profiling

    cleaning.clean(work)
    as_of = datetime.fromisoformat(work.payload["as_of"])
    return profiling.build(work, as_of, everybody=work.payload.get("everybody", False))


@job(asking.TRAITS, title=_("Traits of changed customers"), queue=Job.Queue.BATCH)
def build_traits(work: Work) -> dict[str, Any]:
    """Bring traits to `payload["as_of"]` (ISO 8601), such as after an import.

    While a full build is under way there is nothing to build upon, and nothing to do.
    """
    if "everybody" not in work.cursor and not TraitBuild.objects.exists():
        return {"n_customers": 0}
    cleaning.clean(work)
    as_of = datetime.fromisoformat(work.payload["as_of"])
    return {"n_customers": featuring.build_traits(as_of, work)}


@shared_task
def build_nightly() -> None:
    """Ask for profiles as of now, unless a build is waiting or running."""
    asking.ask_for_build(timezone.now())


@job(asking.TRAIT, title=_("Values of an own trait"), queue=Job.Queue.BATCH)
def fill_trait(work: Work) -> dict[str, Any]:
    """Give every customer the trait's value, unless it was changed again or given up since."""
    found = {"pk": work.payload["trait"], "version": work.payload["version"]}
    trait = CustomTrait.objects.filter(**found).first()
    return {"n_values": featuring.fill_trait(trait, work) if trait else 0}


@job(asking.SCORE, title=_("Training of churn and value scores"), queue=Job.Queue.BATCH)
def train_scores(work: Work) -> dict[str, Any]:
    """Train, judge and write the scores as of `payload["as_of"]` (ISO 8601)."""
    from profiles.scoring import training

    return training.train(work)


@shared_task
def train_scores_nightly() -> None:
    """Ask for scores as of now, unless a training is waiting or running."""
    asking.ask_for_scores(timezone.now())


@job(asking.REFRESH, title=_("Refresh of who is in segments"), queue=Job.Queue.BATCH)
def refresh_segments(work: Work) -> dict[str, Any]:
    """Bring the stays up to date, one segment a step; `payload["segment"]` names one alone."""
    wanted = Segment.objects.order_by("pk")
    if "segment" in work.payload:
        wanted = wanted.filter(pk=work.payload["segment"])
    is_of_all = "segment" not in work.payload
    if is_of_all:
        changes.take_for_segments()
    changed = changes.for_segments() if is_of_all else None
    n_entered, n_left = int(work.cursor.get("entered", 0)), int(work.cursor.get("left", 0))
    for segment in wanted.filter(pk__gt=work.cursor.get("done_to", 0)):
        if segmentation.unreadable(segment):
            continue
        with work.step() as cursor:
            moved = _refreshed(segment, changed, work.now)
            n_entered, n_left = n_entered + moved.n_entered, n_left + moved.n_left
            cursor.update(done_to=segment.pk, entered=n_entered, left=n_left)
        work.renew()
    if is_of_all:
        with work.step():
            changes.done_for_segments()
    return {"n_entered": n_entered, "n_left": n_left}


def _refreshed(segment: Segment, changed: set[int] | None, now: datetime) -> membership.Moved:
    if changed is None:
        return membership.refresh(segment, now=now)
    return membership.refresh_changed(segment, now=now, changed=changed)


@shared_task
def refresh_segments_hourly() -> None:
    """People leave and enter by the passing of time alone."""
    asking.ask_for_refresh(None, timezone.now())
