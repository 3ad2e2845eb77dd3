"""The move from SQLite to PostgreSQL: every table of both databases, by COPY, in batches.

The rows are read from a copy made at the start, so the shop may go on meanwhile and nothing
of it is touched. A batch and the place it reached commit together in the target: a killed
move goes on there when it is started again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql

from config import probes
from config.databases import database
from config.keeping import postgres, sqlite, tables
from config.keeping.tables import Digest, Table

ALIASES = ("keystore", "default")
BATCH_ROWS = 5_000
ROOT = Path(__file__).resolve().parents[2]
# Where the move stands; it lives in the target and goes with the last table.
PLACES = """
CREATE TABLE IF NOT EXISTS candor_move (
    table_name text PRIMARY KEY, last_row bigint NOT NULL, copy text NOT NULL
)
"""
OF_ITS_OWN = frozenset(
    {
        "django_migrations", "django_content_type", "auth_permission", "candor_move",
        "privacy_purposerecord", "privacy_userule",
    }
)  # fmt: skip


class MoveError(Exception):
    """The move cannot be made, or did not bring everything; the text says what to do."""


@dataclass(frozen=True)
class Moved:
    """A table after the move: how many rows, and the digest both sides have."""

    table: str
    n: int
    digest: str


Progress = Callable[[str, int], None]


def move(urls: Mapping[str, str], *, report: Progress) -> Iterator[Moved]:
    """Copy both databases to `urls` (by alias) and yield each table once it is proved equal.

    `report(table, rows)` is called after every batch. Raises MoveError for a source that is
    not SQLite, a target that is not PostgreSQL or holds rows of its own, and for a table
    that differs at the end.
    """
    targets = {alias: database(urls[alias]) for alias in ALIASES}
    _refuse_unless_possible(targets)
    folder = Path(settings.VAR_DIR) / "moving"
    copy = _copied(folder)
    for alias in ALIASES:
        _prepare(targets[alias], alias, copy, urls)
    for alias in ALIASES:
        with _both(folder, targets[alias], alias) as (source, target):
            for table in tables.of(alias):
                try:
                    _copy(source, target, table, copy, report)
                except psycopg.DataError as error:
                    raise MoveError(
                        f"{table.name} holds a value that PostgreSQL does not take "
                        f"({_nul(source, table) or _where(error)}); correct it, "
                        "then begin anew with --fresh"
                    ) from error
            _set_sequences(target, tables.of(alias))
    for alias in ALIASES:
        with _both(folder, targets[alias], alias) as (source, target):
            for table in tables.of(alias):
                yield _proved(source, target, table)
    for alias in ALIASES:
        with postgres.connect(targets[alias]) as target:
            target.execute("DROP TABLE candor_move")
    shutil.rmtree(folder)


def changed_meanwhile(folder: Path, alias: str) -> list[str]:
    """Return the tables of the source that have other rows now than the copy has."""
    now = sqlite.counts(Path(str(connections[alias].settings_dict["NAME"])))
    then = sqlite.counts(folder / f"{alias}.sqlite3")
    return sorted(name for name in now if now[name] != then.get(name))


def forget(urls: Mapping[str, str]) -> None:
    """Give up a move that was begun: its copy and what it brought to the target are removed."""
    shutil.rmtree(Path(settings.VAR_DIR) / "moving", ignore_errors=True)
    for alias in ALIASES:
        with postgres.connect(database(urls[alias])) as target:
            if _exists(target, "candor_move"):
                # Tables that only grow refuse to be emptied, so all of them are made anew.
                target.execute("DROP SCHEMA public CASCADE")
                target.execute("CREATE SCHEMA public")


def _refuse_unless_possible(targets: Mapping[str, Mapping[str, Any]]) -> None:
    for alias in ALIASES:
        if connections[alias].vendor != "sqlite":
            raise MoveError("this installation stands on PostgreSQL already")
        if probes.migrations(alias).level != probes.Level.OK:
            raise MoveError(f"run manage.py migrate --database {alias} first")
        if not str(targets[alias].get("ENGINE", "")).endswith("postgresql"):
            raise MoveError("the target must be postgresql://…, for the data and for the keystore")
    places = [postgres.parameters(one) for one in targets.values()]
    if places[0] == places[1]:
        raise MoveError("data and keystore need a database each; both URLs name the same one")


def _copied(folder: Path) -> str:
    """Return the id of the copy that is moved; made once, and kept until the move is over."""
    name = folder / "copy"
    if not name.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        for alias in reversed(ALIASES):  # the keystore last: it then has everybody's key
            sqlite.copy(
                Path(str(connections[alias].settings_dict["NAME"])), folder / f"{alias}.sqlite3"
            )
        name.write_text(str(uuid4()), encoding="ascii")
    return name.read_text(encoding="ascii")


def _prepare(
    settings_dict: Mapping[str, Any], alias: str, copy: str, urls: Mapping[str, str]
) -> None:
    """Make the target's tables, all empty, unless this very move has done so before."""
    with postgres.connect(settings_dict) as target:
        if _exists(target, "candor_move"):
            held = target.execute("SELECT DISTINCT copy FROM candor_move").fetchall()
            if held not in ([], [(copy,)]):
                raise MoveError("the target holds a move of another copy; --fresh gives that up")
            if held:
                return
        elif filled := [
            name
            for name, n in postgres.counts(settings_dict).items()
            if n and name not in OF_ITS_OWN
        ]:
            raise MoveError(
                f"the {alias} target holds rows of an installation already ({', '.join(filled[:3])}, "
                "…); name an empty database"
            )
    _migrate(alias, urls)
    with postgres.connect(settings_dict) as target:
        _empty(target, settings_dict)
        target.execute(PLACES)
        target.execute("INSERT INTO candor_move VALUES ('', 0, %s)", [copy])


