"""Copies of PostgreSQL databases by pg_dump and pg_restore, as of one moment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

SETTINGS = {
    "NAME": "dbname",
    "USER": "user",
    "PASSWORD": "password",
    "HOST": "host",
    "PORT": "port",
}
TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1
"""


class ToolMissingError(Exception):
    """A program of PostgreSQL is not installed, or too old; the text says what to do."""


class ToolFailedError(Exception):
    """A program of PostgreSQL failed; the text is its first complaint."""


def parameters(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what libpq needs to connect, from Django's settings of a database."""
    found = {name: str(settings[key]) for key, name in SETTINGS.items() if settings.get(key)}
    return {**{key: str(value) for key, value in settings.get("OPTIONS", {}).items()}, **found}


def connect(settings: Mapping[str, Any]) -> psycopg.Connection:
    connection = psycopg.connect(psycopg.conninfo.make_conninfo(**parameters(settings)))
    connection.execute("SET timezone = 'UTC'")
    connection.commit()
    return connection


def dump(settings: Mapping[str, Any], target: Path) -> dict[str, int]:
    """Write the database into `target` and return the number of rows of each table.

    Both are of the same moment: the dump reads the snapshot in which the rows were counted.
    """
    with connect(settings) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        snapshot = str(_value(connection, "SELECT pg_export_snapshot()"))
        counted = _counts(connection)
        program = _program("pg_dump", connection)
        command = [program, "--format=custom", "--no-owner", "--no-privileges",
                   f"--snapshot={snapshot}", f"--file={target}"]  # fmt: skip
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
        _run(command, settings)
    return counted


def check(settings: Mapping[str, Any], path: Path) -> None:
    """Raise ToolFailedError if the dump's table of contents cannot be read."""
    with connect(settings) as connection:
        program = _program("pg_restore", connection)
    _run([program, "--list", str(path)], settings)


def restore(settings: Mapping[str, Any], path: Path) -> None:
    """Replace the whole database by the dump, in one transaction.

    The commit is sent only after pg_restore has written all: what fails changes nothing.
    """
    with connect(settings) as connection:
        reading, writing = (_program(name, connection) for name in ("pg_restore", "psql"))
    psql = [writing, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]
    source = [reading, "--no-owner", "--no-privileges", "--file=-", str(path)]
    environ = _environ(settings)
    with (
        subprocess.Popen(source, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader,  # noqa: S603
        subprocess.Popen(  # noqa: S603
            psql, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environ,
        ) as writer,
    ):  # fmt: skip
        complaint = ""
        try:
            _pour(reader, writer)
        except BrokenPipeError:
            complaint = "psql ended early"
        if reader.wait() == 0 and not complaint:
            _send(writer, b"COMMIT;\n")
        _, said = writer.communicate()
    if writer.returncode or reader.returncode or complaint:
        raise ToolFailedError(_first_line(said) or complaint or "pg_restore failed")


def counts(settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of rows of each table, a partitioned one counted whole."""
    with connect(settings) as connection:
        return _counts(connection)


def _pour(reader: subprocess.Popen[bytes], writer: subprocess.Popen[bytes]) -> None:
    _send(writer, b"BEGIN;\nDROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n")
    if reader.stdout is not None and writer.stdin is not None:
        shutil.copyfileobj(reader.stdout, writer.stdin)


def _send(process: subprocess.Popen[bytes], text: bytes) -> None:
    if process.stdin is not None:
        process.stdin.write(text)
        process.stdin.flush()


def _counts(connection: psycopg.Connection) -> dict[str, int]:
    names = [str(name) for (name,) in connection.execute(TABLES).fetchall()]
    count = sql.SQL("SELECT count(*) FROM {}")
    return {name: int(_value(connection, count.format(sql.Identifier(name)))) for name in names}


def _value(connection: psycopg.Connection, query: Any) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def _program(name: str, connection: psycopg.Connection) -> str:
    """Return the newest program of that name, which may not be older than the server."""
    server = connection.info.server_version // 10_000
    installed = {
        int(path.parts[-3]): str(path)
        for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
        if path.parts[-3].isdigit()
    }
    newest = max(installed, default=0)
    if newest >= server:
        return installed[newest]
    if found := shutil.which(name):
        return found
    raise ToolMissingError(
        f"{name} of PostgreSQL {server} or newer was not found; install it "
        f"(Debian: apt-get install postgresql-client-{server}), or run this where it is"
    )


def _environ(settings: Mapping[str, Any]) -> dict[str, str]:
    """Name the database to libpq by the environment: arguments are seen by every account."""
    names = {"dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD",
             "host": "PGHOST", "port": "PGPORT", "connect_timeout": "PGCONNECT_TIMEOUT",
             "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "passfile": "PGPASSFILE"}  # fmt: skip
    given = parameters(settings)
    return {**os.environ, **{names[key]: given[key] for key in given if key in names}}


def _run(command: list[str], settings: Mapping[str, Any]) -> None:
    done = subprocess.run(  # noqa: S603 -- programs of PostgreSQL, by their full path
        command, env=_environ(settings), capture_output=True, check=False
    )
    if done.returncode:
        raise ToolFailedError(_first_line(done.stderr) or f"{command[0]} failed")


def _first_line(said: bytes) -> str:
    return next(iter(said.decode(errors="replace").strip().splitlines()), "")
