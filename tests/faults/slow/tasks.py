"""Jobs of many small steps, each of which leaves one row."""

from __future__ import annotations

import time

from django.utils import timezone

from jobs.models import Job
from jobs.registry import job
from jobs.work import Work

EFFECT = "faults.effect"


def leave_rows(work: Work) -> dict[str, int]:
    for n in range(work.cursor.get("n", 0), work.payload["steps"]):
        time.sleep(work.payload["seconds"])
        with work.step() as cursor:
            Job.objects.create(
                kind=EFFECT,
                queue=Job.Queue.DEFAULT,
                state=Job.State.DONE,
                note=str(n),
                not_before=timezone.now(),
                created_at=timezone.now(),
            )
            cursor["n"] = n + 1
        work.progress(n + 1, work.payload["steps"])
    return {"n": work.cursor["n"]}


for queue in (Job.Queue.DEFAULT, Job.Queue.BATCH):
    job(f"faults.{queue}", title="Leaving rows", queue=queue)(leave_rows)


@job("faults.hangs", title="Hanging", queue=Job.Queue.BATCH, max_attempts=1)
def hang(work: Work) -> None:
    """Never ends and never reports."""
    while work.payload is not None:
        time.sleep(1)
