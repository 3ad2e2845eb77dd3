"""The frame of the benchmarks: what it takes of a process, and when a budget is passed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess

import django
import pytest

from benchmarks import frame
from benchmarks.frame import Result, Sample, as_json, in_turns, python, sample

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nkept = bytearray(64 << 20)"


def test_a_sample_is_what_the_kernel_says_of_the_whole_process() -> None:
    taken = sample(python("-c", BUSY), {})

    assert taken.cpu >= 0.3
    assert taken.wall >= taken.cpu * 0.5
    assert taken.rss_mb > 64


def test_a_process_that_fails_is_no_sample() -> None:
    with pytest.raises(RuntimeError, match="no such order"):
        sample(python("-c", "raise SystemExit('no such order')"), {})


def test_subjects_take_turns_after_a_warm_up_and_the_median_counts() -> None:
    order: list[str] = []
    walls = {"floor": iter((99.0, 1.0, 5.0, 3.0)), "ours": iter((99.0, 4.0, 4.0, 40.0))}

    def take(name: str) -> Sample:
        order.append(name)
        return Sample(wall=next(walls[name]), cpu=1.0, rss_mb=10.0)

    found = in_turns({name: lambda name=name: take(name) for name in walls}, runs=3)  # type: ignore[misc]

    assert order == ["floor", "ours"] * 4
    assert (found["floor"].wall, found["ours"].wall) == (3.0, 4.0)


def test_a_figure_above_its_budget_is_told_and_one_at_it_is_not() -> None:
    result = Result("start", {"ratio": 2.1, "memory": 110.0}, {"ratio": 2.0, "memory": 110.0})

    assert result.broken() == ["ratio is 2.1, its budget is 2"]
    assert json.loads(as_json([result]))["results"][0]["figures"]["ratio"] == 2.1


def test_figures_come_with_the_machine_and_the_commit_they_were_taken_on() -> None:
    machine = json.loads(as_json([]))["machine"]

    assert machine["cpu"]
    assert machine["cores"] == os.cpu_count()
    assert machine["memory_mb"] > 256
    assert machine["django"] == django.__version__
    assert machine["sqlite"] == sqlite3.sqlite_version
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=frame.ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    assert head.startswith(machine["commit"].rstrip("+"))
    assert machine["commit"] or not head
