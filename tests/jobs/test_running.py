from __future__ import annotations

from datetime import timedelta

import pytest

from jobs import queue, running
from jobs.models import Job
from jobs.registry import UnknownKindError
from jobs.work import LEASE, LostLeaseError, Work
from tests.jobs import kinds as _kinds  # noqa: F401 -- registers the kinds
from tests.make import NOW

pytestmark = pytest.mark.django_db


def enqueue(**payload: int) -> Job:
    return queue.enqueue("tests.count", payload, now=NOW)


def run(job: Job, *, minutes: int = 0) -> Job:
    done = running.run(job.pk, clock=lambda: NOW + timedelta(minutes=minutes))
    assert done is not None
    return done


def test_a_job_keeps_its_result() -> None:
    done = run(enqueue(to=3))

    assert (done.state, done.result) == (Job.State.DONE, {"n": 3})
    assert (done.n_done, done.n_total) == (3, 3)


def test_an_unknown_kind_is_refused_when_it_is_asked_for() -> None:
    with pytest.raises(UnknownKindError, match=r"tests\.nothing"):
        queue.enqueue("tests.nothing", now=NOW)


def test_a_failed_job_waits_longer_each_time_and_then_dies_with_its_reason() -> None:
    job = enqueue(to=3, fail_at=1)
    waits = []
    for attempt in range(job.max_attempts):
        left = run(job, minutes=60 * attempt)
        waits.append((left.not_before - NOW - timedelta(minutes=60 * attempt)) / LEASE)

    assert waits[:4] == [1, 2, 4, 8]
    assert (left.state, left.error_code) == (Job.State.DEAD, "ValueError")


def test_the_text_of_an_error_is_never_kept() -> None:
    left = run(enqueue(to=3, fail_at=1))

    assert "anna" not in repr(Job.objects.filter(pk=left.pk).values().get())


def test_a_refusal_of_the_handler_ends_the_job_at_once() -> None:
    left = run(enqueue(to=3, refuse_at=1))

    assert (left.state, left.n_attempts) == (Job.State.DEAD, 1)
    assert (left.error_code, left.error_detail) == ("too_far", "The file ends early.")


def test_an_obstacle_says_what_to_put_right_while_the_job_waits() -> None:
    left = run(enqueue(to=3, hinder_at=1))

    assert (left.state, left.n_attempts) == (Job.State.QUEUED, 1)
    assert (left.error_code, left.error_detail) == ("ObstacleError", "Put the key back.")


def test_a_job_that_waits_for_its_retry_is_not_run_before() -> None:
    job = run(enqueue(to=3, fail_at=1))

    assert running.run(job.pk, clock=lambda: NOW) is None


def test_a_step_that_fails_leaves_neither_effect_nor_cursor() -> None:
    job = running.claim(enqueue(to=3).pk, now=NOW)
    assert job is not None
    work = Work(job, clock=lambda: NOW)

    def half_a_step() -> None:
        with work.step() as cursor:
            cursor["n"] = 1
            Job.objects.create(kind="effect", queue="default", not_before=NOW, created_at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_a_step()

    assert not Job.objects.filter(kind="effect").exists()
    assert work.cursor == Job.objects.get(pk=job.pk).cursor == {}


def test_a_cancelled_job_stops_before_its_next_step() -> None:
    job = running.claim(enqueue(to=3).pk, now=NOW)
    assert job is not None
    queue.cancel(job, NOW)
    entered = False

    with pytest.raises(LostLeaseError), Work(job, clock=lambda: NOW).step():
        entered = True

    assert not entered


def test_progress_tells_a_worker_that_its_job_was_taken() -> None:
    job = running.claim(enqueue(to=3).pk, now=NOW)
    assert job is not None
    queue.cancel(job, NOW)
    work = Work(job, clock=lambda: NOW)

    with pytest.raises(LostLeaseError):
        work.progress(3, 3)


def test_a_handler_that_reports_nothing_keeps_its_lease() -> None:
    renewed: list[int] = []

    class Quiet(Work):
        def renew(self) -> None:
            renewed.append(1)

    job = running.claim(enqueue(to=3).pk, now=NOW)
    assert job is not None
    with running.heartbeat(Quiet(job, clock=lambda: NOW), every_seconds=0.01):
        while len(renewed) < 3:
            pass

    assert len(renewed) >= 3


def test_progress_is_told_every_two_seconds_also_between_short_steps() -> None:
    job = running.claim(enqueue(to=3).pk, now=NOW)
    assert job is not None
    seconds = iter(range(100))
    work = Work(job, clock=lambda: NOW + timedelta(seconds=next(seconds)))

    for n in range(4):
        with work.step():
            pass
        work.progress(n + 1, 1000)

    job.refresh_from_db()
    assert job.n_done >= 3
