"""Programs of npm for tests: installed once, as package-lock.json says, and run by Node."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
INSTALLED = HERE / "node_modules" / ".package-lock.json"  # npm's own note of what it installed


@lru_cache
def ready() -> None:
    """See that the packages of the lock file are there, once for all processes of the run."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node and npm (`apt-get install nodejs npm`)")
    with LOCK.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if INSTALLED.exists() and INSTALLED.stat().st_mtime >= LOCK.stat().st_mtime:
            return
        done = subprocess.run(
            ["npm", "ci", "--silent"], cwd=HERE, capture_output=True, text=True, check=False
        )
    if done.returncode:
        missing(f"the packages of tests/clients ({done.stderr[-500:]})")


def missing(what: str) -> None:
    """Skip the test, which fails it where everything has to be there."""
    pytest.skip(f"needs {what}")


def node(*arguments: str, given: str = "") -> str:
    """Run Node among the packages; returns what it wrote, raises where it failed."""
    ready()
    done = subprocess.run(
        ["node", *arguments],
        cwd=HERE,
        input=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def run(script: str) -> str:
    """What a script of package.json writes."""
    ready()
    done = subprocess.run(
        ["npm", "run", "--silent", script],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout
