"""A claimed job in the hands of its handler: payload, cursor, progress, steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from jobs.models import Job, JobQuerySet

LEASE = timedelta(seconds=30)
TELL_AFTER = timedelta(seconds=2)

Clock = Callable[[], datetime]
ProgressSink = Callable[[int, int, str], None]


class LostLeaseError(Exception):
    """Another worker took the job over; this one must stop without a further effect."""


class ObstacleError(Exception):
    """What keeps work from being done until somebody puts it right.

    Its text says what to do and holds no personal data: it is kept on the job and shown.
    """


class Work:
    """What a handler sees of its job.

    `payload` are the facts it was asked with, `cursor` how far earlier attempts came.
    """

    def __init__(self, job: Job, *, clock: Clock, sink: ProgressSink | None = None) -> None:
        self._job = job
        self._clock = clock
        self._sink = sink
        self._told_at = clock()
        self.payload: dict[str, Any] = job.payload
        self.cursor: dict[str, Any] = job.cursor

    @property
    def now(self) -> datetime:
        return self._clock()

    def __str__(self) -> str:
        return str(self._job)

    def progress(self, n_done: int, n_total: int, note: str = "") -> None:
        """Tell how far the work is and renew the lease; cheap enough for every loop turn.

        Raises LostLeaseError if another worker has taken the job over.
        """
        if self._sink is not None:
            self._sink(n_done, n_total, note)
        now = self._clock()
        if now - self._told_at >= TELL_AFTER or n_done >= n_total:
            self._save(now, n_done=n_done, n_total=n_total, note=note[:200])
            self._told_at = now

    @contextmanager
    def step(self) -> Iterator[dict[str, Any]]:
        """One transaction for a step's effect and the cursor that says the step is done.

        The body changes the yielded cursor; both are kept, or neither. Raises LostLeaseError
        before the body runs, or instead of committing it, if another worker has the job.
        """
        cursor = deepcopy(self.cursor)
        with transaction.atomic():
            if not self.is_mine():
                raise LostLeaseError(f"{self._job} was taken over")
            yield cursor
            self._save(self._clock(), cursor=cursor)
        self.cursor = cursor

    def renew(self) -> None:
        """Prolong the lease. Raises LostLeaseError if another worker has taken the job over."""
        self._save(self._clock())

    def is_mine(self) -> bool:
        return self._mine().exists()

    def _mine(self) -> JobQuerySet:
        return Job.objects.filter(
            pk=self._job.pk, state=Job.State.RUNNING, claim_token=self._job.claim_token
        )

    def _save(self, now: datetime, **changes: Any) -> None:
        if not self._mine().update(lease_until=now + LEASE, **changes):
            raise LostLeaseError(f"{self._job} was taken over")
