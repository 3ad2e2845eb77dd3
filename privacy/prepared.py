"""Statements that every request of a machine asks: PostgreSQL binds and plans them once a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from weakref import WeakSet

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections

# By itself PostgreSQL may plan for the values of each request, which takes longer than to answer.
PLAN_ONCE: Final = "SET plan_cache_mode = force_generic_plan"
# "Cached plan must not change result type", "prepared statement does not exist".
FORGOTTEN: Final = frozenset({"0A000", "26000"})
PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_planning_once: WeakSet[Any] = WeakSet()  # the connections that were told so


def is_possible() -> bool:
    return connection.vendor == "postgresql"


def rows(statement: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a statement with parameters as `%(name)s`, their types named where open.

    Where queries are looked at (`connection.queries`), it goes the usual way. Outside of a
    transaction a statement that meets a lost connection or plan is asked once more: twice must be
    as good as once. Raises Django's DatabaseError.
    """
    mine = connections[DEFAULT_DB_ALIAS]  # once: the proxy looks for it at each use
    if mine.queries_logged or mine.execute_wrappers:
        with mine.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall())
    mine.validate_no_broken_transaction()
    numbered, names = _numbered(statement)
    values = [params[name] for name in names]
    was_open = mine.connection is not None and not mine.in_atomic_block
    try:
        return _asked(mine, numbered, values)
    except DatabaseError as error:
        if not (was_open and _is_out_of_date(mine, error)):
            raise
        mine.close()
        return _asked(mine, numbered, values)


def _is_out_of_date(mine: Any, error: DatabaseError) -> bool:
    """Say whether a new connection helps: the server let go of this one, or of what it had planned.

    It plans nothing anew whose columns a migration changed, and forgets what a pool discards.
    """
    return mine.connection.closed or getattr(error.__cause__, "sqlstate", "") in FORGOTTEN


def _asked(mine: Any, numbered: str, values: list[Any]) -> list[tuple[Any, ...]]:
    """An answer shows that the connection lives: to ask it for that beforehand costs as much."""
    from psycopg import RawCursor  # noqa: PLC0415 -- there is no need of it on SQLite

    mine.ensure_connection()
    kept = mine.connection
    kept.prepare_threshold = 0  # Django has it off; its own cursors never prepare
    try:
        with mine.wrap_database_errors, RawCursor(kept) as cursor:
            if kept not in _planning_once:
                cursor.execute(PLAN_ONCE, prepare=False)
                _planning_once.add(kept)
            found = cursor.execute(numbered, values, prepare=True).fetchall()
    finally:
        kept.prepare_threshold = None
    mine.health_check_done = True
    return found


@lru_cache(maxsize=32)
def _numbered(statement: str) -> tuple[str, list[str]]:
    """The statement as the server takes it, and the names of $1, $2, ..."""
    names = list(dict.fromkeys(PARAMETER.findall(statement)))
    text = PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return text.replace("%%", "%"), names
