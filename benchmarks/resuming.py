"""A rotation of data keys that is killed -9: how long, on the wall, until it is at work again.

From the start of the command to its next page of people, committed; beside it a start of
`manage.py` that does nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.frame import ROOT, Result, python

N_PEOPLE = 30_000
KILLS = 5
PATIENCE_SECONDS = 60
FILL = f"""
import django; django.setup()
from django.utils import timezone
from privacy.models import Subject
from profiles.models import Customer
for start in range(0, {N_PEOPLE}, 5_000):
    subjects = Subject.objects.bulk_create(Subject() for _ in range(5_000))
    Customer.objects.bulk_create(
        Customer(subject=s, external_id=f"c{{n}}", email=f"p{{n}}@example.com",
                 phone=f"+86138{{n:08}}", full_name=f"N{{n}}", created_at=timezone.now())
        for n, s in enumerate(subjects, start=start))
"""


def run() -> Result:
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": folder,
            "LOG_LEVEL": "ERROR",
        }
        for alias in ("default", "keystore"):
            _run(environ, "manage.py", "migrate", "--verbosity", "0", "--database", alias)
        _run(environ, "-c", FILL)
        database = Path(folder) / "candor.sqlite3"
        taken = [_resumed(environ, database) for _ in range(KILLS + 1)][1:]
        floor = [_run(environ, "manage.py", "showmigrations", "jobs") for _ in range(KILLS)]
    return Result(
        name=f"resuming: a rotation of data keys killed {KILLS} times, until its next page",
        figures={
            "seconds on the wall, worst": max(taken),
            "seconds on the wall, median": statistics.median(taken),
            "resuming / starting manage.py": statistics.median(taken) / statistics.median(floor),
        },
        budgets={"seconds on the wall, worst": 5.0, "resuming / starting manage.py": 2.0},
    )


def _run(environ: dict[str, str], *arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run(python(*arguments), cwd=ROOT, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _resumed(environ: dict[str, str], database: Path) -> float:
    """Start the rotation, wait for a page beyond what was there, and kill it."""
    before = _after(database)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "rotate_keys", "people"],
        cwd=ROOT,
        env=environ,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while _after(database) == before:
            if process.poll() is not None or time.perf_counter() - started > PATIENCE_SECONDS:
                raise RuntimeError("the rotation ended, or did nothing for a minute")
            time.sleep(0.01)
        return time.perf_counter() - started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _after(database: Path) -> int:
    """The last person whose values were sealed anew; 0 before the first."""
    query = (
        "SELECT json_extract(cursor, '$.after') FROM jobs_job WHERE kind = 'privacy.rotate_keys'"
    )
    with contextlib.closing(sqlite3.connect(database, timeout=20)) as file:
        found = file.execute(query).fetchone()
    return int(found[0] or 0) if found else 0
