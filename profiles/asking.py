"""Asking for the background work of profiles: each kind of job, its facts and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs import queue
from jobs.models import Job
from profiles.models import TraitBuild, Upload

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.queue import Way
    from profiles.models import CustomTrait

MERGE, BUILD, TRAITS = "profiles.merge_events", "profiles.build", "profiles.traits"
CLEAN = "profiles.clean"
SCORE, TRAIT = "profiles.score", "profiles.fill_trait"
UNDO_CONSENTS, UNDO = "profiles.undo_consents", "profiles.undo_import"
REFRESH = "profiles.refresh_segments"
IMPORTS = {kind.value: f"profiles.import_{kind.value}" for kind in Upload.Kind}


def ask_for_merge(now: datetime) -> None:
    """See that a merge waits or runs; what one that runs came too early for is woken for soon."""
    if not queue.is_asked_for(MERGE):
        queue.enqueue(MERGE, now=now, unique_key=MERGE)


def ask_for_import(upload: Upload, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that the rows of a file be brought in."""
    kind = IMPORTS[upload.kind]
    return way(kind, {"upload": upload.pk}, now=now, unique_key=f"{kind}:{upload.pk}")


def ask_for_real(upload: Upload, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that the rows of a previewed file be brought in after all."""
    upload.options = {name: value for name, value in upload.options.items() if name != "preview"}
    upload.summary, upload.n_rejected, upload.finished_at = {}, 0, None
    job = ask_for_import(upload, now, way=way)
    upload.job_uuid = job.uuid
    upload.save(update_fields=["options", "summary", "n_rejected", "finished_at", "job_uuid"])
    return job


def ask_for_undo(upload: Upload, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that a finished import be taken back."""
    kind = UNDO_CONSENTS if upload.kind == Upload.Kind.CONSENTS else UNDO
    return way(kind, {"upload": upload.pk}, now=now, unique_key=f"{kind}:{upload.pk}")


def ask_for_cleaning(now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that what came in be marked, unless that is under way."""
    return way(CLEAN, {}, now=now, unique_key=CLEAN)


def ask_for_build(
    now: datetime,
    *,
    as_of: datetime | None = None,
    everybody: bool = False,
    way: Way = queue.enqueue,
) -> Job:
    """Ask for traits, clusters and personas as of a moment or now, unless that is under way.

    Only the traits of changed customers are made anew, unless those of `everybody` are wanted.
    """
    facts = {"as_of": (as_of or now).isoformat(), "everybody": everybody}
    return way(BUILD, facts, now=now, unique_key=BUILD)


def ask_for_traits(now: datetime) -> Job | None:
    """Ask for the traits of changed customers; the first build of a shop is not asked here."""
    if not TraitBuild.objects.exists():
        return None
    return queue.enqueue(TRAITS, {"as_of": now.isoformat()}, now=now, unique_key=TRAITS)


def ask_for_trait(trait: CustomTrait, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that every customer be given the value of an own trait as it stands now."""
    payload = {"trait": trait.pk, "version": trait.version}
    return way(TRAIT, payload, now=now, unique_key=f"{TRAIT}:{trait.pk}:{trait.version}")


def ask_for_scores(
    now: datetime, *, as_of: datetime | None = None, way: Way = queue.enqueue
) -> Job:
    """Ask for churn and value scores as of a moment or now, unless that is under way."""
    return way(SCORE, {"as_of": (as_of or now).isoformat()}, now=now, unique_key=SCORE)


def ask_for_refresh(segment: int | None, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that the stays in a segment, or in all of them, be brought up to date."""
    payload = {"segment": segment} if segment else {}
    return way(REFRESH, payload, now=now, unique_key=f"{REFRESH}:{segment or 'all'}")
