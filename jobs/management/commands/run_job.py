from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from jobs import running
from jobs.models import Job

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Run one waiting job in this process; the embedded server runs batch jobs this way."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job_id", type=int, help="number of the job, as on the jobs screen")
        parser.add_argument(
            "--supervised",
            action="store_true",
            help="end as soon as standard input closes, so that the job dies with its server",
        )

    def handle(self, *args: Any, job_id: int, supervised: bool, **options: Any) -> None:
        if supervised:
            threading.Thread(target=_end_with_parent, daemon=True).start()
        job = running.run(job_id, clock=timezone.now)
        if job is None:
            raise CommandError(f"Job {job_id} is not waiting: see its state on the jobs screen.")
        if job.state != Job.State.DONE and not supervised:
            raise CommandError(f"Job {job_id} ended as {job.state} ({job.error_code or '-'}).")


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)
