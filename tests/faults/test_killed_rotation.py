"""Kill -9 at random moments of a rotation: at every moment all values open and all are found."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.installation import ROOT, Installation, installation, kill, until

pytestmark = pytest.mark.slow

N_PEOPLE = 3_000
N_COPIES = 10
KILLS = 4
FILL = f"""
from django.utils import timezone
from privacy.models import Subject
from profiles.models import Customer
subjects = Subject.objects.bulk_create(Subject() for _ in range({N_PEOPLE}))
Customer.objects.bulk_create(
    Customer(subject=s, external_id=f"c{{n}}", email=f"p{{n}}@example.com",
             phone=f"+86138{{n:08}}", full_name=f"N{{n}}", created_at=timezone.now())
    for n, s in enumerate(subjects))

from jobs import running
from jobs.models import Job
from privacy import subject_export
for subject in subjects[::{N_PEOPLE // N_COPIES}]:
    subject_export.ask(subject, actor="test", now=timezone.now())
for job in Job.objects.filter(kind=subject_export.JOB):
    running.run(job.pk, clock=timezone.now)
"""
LOOK = f"""
from django.utils import timezone
from privacy.fields import reveal_columns
from privacy.purposes import purpose
from profiles.models import Customer
with purpose("import", actor="test", now=timezone.now()):
    found = reveal_columns(Customer.objects.all(), ["email", "phone", "full_name"], "import")
names = {{v["email"]: (v["phone"], v["full_name"]) for v in found.values()}}
assert names == {{f"p{{n}}@example.com": (f"+86138{{n:08}}", f"N{{n}}") for n in range({N_PEOPLE})}}
asked = [f"p{{n}}@example.com" for n in range({N_PEOPLE})]
assert Customer.objects.filter(email__in=asked).count() == {N_PEOPLE}, "some are not found"

from hashlib import sha256
from privacy import subject_export
from privacy.models import SubjectExport
copies = list(SubjectExport.objects.filter(state="ready"))
assert len(copies) == {N_COPIES}, "copies were not made"
for copy in copies:
    data = subject_export.download(copy, actor="test", now=timezone.now())
    assert sha256(data).hexdigest() == copy.sha256
"""


def run(made: Installation, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        cwd=ROOT, env=made.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def state(made: Installation, column: str) -> str:
    return str(made.rows(f"SELECT {column} FROM jobs_job WHERE state = 'running'"))  # noqa: S608 -- our own words


def disturb(made: Installation, what: str, *, after_seconds: float) -> None:
    """Start a rotation, see it take up what the one before left, and kill it a moment later.

    How soon it is at work again, `python -m benchmarks resuming` measures.
    """
    before = state(made, "claim_token")
    process = made.start("rotate_keys", what)
    until(lambda: state(made, "claim_token") != before or process.poll() is not None, "the claim")
    time.sleep(after_seconds)
    kill(process)


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
@pytest.mark.parametrize("what", ["people", "indexes", "epochs"])
def test_a_rotation_killed_again_and_again_loses_nothing(
    database: str, what: str, tmp_path: Path
) -> None:
    url = os.environ["TEST_DATABASE_URL"] if database == "postgresql" else ""
    chance = random.Random(what + database)
    with installation(tmp_path, database=url, redis=os.environ.get("TEST_REDIS_URL", "")) as made:
        made.migrate()
        run(made, FILL)
        reached = set()
        for _ in range(KILLS):
            disturb(made, what, after_seconds=chance.uniform(0, 1.5))
            reached.add(state(made, "cursor"))
            run(made, LOOK)
        assert len(reached) > 1, "the kills came before anything was done"
        done = made.manage("rotate_keys", what)

        assert done.returncode == 0, done.stderr
        assert "0 rows on the old key" in done.stdout
        run(made, LOOK)
