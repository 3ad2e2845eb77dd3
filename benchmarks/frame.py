"""The frame of every benchmark: a floor in the same run, taken in turns, medians of processes.

One sample is one process from start to end, as the kernel accounts for it, so nothing that a
process loads or leaves behind is missed. A benchmark quotes ratios to its floor: absolute
times move with the machine and its other work, ratios hardly do.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 5
# Compiled modules are kept, as on any machine that starts a program twice.
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True)
class Sample:
    """One process: wall and CPU time in seconds, peak resident memory in MB."""

    wall: float
    cpu: float
    rss_mb: float


@dataclass(frozen=True)
class Summary:
    """Medians of several samples."""

    wall: float
    cpu: float
    rss_mb: float
    runs: int


@dataclass(frozen=True)
class Result:
    """What a benchmark found: figures by name, and the budgets it has to keep."""

    name: str
    figures: dict[str, float]
    budgets: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def broken(self) -> list[str]:
        """The budgets that were passed, in words; a budget is the most a figure may be."""
        return [
            f"{name} is {self.figures[name]:.3g}, its budget is {most:.3g}"
            for name, most in self.budgets.items()
            if self.figures[name] > most
        ]


def sample(command: Sequence[str], environ: dict[str, str]) -> Sample:
    """Run one process to its end. Raises RuntimeError with its output if it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env=os.environ | ENVIRONMENT | environ,
            stdout=output,
            stderr=output,
        )
        _pid, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{command!r} failed: {output.read().decode()[-2000:]}")
    return Sample(wall=wall, cpu=used.ru_utime + used.ru_stime, rss_mb=used.ru_maxrss / 1024)


def in_turns(subjects: dict[str, Callable[[], Sample]], runs: int = RUNS) -> dict[str, Summary]:
    """Sample every subject `runs` times in turns, after one warm-up of each."""
    for take in subjects.values():
        take()
    taken: dict[str, list[Sample]] = {name: [] for name in subjects}
    for _ in range(runs):
        for name, take in subjects.items():
            taken[name].append(take())
    return {name: _summary(samples) for name, samples in taken.items()}


def _summary(samples: list[Sample]) -> Summary:
    return Summary(
        wall=statistics.median(one.wall for one in samples),
        cpu=statistics.median(one.cpu for one in samples),
        rss_mb=statistics.median(one.rss_mb for one in samples),
        runs=len(samples),
    )


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def machine() -> dict[str, object]:
    """What a reader needs to judge the figures by: the hardware, the versions, the commit."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "load": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "django": version("django"),
        "sqlite": sqlite3.sqlite_version,
        "commit": commit(),
    }


def cpu_model() -> str:
    """The processor by its name, or by its kind where the kernel does not tell the name."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def commit() -> str:
    """What is measured, with a + behind it if files differ from it; empty outside of git."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()


def as_json(results: Sequence[Result]) -> str:
    return json.dumps({"machine": machine(), "results": [asdict(one) for one in results]}, indent=1)
