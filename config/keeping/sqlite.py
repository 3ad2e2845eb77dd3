"""Copies of SQLite databases that are in use, by SQLite's own online backup."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from psycopg import sql

WAIT_SECONDS = 60


class DamagedDatabaseError(Exception):
    """SQLite's own check of a database file found a fault."""


def copy(source: Path, target: Path) -> None:
    """Copy a database as of one moment into the file `target`, while others read and write it.

    If `target` is a database in use, its content is replaced in one transaction. Raises
    sqlite3.Error.
    """
    is_new = not target.exists()
    if is_new:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    with opened(source) as here, opened(target) as there:
        here.backup(there)
        if is_new:
            # One file that needs no other beside it.
            there.execute("PRAGMA journal_mode = DELETE")


def check(path: Path) -> None:
    """Raise DamagedDatabaseError if the pages or indexes of the file do not fit together."""
    try:
        with opened(path) as database:
            found = database.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise DamagedDatabaseError(f"{path.name}: {error}") from None
    if found != "ok":
        raise DamagedDatabaseError(f"{path.name}: {found}")


def counts(path: Path) -> dict[str, int]:
    """Return the number of rows of each table."""
    with opened(path) as database:
        names = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
            " ESCAPE '\\' ORDER BY name"
        ).fetchall()
        return {
            name: database.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)).as_string(None)
            ).fetchone()[0]
            for (name,) in names
        }


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that waits for others' locks, closed at the end."""
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
