"""Taking the triggers of append-only tables away for a moment: to clean up, or to tamper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

POSTGRES_TRIGGERS = (
    "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
    " WHERE tgfoid IN (SELECT oid FROM pg_proc WHERE proname LIKE 'privacy_append_only%')"
)


@contextmanager
def lifted() -> Iterator[None]:
    """Let rows of append-only tables be changed in the block, as a database's owner could."""
    again = lift()
    yield
    _run(again)


def lift() -> list[str]:
    """Take the triggers away; returns the statements that put them back."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRES_TRIGGERS)
            found = [f"ALTER TABLE {table} {{}} TRIGGER {name}" for table, name in cursor]
            drop = [one.format("DISABLE") for one in found]
            again = [one.format("ENABLE") for one in found]
        else:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = dict(cursor.fetchall())
            drop = [f"DROP TRIGGER {name}" for name in triggers]
            again = list(triggers.values())
    _run(drop)
    return again


def _run(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
