from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from jobs import queue, sweeping
from jobs.models import Job
from jobs.workers import this_worker
from tests.jobs import kinds as _kinds  # noqa: F401 -- registers the kinds
from tests.make import NOW

pytestmark = pytest.mark.django_db


def enqueue(unique_key: str = "") -> Job:
    return queue.enqueue("tests.count", {"to": 3}, now=NOW, unique_key=unique_key)


def put(job: Job, state: str, **facts: object) -> Job:
    held = {"claim_token": uuid4(), "lease_until": NOW + timedelta(seconds=30)}
    held = held if state == Job.State.RUNNING else {"claim_token": None, "lease_until": None}
    Job.objects.filter(pk=job.pk).update(state=state, **held | facts)
    job.refresh_from_db()
    return job


def test_an_open_job_of_the_same_key_is_returned_instead_of_a_second() -> None:
    assert enqueue("nightly").pk == enqueue("nightly").pk


def test_a_key_is_free_again_once_its_job_has_ended() -> None:
    first = put(enqueue("nightly"), Job.State.DONE)

    assert enqueue("nightly").pk != first.pk


@pytest.mark.parametrize("state", [Job.State.DEAD, Job.State.CANCELLED])
def test_a_retried_job_goes_on_from_its_cursor_with_all_its_attempts(state: str) -> None:
    job = put(enqueue(), state, n_attempts=5, cursor={"n": 2}, error_code="no_file")

    queue.retry(job, NOW + timedelta(hours=1))

    assert (job.state, job.n_attempts, job.error_code) == (Job.State.QUEUED, 0, "")
    assert (job.cursor, job.not_before) == ({"n": 2}, NOW + timedelta(hours=1))


@pytest.mark.parametrize("state", [Job.State.QUEUED, Job.State.RUNNING, Job.State.DONE])
def test_only_a_job_that_has_failed_is_retried(state: str) -> None:
    job = put(enqueue(), state)

    with pytest.raises(queue.NotRetryableError):
        queue.retry(job, NOW)


def test_jobs_that_ended_well_or_were_cancelled_a_month_ago_are_forgotten_and_no_other() -> None:
    month = timedelta(days=30)
    for state in (Job.State.DONE, Job.State.CANCELLED):
        for _ in range(3):
            put(enqueue(), state, finished_at=NOW - month - timedelta(seconds=1))
    kept = [
        put(enqueue(), Job.State.DONE, finished_at=NOW - month),
        put(enqueue(), Job.State.DEAD, finished_at=NOW - 2 * month),
        put(enqueue(), Job.State.QUEUED, created_at=NOW - 2 * month),
    ]

    assert sweeping.prune(NOW, batch=4) == 6
    assert list(Job.objects.order_by("pk")) == kept


def test_a_job_is_not_retried_beside_a_newer_one_of_its_key() -> None:
    old = put(enqueue("nightly"), Job.State.DEAD)
    enqueue("nightly")

    with pytest.raises(queue.NotRetryableError):
        queue.retry(old, NOW)


@pytest.mark.parametrize("state", [Job.State.DONE, Job.State.DEAD, Job.State.CANCELLED])
def test_a_job_that_has_ended_is_not_cancelled(state: str) -> None:
    job = put(enqueue(), state)

    with pytest.raises(queue.NotCancellableError):
        queue.cancel(job, NOW)


def test_the_sweeper_puts_back_what_a_silent_worker_held() -> None:
    job = put(enqueue(), Job.State.RUNNING, worker="elsewhere:1", n_attempts=1)

    sweeping.sweep(NOW + timedelta(seconds=29))
    job.refresh_from_db()
    assert job.state == Job.State.RUNNING

    sweeping.sweep(NOW + timedelta(seconds=31))
    job.refresh_from_db()
    assert (job.state, job.error_code) == (Job.State.QUEUED, "worker_lost")


def test_a_job_that_loses_its_worker_each_time_dies_with_that_reason() -> None:
    job = put(enqueue(), Job.State.RUNNING, worker="elsewhere:1", n_attempts=5)

    sweeping.sweep(NOW + timedelta(seconds=31))

    job.refresh_from_db()
    assert (job.state, job.error_code, job.finished_at) == (
        Job.State.DEAD,
        "worker_lost",
        NOW + timedelta(seconds=31),
    )


def test_a_worker_that_stops_in_good_order_costs_its_jobs_no_attempt() -> None:
    job = put(enqueue(), Job.State.RUNNING, worker=this_worker(), n_attempts=1)

    sweeping.release(this_worker(), now=NOW)

    job.refresh_from_db()
    assert (job.state, job.n_attempts) == (Job.State.QUEUED, 0)


def test_a_wake_up_is_sent_again_only_after_a_while() -> None:
    Job.objects.filter(pk=enqueue().pk).update(published_at=NOW)

    assert sweeping.sweep(NOW + timedelta(seconds=20)) == 0
    assert sweeping.sweep(NOW + timedelta(seconds=40)) == 1


def test_a_job_for_later_is_left_until_then() -> None:
    queue.enqueue("tests.count", now=NOW, not_before=NOW + timedelta(hours=1))

    assert sweeping.sweep(NOW) == 0
    assert sweeping.sweep(NOW + timedelta(hours=1)) == 1
