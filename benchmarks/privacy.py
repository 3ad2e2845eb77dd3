"""Sealed rows against the same rows in plain, and against the peer's encrypted fields.

Ratios are medians over rounds in which the three are timed one right after the other, so what
else the machine does at that moment falls on all of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess

from benchmarks.frame import ROOT, Result, python

PROCESSES = 1


def rounds() -> dict[str, list[float]]:
    """Seconds a row, by what was done, of every round of every process."""
    found: dict[str, list[float]] = {}
    for _ in range(PROCESSES):
        done = subprocess.run(
            python("-m", "benchmarks.sealed_rows"),
            cwd=ROOT,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=True,
        )
        for name, seconds in json.loads(done.stdout).items():
            found.setdefault(name, []).extend(seconds[1:])  # the first round warms up
    return found


def run() -> Result:
    taken = rounds()

    def times(name: str, floor: str) -> float:
        pairs = zip(taken[name], taken[floor], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def micro(name: str) -> float:
        return statistics.median(taken[name]) * 1e6

    def best(name: str) -> float:
        """The fastest round: what a core does while nobody else uses it."""
        return min(taken[name]) * 1e6

    figures = {
        "bulk_create, new people / plain": times("write sealed", "write plain"),
        "bulk_create, people with keys / plain": times("write known", "write plain"),
        "bulk_create, peer / plain": times("write peer", "write plain"),
        "read and open three / plain": times("read sealed", "read plain"),
        "read and open three, peer / plain": times("read peer", "read plain"),
        "reveal(), audited (us a value)": micro("reveal"),
        "read untouched / plain": times("read untouched", "read plain"),
        "get(email=) / plain": times("get sealed", "get plain"),
        "three columns, keys held (us a row, best)": best("columns warm"),
        "three columns, keys fetched (us a row, best)": best("columns cold"),
        "three columns, keys held / plain values": times("columns warm", "columns plain"),
        "bulk_create, plain (us a row)": micro("write plain"),
        "read, plain (us a row)": micro("read plain"),
        "get, plain (us)": micro("get plain"),
    }
    held, fetched = (1e6 / best(f"columns {state}") for state in ("warm", "cold"))
    return Result(
        name="privacy: sealed rows / plain rows",
        figures=figures,
        budgets={
            "bulk_create, people with keys / plain": 2.0,
            "bulk_create, new people / plain": 2.0,  # each gets a key, stored apart
            "read and open three / plain": 3.2,
            "get(email=) / plain": 1.3,
            "three columns, keys held (us a row, best)": 1e6 / 150_000,
        },
        notes=(f"three columns: {held:,.0f} rows/s a core, {fetched:,.0f} with keys fetched",),
    )
