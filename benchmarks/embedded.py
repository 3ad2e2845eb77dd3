"""The one process: how soon it answers, what it weighs, and how it answers while a model trains.

It is started anew for each sample of start and weight. Then a page is asked for over loopback,
in turns idle and busy: busy means that a training of recommendations on a year of orders, asked
for through the queue as the admin does, is at work in the server's child from the first request
to the last. A round in which it was not is no sample, and the benchmark fails.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.frame import ROOT, Result, python, sample
from benchmarks.imports import write_year

ROUNDS = 5
REQUESTS = 60
PATIENCE_SECONDS = 120
IDLE_SECONDS = 2
PAGE = "/admin/login/"
DJANGO = "import django; django.setup(); from django.utils import timezone; now = timezone.now();"
ASK = f"{DJANGO} from recommendations import asking; asking.ask_for_training(now)"
CANCEL = (
    f"{DJANGO} from jobs import queue; from jobs.models import Job;"
    "[queue.cancel(one, now=now) for one in Job.objects.filter(kind='recommendations.train')"
    " if one.is_open]"
)


@dataclass(frozen=True)
class Start:
    """One start of the server: seconds to its first answer and until every queue moved."""

    first_answer: float
    all_moved: float
    cpu: float
    rss_mb: float


@dataclass(frozen=True)
class Load:
    """Requests in turn: the 95th percentile of their wall time, the server's CPU time for each."""

    p95_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]
    started: float

    def answers(self, path: str) -> bool:
        url = self.url + path
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as got:  # noqa: S310
            return bool(got.status == 200)
        return False

    def cpu(self) -> float:
        """CPU seconds of the process so far, those of its children left out."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def rss_mb(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    def load(self) -> Load:
        taken, before = [], self.cpu()
        for _ in range(REQUESTS):
            started = time.perf_counter()
            if not self.answers(PAGE):
                raise RuntimeError(f"{PAGE} was not answered")
            taken.append((time.perf_counter() - started) * 1000)
        cpu_ms = (self.cpu() - before) * 1000 / REQUESTS
        return Load(statistics.quantiles(taken, n=20)[-1], cpu_ms)


@contextlib.contextmanager
def serving(environ: dict[str, str]) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    started = time.perf_counter()
    running = subprocess.Popen(
        python("manage.py", "serve", "--port", str(port)),
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Server(f"http://127.0.0.1:{port}", running, started)
    finally:
        running.terminate()
        running.wait(timeout=30)


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while not true():
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{what}: not within {PATIENCE_SECONDS} s")
        time.sleep(0.05)


def start(server: Server) -> Start:
    until(lambda: server.answers("/healthz"), "the first answer")
    first_answer = time.perf_counter() - server.started
    until(lambda: server.answers("/healthz/worker"), "every queue moved")
    all_moved = time.perf_counter() - server.started
    return Start(first_answer, all_moved, server.cpu(), server.rss_mb())


def state(database: Path) -> str:
    """The state of the newest training."""
    query = "SELECT state FROM jobs_job WHERE kind = 'recommendations.train' ORDER BY id DESC"
    with contextlib.closing(sqlite3.connect(database, timeout=20)) as file:
        found = file.execute(query).fetchone()
    return str(found[0]) if found else ""


def busy_load(server: Server, database: Path, environ: dict[str, str]) -> Load:
    """Load the server while it trains; raises RuntimeError if it did not all the while."""
    sample(python("-c", ASK), environ)
    until(lambda: state(database) == "running", "the training began")
    found = server.load()
    if (now := state(database)) != "running":
        raise RuntimeError(f"the training was {now} before the last request: no sample")
    sample(python("-c", CANCEL), environ)
    until(lambda: not psutil.Process(server.process.pid).children(), "the training ended")
    return found


def run() -> Result:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {
            "VAR_DIR": name,
            "LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        for alias in ("default", "keystore"):
            sample(python("manage.py", "migrate", "-v0", "--database", alias), environ)
        write_year(folder / "orders.csv")
        command = ["import_orders", str(folder / "orders.csv"), "--format", "online-retail"]
        sample(python("manage.py", *command, "--currency", "GBP", "--timezone", "UTC"), environ)
        starts: list[Start] = []
        for _ in range(ROUNDS):
            with serving(environ) as server:
                starts.append(start(server))
        idle, busy = [], []
        with serving(environ) as server:
            start(server)
            server.load()
            for _ in range(ROUNDS):
                time.sleep(IDLE_SECONDS)
                idle.append(server.load())
                busy.append(busy_load(server, folder / "candor.sqlite3", environ))
    return _result(starts, idle, busy)


def _result(starts: list[Start], idle: list[Load], busy: list[Load]) -> Result:
    middle = statistics.median
    return Result(
        name="embedded: one process with web, worker and schedule",
        figures={
            "first answer (s)": middle(one.first_answer for one in starts),
            "every queue moved (s)": middle(one.all_moved for one in starts),
            "CPU of a start (s)": middle(one.cpu for one in starts),
            "memory after start (MB)": middle(one.rss_mb for one in starts),
            "p95 of the sign-in page, idle (ms)": middle(one.p95_ms for one in idle),
            "p95 while a model trains (ms)": middle(one.p95_ms for one in busy),
            "p95 busy / idle": middle(one.p95_ms for one in busy)
            / middle(one.p95_ms for one in idle),
            "server's CPU for a page, idle (ms)": middle(one.cpu_ms for one in idle),
            "server's CPU for a page, busy (ms)": middle(one.cpu_ms for one in busy),
        },
        budgets={"memory after start (MB)": 140, "p95 busy / idle": 2.0},
        notes=(f"{len(starts)} starts, {len(idle)} rounds of {REQUESTS} requests each",),
    )
