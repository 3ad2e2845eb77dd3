"""Rows of subjects' wrapped keys, thousands at a time; subjects are the 16 bytes of their uuids.

Plain SQL, because a model instance a row costs more than all the cryptography.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections, transaction

Row = tuple[bytes, int, int, bytes]
"""Subject, generation, epoch, wrapped key."""

BATCH = 2_000
ROWS_A_STATEMENT = 100


def _is_postgres() -> bool:
    return connections["keystore"].vendor == "postgresql"


def _asked(subjects: Sequence[bytes]) -> tuple[str, list[Any]]:
    """Return the condition on subject_uuid, which lists any number of them in one parameter."""
    texts = [subject.hex() for subject in subjects]
    if _is_postgres():
        return "subject_uuid = ANY(%s::uuid[])", [texts]
    return "subject_uuid IN (SELECT value FROM json_each(%s))", [json.dumps(texts)]


def fetch(subjects: Sequence[bytes]) -> list[Row]:
    """Return all rows of those subjects."""
    condition, parameters = _asked(subjects)
    # Ids as text: a UUID object costs as much as opening a value.
    uuid = "replace(subject_uuid::text, '-', '')" if _is_postgres() else "subject_uuid"
    query = f"SELECT {uuid}, generation, epoch, wrapped FROM privacy_subjectkey WHERE {condition}"  # noqa: S608 -- our own words  # nosec B608
    with connections["keystore"].cursor() as cursor:
        cursor.execute(query, parameters)
        return [
            (bytes.fromhex(subject), generation, epoch, bytes(wrapped))
            for subject, generation, epoch, wrapped in cursor.fetchall()
        ]


def insert(rows: Sequence[Row]) -> int:
    """Add rows and return how many; those of a subject and generation that stand are left."""
    if not rows:
        return 0
    with transaction.atomic(using="keystore"), connections["keystore"].cursor() as cursor:
        if not _is_postgres():
            return _insert_on_sqlite(rows)
        cursor.execute(
            "INSERT INTO privacy_subjectkey (subject_uuid, generation, epoch, wrapped)"
            " SELECT * FROM unnest(%s::uuid[], %s::smallint[], %s::smallint[], %s::bytea[])"
            " ON CONFLICT DO NOTHING",
            _columns([(row[0].hex(), *row[1:]) for row in rows]),
        )
        return int(cursor.rowcount)


def _insert_on_sqlite(rows: Sequence[Row]) -> int:
    """Many rows a statement: half the time of a statement a row.

    Past Django's cursor, whose search for placeholders would take that half again.
    """
    connection = connections["keystore"]
    done = 0
    with connection.wrap_database_errors:
        for start in range(0, len(rows), ROWS_A_STATEMENT):
            some = rows[start : start + ROWS_A_STATEMENT]
            values: list[Any] = []
            for subject, *rest in some:
                values += (subject.hex(), *rest)
            places = ", ".join(["(?, ?, ?, ?)"] * len(some))
            statement = (
                "INSERT INTO privacy_subjectkey (subject_uuid, generation, epoch, wrapped)"  # noqa: S608 -- our own words
                f" VALUES {places} ON CONFLICT DO NOTHING"  # nosec B608
            )
            done += connection.connection.execute(statement, values).rowcount
    return done


def delete(subjects: Iterable[bytes], *, below_generation: int | None = None) -> int:
    """Destroy the keys of those subjects, or only the generations below one."""
    done = 0
    wanted = list(subjects)
    for start in range(0, len(wanted), BATCH):
        condition, parameters = _asked(wanted[start : start + BATCH])
        if below_generation is not None:
            condition += " AND generation < %s"
            parameters.append(below_generation)
        with connections["keystore"].cursor() as cursor:
            cursor.execute(f"DELETE FROM privacy_subjectkey WHERE {condition}", parameters)  # noqa: S608 -- our own words  # nosec B608
            done += int(cursor.rowcount)
    return done


def rewrap(rows: Sequence[tuple[int, bytes]], *, old_epoch: int, new_epoch: int) -> int:
    """Replace wrapped keys by primary key where they still are of the old epoch."""
    with transaction.atomic(using="keystore"), connections["keystore"].cursor() as cursor:
        if _is_postgres():
            cursor.execute(
                "UPDATE privacy_subjectkey AS old SET wrapped = fresh.wrapped, epoch = %s"
                " FROM unnest(%s::bigint[], %s::bytea[]) AS fresh (id, wrapped)"
                " WHERE old.id = fresh.id AND old.epoch = %s",
                [new_epoch, *_columns(rows), old_epoch],
            )
        else:
            cursor.executemany(
                "UPDATE privacy_subjectkey SET wrapped = %s, epoch = %s WHERE id = %s AND epoch = %s",
                [(wrapped, new_epoch, pk, old_epoch) for pk, wrapped in rows],
            )
        return int(cursor.rowcount)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
