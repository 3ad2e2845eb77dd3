"""The kinds of jobs that the tests of jobs run."""

from __future__ import annotations

from jobs.registry import job
from jobs.running import JobFailedError
from jobs.work import ObstacleError, Work


@job("tests.count", title="Counting")
def count(work: Work) -> dict[str, int]:
    """Counts to `to`; refuses at `refuse_at`, fails at `fail_at`, is hindered at `hinder_at`."""
    for n in range(work.cursor.get("n", 0), work.payload["to"]):
        if n == work.payload.get("refuse_at"):
            raise JobFailedError("too_far", "The file ends early.")
        if n == work.payload.get("hinder_at"):
            raise ObstacleError("Put the key back.")
        if n == work.payload.get("fail_at"):
            raise ValueError("anna@example.com")
        with work.step() as cursor:
            cursor["n"] = n + 1
        work.progress(n + 1, work.payload["to"], "counting")
    return {"n": work.cursor["n"]}
