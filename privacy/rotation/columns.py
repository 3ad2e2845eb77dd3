"""Replacing values of a column where they still are what was read, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.db import connections, models, router

from privacy.fields import SealedField, sealed_fields

Change = tuple[int, bytes, bytes]
"""Primary key, the value that was read, the value to put in its place."""


def sealed_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if sealed_fields(model)]


def replace(model: type[models.Model], column: str, changes: Sequence[Change]) -> int:
    """Put new values in place of those that were read; what changed since is left as it is.

    Returns how many were replaced.
    """
    if not changes:
        return 0
    connection = connections[router.db_for_write(model)]
    quote = connection.ops.quote_name
    table, name, key = quote(model._meta.db_table), quote(column), quote(model._meta.pk.attname)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"UPDATE {table} AS kept SET {name} = fresh.new"  # noqa: S608 -- quoted names  # nosec B608
                f" FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[]) AS fresh (pk, old, new)"
                f" WHERE kept.{key} = fresh.pk AND kept.{name} = fresh.old",
                [list(part) for part in zip(*changes, strict=True)],
            )
        else:
            cursor.executemany(
                f"UPDATE {table} SET {name} = %s WHERE {key} = %s AND {name} = %s",  # noqa: S608  # nosec B608
                [(new, pk, old) for pk, old, new in changes],
            )
        return int(cursor.rowcount)


def columns_of(rows: Iterable[dict[str, Any]], fields: Sequence[SealedField[Any]]) -> Iterator[Any]:
    """Yield (row, field, sealed value) for every value there is."""
    for row in rows:
        for field in fields:
            if row[field.attname] is not None:
                yield row, field, bytes(row[field.attname])
