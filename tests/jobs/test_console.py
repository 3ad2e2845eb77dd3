import io
import subprocess
import sys
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from jobs import console, queue
from jobs.models import Job
from jobs.work import LEASE
from jobs.workers import this_worker
from tests.jobs import kinds as _kinds  # noqa: F401 -- registers the kinds
from tests.make import NOW

pytestmark = pytest.mark.django_db


def run(**payload: int) -> Job:
    return console.run_here("tests.count", payload, **streams())


def streams() -> dict[str, Any]:
    return {
        "unique_key": "tests.count",
        "now": NOW,
        "stdout": io.StringIO(),
        "stderr": io.StringIO(),
        "clock": lambda: NOW,
    }


def killed(worker: str, **claim: Any) -> Job:
    """A job in the middle, as a worker leaves it that is killed with -9."""
    waiting = queue.enqueue("tests.count", {"to": 5}, now=NOW, unique_key="tests.count")
    claim = {"lease_until": NOW + LEASE, **claim}
    Job.objects.filter(pk=waiting.pk).update(
        state=Job.State.RUNNING, worker=worker, claim_token=uuid4(), cursor={"n": 3}, **claim
    )
    return waiting


def dead_worker() -> str:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{this_worker().rpartition(':')[0]}:{process.pid}"


def test_a_command_runs_its_job_to_the_end_in_its_own_process() -> None:
    done = run(to=3)

    assert (done.state, done.result, done.worker) == (Job.State.DONE, {"n": 3}, this_worker())


def test_a_job_of_a_killed_command_is_gone_on_with_at_once_from_its_cursor() -> None:
    left = killed(dead_worker())

    done = run(to=99)

    assert (done.pk, done.result) == (left.pk, {"n": 5})


def test_a_job_whose_worker_lives_is_left_to_it() -> None:
    left = killed(this_worker())

    with pytest.raises(console.JobBusyError, match=this_worker()):
        run(to=5)

    left.refresh_from_db()
    assert left.cursor == {"n": 3}


def test_a_job_of_another_host_is_taken_over_once_its_lease_is_over() -> None:
    killed("elsewhere:1", lease_until=NOW - timedelta(seconds=1))

    assert run(to=5).result == {"n": 5}


def test_a_waiting_job_of_the_same_key_is_run_instead_of_a_second_one() -> None:
    waiting = queue.enqueue("tests.count", {"to": 2}, now=NOW, unique_key="tests.count")

    assert run(to=99).pk == waiting.pk


def test_a_refused_job_ends_the_command_with_its_reason() -> None:
    with pytest.raises(console.JobEndedBadlyError, match=r"The file ends early\. \(too_far\)"):
        run(to=3, refuse_at=1)

    assert Job.objects.get().state == Job.State.DEAD


def test_a_failed_job_names_the_kind_of_error_and_never_its_text() -> None:
    with pytest.raises(console.JobEndedBadlyError, match="ValueError") as caught:
        run(to=3, fail_at=1)

    assert "anna" not in str(caught.value) + Job.objects.get().error_detail


def test_a_second_start_goes_on_after_a_failure() -> None:
    with pytest.raises(console.JobEndedBadlyError):
        run(to=3, fail_at=2)
    Job.objects.update(payload={"to": 3})

    assert run(to=3).result == {"n": 3}


def test_a_bar_is_only_drawn_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    run(to=3)

    assert capsys.readouterr() == ("", "")
