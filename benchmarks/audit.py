"""The audit chain walked to its end, against hashing as many entries' bytes alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import time
from typing import Any

from benchmarks.frame import ROOT, Result, python

N_ENTRIES = 200_000
CHUNK = 20_000


def run() -> Result:
    done = subprocess.run(
        python("-m", "benchmarks.audit"),
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    walked, floor = json.loads(done.stdout.splitlines()[-1])
    return Result(
        name=f"audit: verifying a chain of {N_ENTRIES:,} entries / hashing as many texts",
        figures={
            "seconds a million": walked / N_ENTRIES * 1e6,
            "verifying / hashing": walked / floor,
        },
        budgets={"seconds a million": 60.0},
    )


def measure() -> tuple[float, float]:
    """Return wall seconds of the walk, and of the hashes alone."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VAR_DIR": tempfile.mkdtemp(),
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    for alias in ("default", "keystore"):
        call_command("migrate", verbosity=0, database=alias)
    from privacy import checkpoints

    _fill()
    started = time.perf_counter()
    verdict = checkpoints.verify()
    walked = time.perf_counter() - started
    if verdict.fault is not None or verdict.n_entries != N_ENTRIES:
        raise RuntimeError(f"the chain does not verify: {verdict}")
    text = json.dumps({"subjects": ["0" * 36], "reason": "x" * 200}).encode()
    started = time.perf_counter()
    last = bytes(32)
    for _ in range(N_ENTRIES):
        last = hashlib.sha256(last + text).digest()
    return walked, time.perf_counter() - started


def _fill() -> None:
    from datetime import UTC, datetime, timedelta
    from uuid import UUID

    from privacy import audit
    from privacy.models import AuditEntry

    at, previous = datetime(2026, 3, 2, tzinfo=UTC), audit.GENESIS
    entries: list[Any] = []
    for number in range(1, N_ENTRIES + 1):
        entry = AuditEntry(
            at=at + timedelta(seconds=number),
            actor="staff:1",
            action="value.revealed",
            purpose="support.reveal",
            subjects=[str(UUID(int=number))],
            n_subjects=1,
            fields=["profiles.Customer.email", "profiles.Customer.phone"],
            reason="the customer called about an order",
            previous_hash=previous,
        )
        entry.hash = previous = audit.digest(entry)
        entries.append(entry)
        if len(entries) == CHUNK:
            AuditEntry.objects.bulk_create(entries)
            entries.clear()


if __name__ == "__main__":
    print(json.dumps(measure()))