def _migrate(alias: str, urls: Mapping[str, str]) -> None:
    # Settings are read once, so another database means another process.
    environ = {
        **os.environ, "DATABASE_URL": urls["default"], "KEYSTORE_DATABASE_URL": urls["keystore"],
    }  # fmt: skip
    command = [sys.executable, "manage.py", "migrate", "--database", alias, "--no-input"]
    done = subprocess.run(  # noqa: S603 -- our own command line
        command, cwd=ROOT, env=environ, capture_output=True, check=False
    )
    if done.returncode:
        raise MoveError(f"migrate on the {alias} target failed; run it by itself to see why")


def _copy(
    source: sqlite3.Connection,
    target: psycopg.Connection,
    table: Table,
    copy: str,
    report: Progress,
) -> None:
    """Bring the rows behind the place reached; rowid orders every table of SQLite."""
    page = _select("SELECT rowid, {} FROM {} WHERE rowid > ? ORDER BY rowid LIMIT ?", table)
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns))
    )
    last = _place(target, table.name)
    while rows := source.execute(page, (last, BATCH_ROWS)).fetchall():
        last = rows[-1][0]
        with target.transaction():
            with target.cursor() as cursor, cursor.copy(into) as stream:
                for row in rows:
                    stream.write_row(list(map(tables.literal, table.kinds, row[1:])))
            target.execute(
                "INSERT INTO candor_move VALUES (%s, %s, %s)"
                " ON CONFLICT (table_name) DO UPDATE SET last_row = excluded.last_row",
                [table.name, last, copy],
            )
        report(table.name, len(rows))


def _where(error: psycopg.DataError) -> str:
    """Return the line and column of a COPY that failed, without the value it quotes."""
    return (error.diag.context or "").partition(': "')[0]


def _nul(source: sqlite3.Connection, table: Table) -> str:
    """Say where a text of the table holds a NUL, which SQLite keeps and PostgreSQL refuses."""
    for number, *values in source.execute(_select("SELECT rowid, {} FROM {}", table)):
        for name, value in zip(table.columns, values, strict=True):
            if isinstance(value, str) and "\0" in value:
                return f"a NUL in column {name} of row {number}"
    return ""


def _select(pattern: LiteralString, table: Table) -> str:
    """Return a statement on the table's columns that both engines read."""
    # With its table before it, SQLite does not take the name of a missing column for a text.
    columns = [sql.Identifier(table.name, name) for name in table.columns]
    quoted = sql.SQL(pattern).format(sql.SQL(", ").join(columns), sql.Identifier(table.name))
    return quoted.as_string(None)


def _place(target: psycopg.Connection, name: str) -> int:
    with target.transaction():
        row = target.execute(
            "SELECT last_row FROM candor_move WHERE table_name = %s", [name]
        ).fetchone()
    return -1 if row is None else int(row[0])


def _set_sequences(target: psycopg.Connection, moved: list[Table]) -> None:
    """Let the next row of each table get a number that is free."""
    for table in moved:
        if table.serial:
            name, column = sql.Identifier(table.name), sql.Identifier(table.serial)
            with target.transaction():
                target.execute(
                    sql.SQL(
                        "SELECT setval(pg_get_serial_sequence({}, {}), coalesce(max({}), 1),"
                        " max({}) IS NOT NULL) FROM {}"
                    ).format(table.name, table.serial, column, column, name)
                )


def _proved(source: sqlite3.Connection, target: psycopg.Connection, table: Table) -> Moved:
    here, there = Digest(), Digest()
    canons = tables.canons(table)
    query = _select("SELECT {} FROM {}", table)
    here.add(source.execute(query), canons)
    with target.transaction(), target.cursor(name="proof") as cursor:
        cursor.itersize = BATCH_ROWS
        there.add(cursor.execute(query.encode()), canons)
    if (here.n, str(here)) != (there.n, str(there)):
        raise MoveError(
            f"{table.name} differs: {here.n:,} rows {here} here, {there.n:,} rows {there} there; "
            "start again with --fresh"
        )
    return Moved(table.name, here.n, str(here))


@contextlib.contextmanager
def _both(
    folder: Path, settings_dict: Mapping[str, Any], alias: str
) -> Iterator[tuple[sqlite3.Connection, psycopg.Connection]]:
    with (
        sqlite.opened(folder / f"{alias}.sqlite3") as source,
        postgres.connect(settings_dict) as target,
    ):
        target.autocommit = True
        yield source, target


def _exists(target: psycopg.Connection, name: str) -> bool:
    row = target.execute("SELECT to_regclass(%s)", [name]).fetchone()
    return row is not None and row[0] is not None


def _empty(target: psycopg.Connection, settings_dict: Mapping[str, Any]) -> None:
    """Remove what the migrations have written into the new tables: the source has its own."""
    written = [
        sql.Identifier(name)
        for name, n in postgres.counts(settings_dict).items()
        if n and name != "django_migrations"
    ]
    if written:
        target.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(written)))
