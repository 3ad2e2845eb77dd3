"""Asking for the background work of recommendations: its kind of job, its facts and its key."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from jobs import queue
from jobs.models import Job
from profiles import listing
from profiles.models import Segment
from recommendations.models import TrainingRun

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.queue import Way
    from recommendations.models import Feed, FeedImport


@dataclass(frozen=True)
class Wanted:
    """What somebody is to want: a product, or any of a category; how many people, how sure.

    `least` is a score in 0-1, 1 that of the likeliest; `title` names the list. If `is_nightly` it is
    made anew after each training.
    """

    product: str = ""
    category: str = ""
    title: str = ""
    n: int = 1_000
    least: float = 0.0
    is_nightly: bool = False


TRAIN = "recommendations.train"
IMPORT_FEED = "recommendations.import_feed"
FETCH_FEED = "recommendations.fetch_feed"
END_MISSING = "recommendations.end_missing"
LIKELY = "recommendations.likely"
MOST_LIKELY = 1_000_000
MOST_NIGHTLY: Final = 50
MOST_LOOKED_AT: Final = 1_000


def ask_for_training(
    now: datetime, *, as_of: datetime | None = None, way: Way = queue.enqueue
) -> Job:
    """Ask for a training on the orders before a moment or now, unless one is under way."""
    return way(TRAIN, {"as_of": (as_of or now).isoformat()}, now=now, unique_key=TRAIN)


def ask_for_feed(brought: FeedImport, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that the rows of a feed's file be brought in."""
    key = f"{IMPORT_FEED}:{brought.pk}"
    return way(IMPORT_FEED, {"import": brought.pk}, now=now, unique_key=key)


def ask_for_end(brought: FeedImport, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that what a feed no longer holds go off sale."""
    key = f"{END_MISSING}:{brought.pk}"
    return way(END_MISSING, {"import": brought.pk}, now=now, unique_key=key)


def ask_for_fetch(feed: Feed, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that a feed be fetched from its address, unless that is under way."""
    return way(FETCH_FEED, {"feed": feed.pk}, now=now, unique_key=f"{FETCH_FEED}:{feed.pk}")


def ask_for_likely(
    wanted: Wanted,
    run: TrainingRun,
    now: datetime,
    *,
    language: str,
    segment: int | None = None,
    way: Way = queue.enqueue,
) -> Job:
    """Ask for a list of the customers who are likeliest to want something, by a run's model.

    The list that a `segment` means is made anew; without one it is a new list.
    """
    payload = {"run": run.pk, "language": language, "segment": segment, **asdict(wanted)}
    key = f"{LIKELY}:{wanted.product}:{wanted.category}"
    if segment:
        key = f"{LIKELY}:segment:{segment}"
    return way(LIKELY, payload, now=now, unique_key=key)


def ask_again(job: Job, run: TrainingRun, now: datetime) -> Job:
    """Ask for the same list by another run's model; its segment stays."""
    named = {field.name for field in fields(Wanted)}
    wanted = Wanted(**{name: told for name, told in job.payload.items() if name in named})
    segment = (job.result or {}).get("segment")
    return ask_for_likely(wanted, run, now, language=job.payload["language"], segment=segment)


def ask_for_nightly(now: datetime) -> int:
    """Ask anew for each list that wishes it, by the model that serves; return how many were asked.

    At most MOST_NIGHTLY, those made last; none whose segment is gone or means something else.
    """
    run = TrainingRun.objects.active()
    if run is None:
        return 0
    newest: dict[int, Job] = {}
    done = Job.objects.filter(kind=LIKELY, state=Job.State.DONE).order_by("-pk")
    for job in done[:MOST_LOOKED_AT]:
        newest.setdefault(job.result["segment"], job)
    wishing = {pk: job for pk, job in newest.items() if job.payload.get("is_nightly")}
    there = Segment.objects.in_bulk(wishing)
    meant = [pk for pk in wishing if pk in there and listing.meant_by(there[pk])]
    for pk in meant[:MOST_NIGHTLY]:
        ask_again(wishing[pk], run, now)
    return len(meant[:MOST_NIGHTLY])


def wish_nightly(segment: int, *, is_nightly: bool) -> None:
    """Set whether a list is made anew every night, also of one that is being made."""
    of_it = Job.objects.filter(
        Q(payload__segment=segment) | Q(result__segment=segment), kind=LIKELY
    )
    for job in of_it:
        job.payload["is_nightly"] = is_nightly
        Job.objects.filter(pk=job.pk).update(payload=job.payload)
