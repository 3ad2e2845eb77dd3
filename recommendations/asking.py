"""Asking for the background work of recommendations: its kind of job, its facts and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs import queue

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.models import Job
    from jobs.queue import Way

TRAIN = "recommendations.train"


def ask_for_training(
    now: datetime, *, as_of: datetime | None = None, way: Way = queue.enqueue
) -> Job:
    """Ask for a training on the orders before a moment or now, unless one is under way."""
    return way(TRAIN, {"as_of": (as_of or now).isoformat()}, now=now, unique_key=TRAIN)
