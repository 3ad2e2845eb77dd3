"""Replacing keys while the installation runs: three kinds, each a durable job.

`epochs` wraps people's keys anew, `people` gives everybody a new key and seals their values
again, `indexes` tags every indexed value anew. Each works in pages whose effect may be repeated,
so a killed rotation goes on where it stopped; what is old is destroyed last, once nothing can
need it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from jobs.models import Job
from jobs.queue import Way, enqueue
from jobs.work import Work
from privacy.models import RootKey
from privacy.rotation import epochs, indexes, people

JOB = "privacy.rotate_keys"
EPOCH = timedelta(days=90)
KINDS: dict[str, Callable[[Work], dict[str, Any]]] = {
    "epochs": epochs.run,
    "people": people.run,
    "indexes": indexes.run,
}


def ask_for(what: str, now: datetime, *, way: Way = enqueue) -> Job:
    """Have keys of that kind rotated; one rotation of a kind at a time."""
    use = RootKey.Use.INDEX if what == "indexes" else RootKey.Use.KEK
    # Settled now, so that an attempt after a crash replaces the same version.
    payload = {"what": what, "replaces": newest(use)}
    return way(JOB, payload, now=now, unique_key=f"{JOB}:{what}")


def newest(use: str) -> int:
    found = RootKey.objects.filter(use=use, is_written=True).order_by("-version").first()
    return found.version if found else 1


def last(what: str) -> Job | None:
    """Return the latest rotation of that kind, running or over."""
    return Job.objects.filter(kind=JOB, payload__what=what).order_by("-pk").first()


def turned_since(moment: datetime) -> bool:
    """Whether people's values or tags were being sealed anew at a moment, or have been since."""
    jobs = Job.objects.filter(kind=JOB, payload__what__in=["people", "indexes"])
    late = jobs.filter(Q(finished_at__isnull=True) | Q(finished_at__gte=moment))
    newer = RootKey.objects.filter(use=RootKey.Use.INDEX, version__gt=1, created_at__gte=moment)
    return late.exists() or newer.exists()


def is_due(now: datetime) -> bool:
    """Whether the newest key epoch is older than 90 days."""
    found = RootKey.objects.filter(use=RootKey.Use.KEK).order_by("-version").first()
    return found is not None and now - found.created_at > EPOCH


def run(work: Work) -> dict[str, Any]:
    """Return what was replaced: `n_done` rows, and `n_old` that are still on the old key."""
    return KINDS[work.payload["what"]](work)
