"""Whatever the order of claims, pauses, sweeps, cancels and retries: each step has one effect."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs import queue, running, sweeping
from jobs.models import Job
from jobs.work import LEASE, LostLeaseError, Work
from tests.jobs import kinds as _kinds  # noqa: F401 -- registers the kinds
from tests.make import NOW

WORKERS = st.sampled_from(["a", "b", "c"])


def leave_effect(n: int) -> None:
    Job.objects.create(
        kind="effect", queue="default", state="done", note=str(n), not_before=NOW, created_at=NOW
    )


def effects() -> list[int]:
    notes = Job.objects.filter(kind="effect").order_by("pk").values_list("note", flat=True)
    return [int(note) for note in notes]


class Takeovers(RuleBasedStateMachine):
    """Three workers at one job; a paused worker wakes up with what it knew."""

    @initialize()
    def begin(self) -> None:
        Job.objects.all().delete()
        self.now = NOW
        self.job = queue.enqueue("tests.count", {"to": 1}, now=NOW)
        self.works: dict[str, Work] = {}

    def clock(self) -> datetime:
        return self.now

    @rule(seconds=st.integers(1, 45))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(name=WORKERS)
    def claim(self, name: str) -> None:
        if (job := running.claim(self.job.pk, now=self.now)) is not None:
            self.works[name] = Work(job, clock=self.clock)

    @precondition(lambda self: self.works)
    @rule(name=WORKERS)
    def step(self, name: str) -> None:
        if (work := self.works.get(name)) is None:
            return
        try:
            with work.step() as cursor:
                leave_effect(cursor.get("n", 0))
                cursor["n"] = cursor.get("n", 0) + 1
        except LostLeaseError:
            del self.works[name]

    @rule()
    def sweep(self) -> None:
        sweeping.sweep(self.now)

    @rule()
    def cancel(self) -> None:
        self.job.refresh_from_db()
        if self.job.is_open:
            queue.cancel(self.job, self.now)

    @rule()
    def retry(self) -> None:
        self.job.refresh_from_db()
        if self.job.can_retry:
            queue.retry(self.job, self.now)

    @invariant()
    def each_step_has_one_effect(self) -> None:
        cursor = Job.objects.get(pk=self.job.pk).cursor
        assert effects() == list(range(cursor.get("n", 0)))

    @invariant()
    def at_most_one_worker_may_go_on(self) -> None:
        assert sum(work.is_mine() for work in self.works.values()) <= 1


@pytest.mark.django_db
def test_each_step_has_one_effect_whoever_does_it() -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Takeovers,
        settings=settings(
            max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=checks
        ),
    )


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_job_taken_over_in_the_middle_of_a_step_undoes_that_step() -> None:
    """SQLite cannot get here: a step holds its only write lock."""
    job = running.claim(queue.enqueue("tests.count", {"to": 1}, now=NOW).pk, now=NOW)
    assert job is not None
    late = NOW + LEASE + timedelta(seconds=1)

    def take_over() -> None:
        sweeping.sweep(late)
        assert running.claim(job.pk, now=late) is not None
        connection.close()

    def step() -> None:
        with Work(job, clock=lambda: late).step():
            leave_effect(0)
            other = threading.Thread(target=take_over)
            other.start()
            other.join()

    with pytest.raises(LostLeaseError):
        step()

    assert effects() == []


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_gets_the_job() -> None:
    job = queue.enqueue("tests.count", {"to": 1}, now=NOW)
    got: list[Job | None] = []
    barrier = threading.Barrier(6)

    def claim() -> None:
        barrier.wait()
        got.append(running.claim(job.pk, now=NOW))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(claimed is not None for claimed in got) == 1
