"""How long a rotation waits until every process knows, or has forgotten, a key."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.conf import settings

from jobs.work import Work
from privacy.root_keys import REFRESH_SECONDS


def told() -> timedelta:
    """By then every process has read the root keys again."""
    return timedelta(seconds=min(2 * REFRESH_SECONDS, 2 * settings.KEY_CACHE_SECONDS))


def forgotten() -> timedelta:
    """By then no process holds, nor an open transaction has sealed with, what it knew before."""
    return timedelta(seconds=2 * settings.KEY_CACHE_SECONDS)


def wait(work: Work, since: str, how_long: timedelta, note: str) -> None:
    """Come back once `how_long` has gone by since that moment, keeping the job's lease."""
    until = datetime.fromisoformat(since) + how_long
    while (left := (until - work.now).total_seconds()) > 0:
        work.progress(0, 1, note)
        time.sleep(min(left, 1))
