"""Uniqueness while two index keys are in force: the database's constraint sees one tag a row.

A value that stands under the tag of one key would be taken again under the other's. So for
that time a writer looks for all tags of a value, holding a lock on it until its transaction
ends (on SQLite there is one writer at a time anyway).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, connections, models, transaction

from privacy.fields.base import SealedField
from privacy.sealed import Pending, keys


@contextmanager
def refused(model: type[models.Model], rows: Sequence[Any], *, using: str | None) -> Iterator[None]:
    """Write `rows` inside the block; raises ValueTakenError for a value that another row has."""
    try:
        with _refused_under_both_keys(model, rows, using=using):
            yield
    except IntegrityError as error:
        if isinstance(error, ValueTakenError) or (field := _taken(model, error)) is None:
            raise
        raise ValueTakenError(field) from error


class ValueTakenError(IntegrityError):
    """Another row has the value, or one whose tag is the same by chance."""

    def __init__(self, field: SealedField[Any]) -> None:
        super().__init__(f"another row has this {field.column_label}")


@contextmanager
def _refused_under_both_keys(
    model: type[models.Model], rows: Sequence[Any], *, using: str | None
) -> Iterator[None]:
    fields = [
        field for field in unique_fields(model) if len(keys().taggers(field.column_label)) > 1
    ]
    if not fields:
        yield
        return
    alias = using or "default"
    with transaction.atomic(using=alias):
        for field in fields:
            _refuse(model, field, rows, alias)
        yield


def _taken(model: type[models.Model], error: IntegrityError) -> SealedField[Any] | None:
    """Return the field whose tag the database refused, by the name it gives: never by a value."""
    cause = error.__cause__
    constraint = getattr(getattr(cause, "diag", None), "constraint_name", None)
    refused = constraint or str(cause).rpartition(".")[2]
    named = {one.name: one.fields for one in model._meta.constraints if hasattr(one, "fields")}
    columns = named.get(refused, (refused,))
    return next((field for field in unique_fields(model) if field.tag in columns), None)


def unique_fields(model: type[models.Model]) -> list[SealedField[Any]]:
    once = {
        constraint.fields[0]
        for constraint in model._meta.constraints
        if isinstance(constraint, models.UniqueConstraint) and len(constraint.fields) == 1
    }
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, SealedField)
        and field.tag
        and (field.tag in once or model._meta.get_field(field.tag).unique)  # type: ignore[union-attr]
    ]


def _refuse(
    model: type[models.Model], field: SealedField[Any], rows: Sequence[Any], alias: str
) -> None:
    owners: dict[bytes, Any] = {}
    for row in rows:
        value = row.__dict__.get(field.attname)
        if isinstance(value, Pending):
            owners |= dict.fromkeys(field.tags_of(value.value), row.pk)
    _lock(sorted({tag[:8] for tag in owners}), alias)
    there = model._base_manager.using(alias).filter(**{f"{field.tag}__in": list(owners)})
    for tag, pk in there.values_list(field.tag, "pk"):
        if owners[bytes(tag)] != pk:
            raise ValueTakenError(field)


def _lock(heads: Sequence[bytes], alias: str) -> None:
    connection = connections[alias]
    if connection.vendor != "postgresql" or not heads:
        return
    numbers = [int.from_bytes(head, "big", signed=True) for head in heads]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(n) FROM unnest(%s::bigint[]) AS n", [numbers])
