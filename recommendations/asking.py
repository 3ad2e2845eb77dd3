"""Asking for the background work of recommendations: its kind of job, its facts and its key."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from jobs import queue

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.models import Job
    from jobs.queue import Way
    from recommendations.models import Feed, FeedImport, TrainingRun


@dataclass(frozen=True)
class Wanted:
    """What somebody is to want: a product, or any of a category; how many people, how sure.

    `least` is a score in 0-1, 1 that of the likeliest; `title` names the list.
    """

    product: str = ""
    category: str = ""
    title: str = ""
    n: int = 1_000
    least: float = 0.0


TRAIN = "recommendations.train"
IMPORT_FEED = "recommendations.import_feed"
FETCH_FEED = "recommendations.fetch_feed"
END_MISSING = "recommendations.end_missing"
LIKELY = "recommendations.likely"
MOST_LIKELY = 1_000_000


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
    return way(LIKELY, payload, now=now, unique_key=key)
