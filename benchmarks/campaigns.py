"""A campaign from its audience to the wire, each part against what it takes at the least.

The plan stands against PostgreSQL's own INSERT … SELECT, a message against its rendering and
smtplib, a message of Celery against the recipients it is for.

`--customers` sizes the audience (half of them may be written to). Messages go to a sink of its
own process on loopback, which only counts them.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.frame import ROOT, Result, python
from benchmarks.server import Measured, measured_postgres
from tests import servers
from tests.servers import free_port

N_CUSTOMERS = 200_000
N_MESSAGES = 3_000
LISTMONK = 833  # messages a second of one relay, as its author says (knadh/listmonk#1805)


def run(n_customers: int = N_CUSTOMERS, **_others: int) -> Result:
    with tempfile.TemporaryDirectory() as folder, measured_postgres() as server:
        found = _part("audience", server, Path(folder), n_customers)
    with (
        tempfile.TemporaryDirectory() as folder,
        measured_postgres() as server,
        servers.redis() as broker,
    ):
        found |= _part("mailing", server, Path(folder), N_MESSAGES, REDIS_URL=broker)
    return Result(
        name=f"campaigns: {n_customers:,} customers planned, {N_MESSAGES:,} messages sent",
        figures=found,
        budgets={
            "native rows per second / plan's": 2.5,
            "CPU of a message / rendering + smtplib": 1.5,
            "CPU us per message, PostgreSQL's too": 500,
            f"{2 * LISTMONK} / messages per second of two workers": 1.0,
            "Celery CPU us per recipient": 5,
        },
        notes=(
            "the plan's floor writes the same columns into a table with the same indexes",
            "two workers, the sink and PostgreSQL share this machine's cores with everything else",
        ),
    )


def _part(name: str, server: Measured, folder: Path, n: int, **more: str) -> dict[str, float]:
    """Run one part in a process of its own; returns the figures that it prints last."""
    told = {
        "DATABASE_URL": server.url,
        "KEYSTORE_DATABASE_URL": f"sqlite:///{folder}/keys.sqlite3",
        "VAR_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LOG_LEVEL": "ERROR",
        "PUBLIC_URL": "https://shop.test",
        "BENCHMARK_SERVER": str(server.pid),
        "BENCHMARK_SINK": str(free_port()),
    }
    done = subprocess.run(
        python("-m", f"benchmarks.{name}", str(n)),
        cwd=ROOT,
        env=os.environ | told | more,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures
