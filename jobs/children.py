"""Batch jobs in a child process: heavy imports and hung code end with the process.

Threads of a worker inside the web server cannot be stopped, and would hold the interpreter
lock; a child is killed on its deadline, on a lost lease, and when the server stops or dies.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from jobs import queue, sweeping
from jobs.models import Job
from jobs.workers import on_this_host

if TYPE_CHECKING:
    from jobs.work import Clock

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
START_SECONDS = 60.0
GRACE_SECONDS = 5.0

# Set when the server stops: every child is ended and its job handed to the next process.
stopping = threading.Event()
# One batch job's libraries at a time: two would double the memory of a small host.
_one_at_a_time = threading.Lock()


def belongs_in_child(job_id: int) -> bool:
    return Job.objects.filter(pk=job_id, queue=Job.Queue.BATCH).exists()


def run(job_id: int, *, clock: Clock) -> None:
    """Run a batch job in a child process and watch over it.

    A job that finds the one place taken stays queued and is announced when the place is free.
    """
    if stopping.is_set() or not _one_at_a_time.acquire(blocking=False):
        return
    try:
        _run_and_watch(job_id, clock=clock)
    finally:
        _one_at_a_time.release()
    now = clock()
    following = Job.objects.waiting(now).filter(queue=Job.Queue.BATCH).order_by("not_before", "pk")
    if not stopping.is_set() and (job := following.first()) is not None:
        queue.publish(job, now=now)


def _run_and_watch(job_id: int, *, clock: Clock) -> None:
    child = _start(job_id)
    try:
        reason = _watch(child, job_id)
    finally:
        _end(child)
    worker = on_this_host(child.pid)
    if reason == "stopping":
        sweeping.release(worker, now=clock())
        return
    left = Job.objects.filter(pk=job_id, state=Job.State.RUNNING, worker=worker)
    sweeping.put_back(left, now=clock(), code=reason)


def _start(job_id: int) -> subprocess.Popen[bytes]:
    manage = Path(settings.BASE_DIR) / "manage.py"
    command = [sys.executable, str(manage), "run_job", str(job_id), "--supervised"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S603 -- fixed words and a number


def _watch(child: subprocess.Popen[bytes], job_id: int) -> str:
    """Wait for the child to end or to have to; returns why, as an error code."""
    started = time.monotonic()
    deadline = started + settings.JOBS_TIME_LIMIT_SECONDS[Job.Queue.BATCH]
    mine = Job.objects.filter(pk=job_id, state=Job.State.RUNNING, worker=on_this_host(child.pid))
    claimed = False
    while not _ended(child):
        if stopping.is_set():
            return "stopping"
        if time.monotonic() > deadline:
            log.warning("batch job over its time limit", extra={"job_id": job_id})
            return "time_limit"
        held = mine.exists()
        claimed = claimed or held
        if not held and (claimed or time.monotonic() - started > START_SECONDS):
            return "lease_lost"
    return "worker_lost"


def _ended(child: subprocess.Popen[bytes]) -> bool:
    try:
        child.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child at once if it does not end by itself: its steps are all or nothing."""
    try:
        child.wait(GRACE_SECONDS if not stopping.is_set() else 0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()
