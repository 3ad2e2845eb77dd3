"""A new key epoch for many people, against unwrapping and wrapping as many keys in memory."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time

from benchmarks.frame import ROOT, Result, python

N_PEOPLE = 200_000
CHUNK = 20_000


def run() -> Result:
    done = subprocess.run(
        python("-m", "benchmarks.rotation"),
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    rotated, floor = json.loads(done.stdout.splitlines()[-1])
    a_million = rotated / N_PEOPLE * 1e6
    return Result(
        name=f"rotation: a new epoch for {N_PEOPLE:,} people / their keys wrapped in memory",
        figures={"rotation / keys in memory": rotated / floor, "seconds a million": a_million},
        budgets={"rotation / keys in memory": 8.0, "seconds a million": 60.0},
    )


def measure() -> tuple[float, float]:
    """Return wall seconds of the rotation, and of the same keys without a database."""
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
    from uuid import uuid4

    from privacy.keystore import keystore
    from privacy.models import RootKey, SubjectKey
    from privacy.rotation import epochs

    for _ in range(N_PEOPLE // CHUNK):
        keystore.create(uuid4() for _ in range(CHUNK))
    epoch = keystore.ring().written[RootKey.Use.KEK]
    rows = _kept(SubjectKey.objects.all())

    started = time.perf_counter()
    epochs.begin(epoch + 1)
    keystore.reread()
    after = 0
    while page := epochs.page(after, epoch + 1):
        epochs.rewrap(page, epoch + 1)
        after = page[-1][0]
    rotated = time.perf_counter() - started
    if SubjectKey.objects.filter(epoch__lte=epoch).exists():
        raise RuntimeError("rows are left on the old key")

    old, new = keystore.wrapping(epoch), keystore.wrapping(epoch + 1)
    started = time.perf_counter()
    for subject, generation, wrapped in rows:
        key = old.unwrap(wrapped, subject=subject, generation=generation)
        new.wrap(key, subject=subject, generation=generation)
    return rotated, time.perf_counter() - started


def _kept(keys: object) -> list[tuple[bytes, int, bytes]]:
    found = keys.values_list("subject_uuid", "generation", "wrapped")  # type: ignore[attr-defined]
    return [(subject.bytes, number, bytes(wrapped)) for subject, number, wrapped in found]


if __name__ == "__main__":
    print(json.dumps(measure()))
