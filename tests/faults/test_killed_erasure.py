"""Kill -9 in the middle of an erasure: the next process ends it, and the end is the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.installation import ROOT, Installation, installation, kill

pytestmark = pytest.mark.slow
KILLS = 6
N_EVENTS = 150
SETUP = """
import django; django.setup()
from django.utils import timezone
from jobs import running, sweeping
from jobs.models import Job
from privacy import erasure, ledger
from privacy.models import Erasure, SubjectKey
from profiles.models import Event
from tests.privacy import persons
erasure.BATCH = 2
"""
BEGIN = f"""
found = persons.world()
Event.objects.bulk_create(
    Event(source=found.order.source, message_id=f"e{{n}}", kind="track", name="Seen",
          customer=found.person, happened_at=persons.NOW, received_at=persons.NOW)
    for n in range({N_EVENTS})
)
erasure.begin(found.person.subject, actor="staff:1", now=timezone.now())
"""
RUN = """
sweeping.sweep(timezone.now())
running.run(Job.objects.get(kind=erasure.JOB).pk, clock=timezone.now)
"""
END = """
import json
one = Erasure.objects.get()
print(json.dumps({
    "state": one.state,
    "tables": {row["table"]: row["rows"] for row in one.certificate["document"]["tables"]},
    "left": [canary for canary in persons.CANARIES if canary in persons.everything()],
    "books": list(persons.Order.objects.order_by("pk").values_list("total_minor", "customer__external_id")),
    "keys": SubjectKey.objects.count(),
    "ledger": len(ledger.entries()),
    "missing": len(ledger.missing()),
}))
"""


def start(
    made: Installation, script: str, *, out: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", SETUP + script],
        cwd=ROOT,
        env=made.environ,
        stdout=out,
        start_new_session=True,
    )
    made.processes.append(process)
    return process


def run(made: Installation, script: str) -> str:
    out, _ = start(made, script, out=subprocess.PIPE).communicate(timeout=120)
    return out.decode()


def erased(made: Installation, *, kills: int, chance: random.Random) -> dict[str, Any]:
    """Erase the person of a new world, killed so often on the way, and tell how it ended."""
    made.migrate()
    run(made, BEGIN)
    query = "SELECT state FROM jobs_job WHERE kind = 'privacy.erase'"
    for _ in range(kills):
        process = start(made, RUN)
        while process.poll() is None and made.rows(query) != [("running",)]:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.15)
        kill(process)
    while made.rows(query) != [("done",)]:
        run(made, RUN)
        if made.rows(query) == [("queued",)]:
            time.sleep(0.5)
    end: dict[str, Any] = json.loads(run(made, END))
    return end


def check(folder: Path, **servers: str) -> None:
    chance = random.Random(20260302)
    with installation(folder / "calm", **servers) as made:
        calm = erased(made, kills=0, chance=chance)
    with installation(folder / "killed", **servers) as made:
        killed = erased(made, kills=KILLS, chance=chance)
    assert killed == calm
    assert calm["state"] == "done"
    assert calm["left"] == []
    assert calm["tables"]["profiles.Event"] == N_EVENTS + 2
    assert (calm["ledger"], calm["missing"]) == (1, 0)


def test_a_killed_erasure_is_ended_by_the_next_process(tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.postgres
@pytest.mark.redis
def test_a_killed_erasure_is_ended_on_servers(tmp_path: Path) -> None:
    check(tmp_path, database=os.environ["TEST_DATABASE_URL"], redis=os.environ["TEST_REDIS_URL"])
