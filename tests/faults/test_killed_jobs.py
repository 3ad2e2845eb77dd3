"""Kill -9 in the middle of a job: the next process ends it, and no step is done twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.workers import is_dead
from tests.faults.installation import Installation, get, installation, kill, until
from tests.servers import free_port

STEPS = 30
pytestmark = pytest.mark.slow


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path) as made:  # `serve` makes its tables itself
        yield made


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Installation]:
    servers = {"database": os.environ["TEST_DATABASE_URL"], "redis": os.environ["TEST_REDIS_URL"]}
    with installation(tmp_path, **servers) as made:
        made.migrate()
        yield made


def serve(made: Installation) -> int:
    """Start `manage.py serve` and wait for its answer; returns its port."""
    port = free_port()
    made.start("serve", "--port", str(port))
    until(lambda: get(f"http://127.0.0.1:{port}/healthz")[0] == 200, "the start")
    return port


@pytest.mark.parametrize("queue", ["default", "batch"])
def test_a_killed_embedded_server_goes_on_with_its_job(embedded: Installation, queue: str) -> None:
    serve(embedded)
    embedded.enqueue(f"faults.{queue}", steps=STEPS, seconds=0.1)
    until(lambda: len(embedded.steps()) >= 3, "the first steps")

    kill(embedded.processes[0])
    assert embedded.job(f"faults.{queue}")[0] == "running"
    serve(embedded)
    until(lambda: embedded.job(f"faults.{queue}")[0] == "done", "the rest")

    assert embedded.steps() == list(range(STEPS))
    assert embedded.job(f"faults.{queue}")[1] == 2


def test_a_batch_job_dies_with_its_server_even_if_only_that_is_killed(
    embedded: Installation,
) -> None:
    serve(embedded)
    embedded.enqueue("faults.batch", steps=500, seconds=0.1)
    until(lambda: len(embedded.steps()) >= 1, "the first step")
    child = embedded.job("faults.batch")[3]

    embedded.processes[0].kill()
    embedded.processes[0].wait()

    until(lambda: is_dead(child), "the end of the child")


def test_a_stopped_server_ends_in_good_order_and_hands_its_jobs_over(
    embedded: Installation,
) -> None:
    serve(embedded)
    for queue in ("default", "batch"):
        embedded.enqueue(f"faults.{queue}", steps=500, seconds=0.1)
    until(lambda: {embedded.job(f"faults.{q}")[0] for q in ("default", "batch")} == {"running"}, "")

    embedded.processes[0].send_signal(signal.SIGTERM)

    assert embedded.processes[0].wait(20) == 0
    for queue in ("default", "batch"):
        assert embedded.job(f"faults.{queue}")[:3] == ("queued", 0, "")


def test_a_hung_batch_job_is_killed_at_its_time_limit(embedded: Installation) -> None:
    embedded.environ["JOBS_BATCH_SECONDS"] = "3"
    serve(embedded)

    embedded.enqueue("faults.hangs")

    until(lambda: embedded.job("faults.hangs")[0] == "dead", "the limit")
    assert embedded.job("faults.hangs")[2] == "time_limit"


@pytest.mark.postgres
@pytest.mark.redis
def test_the_job_of_a_killed_worker_is_ended_by_the_next(production: Installation) -> None:
    production.start("serve", "--beat")
    first = production.start("serve", "--worker", "--queues", "default,critical")
    production.enqueue("faults.default", steps=STEPS, seconds=0.1)
    until(lambda: len(production.steps()) >= 3, "the first steps")

    kill(first)
    production.start("serve", "--worker")
    until(lambda: production.job("faults.default")[0] == "done", "the rest")

    assert production.steps() == list(range(STEPS))
    assert production.job("faults.default")[1] == 2


@pytest.mark.postgres
@pytest.mark.redis
def test_a_worker_survives_the_death_of_the_process_that_runs_its_job(
    production: Installation,
) -> None:
    production.start("serve", "--beat")
    production.start("serve", "--worker")
    production.enqueue("faults.default", steps=STEPS, seconds=0.1)
    until(lambda: len(production.steps()) >= 3, "the first steps")

    os.kill(int(production.job("faults.default")[3].rpartition(":")[2]), signal.SIGKILL)
    until(lambda: production.job("faults.default")[0] == "done", "the rest")

    assert production.steps() == list(range(STEPS))


@pytest.mark.postgres
@pytest.mark.redis
def test_the_production_roles_answer_their_probes(production: Installation) -> None:
    port = free_port()
    production.start("serve", "--web", "--port", str(port), "--processes", "1")
    for role in ("--beat", "--worker"):
        production.start("serve", role)
    url = f"http://127.0.0.1:{port}"

    until(lambda: get(f"{url}/healthz/worker")[0] == 200, "a pulse of each queue")

    status, body = get(f"{url}/readyz")
    assert (status, set(body["checks"].values())) == (200, {"ok"})
