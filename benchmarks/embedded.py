"""The one process: how soon it answers, what it weighs, and how it answers while a model trains.

Pages are asked for in turns, idle and busy, over loopback; busy means that beside the server a
process fits clusters without a pause, as the child process of a training job does.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator

from benchmarks.frame import ROOT, Result, python, sample

ROUNDS = 5
REQUESTS = 60
START_SECONDS = 60
BUSY = "import sklearn.cluster, numpy as np\nwhile True: sklearn.cluster.KMeans(8, n_init=1).fit(np.random.rand(20000, 12))"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return bool(answer.status == 200)
    return False


def p95_ms(url: str) -> float:
    """The 95th percentile of `REQUESTS` requests in turn, in milliseconds."""
    taken = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        answers(url)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.quantiles(taken, n=20)[-1]


@contextlib.contextmanager
def process(command: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running
    finally:
        running.terminate()
        running.wait(timeout=30)


def rss_mb(pid: int) -> float:
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123 -- not a real file
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def run() -> Result:
    with tempfile.TemporaryDirectory() as folder:
        environ = {"VAR_DIR": folder, "LOG_LEVEL": "ERROR"}
        for alias in ("default", "keystore"):
            sample(python("manage.py", "migrate", "-v0", "--database", alias), environ)
        port = free_port()
        root, page = f"http://127.0.0.1:{port}/healthz", f"http://127.0.0.1:{port}/admin/login/"
        started = time.perf_counter()
        with process(python("manage.py", "serve", "--port", str(port)), environ) as server:
            while not answers(root):
                if time.perf_counter() - started > START_SECONDS or server.poll() is not None:
                    raise RuntimeError("the server did not start")
                time.sleep(0.05)
            first_answer = time.perf_counter() - started
            worker = f"http://127.0.0.1:{port}/healthz/worker"
            while not answers(worker) and time.perf_counter() - started < START_SECONDS:
                time.sleep(0.2)
            first_job = time.perf_counter() - started
            weight = rss_mb(server.pid)
            p95_ms(page)
            idle, busy = [], []
            for _ in range(ROUNDS):
                idle.append(p95_ms(page))
                with process(python("-c", BUSY), {"OMP_NUM_THREADS": "1"}):
                    time.sleep(2)
                    busy.append(p95_ms(page))
    return Result(
        name="embedded: one process with web, worker and schedule",
        figures={
            "first answer (s)": first_answer,
            "every queue moved (s)": first_job,
            "memory after start (MB)": weight,
            "p95 of the sign-in page, idle (ms)": statistics.median(idle),
            "p95 while a model trains (ms)": statistics.median(busy),
            "p95 busy / idle": statistics.median(busy) / statistics.median(idle),
        },
        budgets={"memory after start (MB)": 140, "p95 busy / idle": 2.0},
    )
