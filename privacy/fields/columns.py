"""Opening whole columns: for sending to many and for exports."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import connections, models
from django.db.models.expressions import ExpressionWrapper, F, Value
from django.db.models.functions import Cast, Replace

from privacy.crypto.envelope import SealedIntegrityError, in_rows
from privacy.fields.base import SealedField
from privacy.fields.rows import sealed_fields
from privacy.sealed import gate, keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = logging.getLogger(__name__)
KEYS_BATCH = 2_000
OPEN_BATCH = 250  # its ciphers stay in the processor's cache from column to column
RawRow = tuple[Any, ...]
"""Primary key, row and subject as hexadecimal text, then the sealed values."""


class Columns(dict[int, dict[str, Any]]):
    """The plaintext of some columns by primary key; rows that do not open are in `damaged`."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: set[int] = set()


def reveal_columns(queryset: models.QuerySet[Any], fields: Sequence[str], purpose: str) -> Columns:
    """Return the plaintext of `fields` by primary key, None where a row has no value.

    Several times cheaper a row than `reveal()`; the opening is one audit entry. A row that does
    not open keeps no other from it. Raises PurposeDeniedError unless `purpose` is the open one,
    covers every field and, if it reaches only some people, found the rows.
    """
    model = queryset.model
    sealed = [field for field in sealed_fields(model) if field.name in fields]
    if unknown := set(fields) - {field.name for field in sealed}:
        raise FieldError(f"{model.__name__} has no sealed fields {sorted(unknown)}")
    rows = _raw_rows(queryset, sealed)
    subjects = [bytes.fromhex(row[2]) for row in rows]
    gate().admit(
        [field.data_class for field in sealed],
        subjects=subjects,
        fields=[field.column_label for field in sealed],
        found_for=getattr(queryset, "found_for", ""),
        purpose=purpose,
    )
    found = Columns()
    for start in range(0, len(rows), KEYS_BATCH):
        end = min(start + KEYS_BATCH, len(rows))
        ciphers = keys().many(subjects[start:end])
        for first in range(start, end, OPEN_BATCH):
            these = slice(first, min(first + OPEN_BATCH, end))
            try:
                found.update(_opened(rows[these], subjects[these], ciphers, sealed))
            except SealedIntegrityError:
                _open_each(queryset, rows[these], sealed, found)
    return found


def _open_each(
    queryset: models.QuerySet[Any],
    rows: Sequence[RawRow],
    sealed: Sequence[SealedField[Any]],
    found: Columns,
) -> None:
    """Open row by row, read again with their keys: both may have been rotated meanwhile."""
    mine = queryset.model._base_manager.using(queryset.db).filter(pk__in=[row[0] for row in rows])
    fresh = _raw_rows(mine, sealed)
    subjects = [bytes.fromhex(row[2]) for row in fresh]
    ciphers = keys().refreshed_many(subjects)
    for row, subject in zip(fresh, subjects, strict=True):
        try:
            found.update(_opened([row], [subject], ciphers, sealed))
        except SealedIntegrityError as error:
            found.damaged.add(row[0])
            log.warning("%s", error, extra={"subject": row[2]})


def _opened(
    rows: Sequence[RawRow],
    subjects: Sequence[bytes],
    ciphers: Mapping[bytes, dict[int, AESGCM]],
    sealed: Sequence[SealedField[Any]],
) -> dict[int, dict[str, Any]]:
    pks, uuids, _texts, *columns = zip(*rows, strict=True)
    bounds = in_rows(subjects, list(map(bytes.fromhex, uuids)))
    plain = _plain_columns(ciphers, subjects, sealed, columns, bounds)
    names = [field.name for field in sealed]
    return {
        pk: dict(zip(names, values, strict=True))
        for pk, values in zip(pks, zip(*plain, strict=True), strict=True)
    }


def _plain_columns(
    ciphers: Mapping[bytes, dict[int, AESGCM]],
    subjects: Sequence[bytes],
    sealed: Sequence[SealedField[Any]],
    columns: Sequence[Sequence[bytes | None]],
    bounds: Sequence[bytes],
) -> list[list[Any]]:
    nobody: dict[int, AESGCM] = {}
    by_row = [ciphers.get(subject, nobody) for subject in subjects]
    return [
        field.values_of(field.place.open_many(by_row, values, bounds))
        for field, values in zip(sealed, columns, strict=True)
    ]


def _raw_rows(queryset: models.QuerySet[Any], sealed: Sequence[SealedField[Any]]) -> list[RawRow]:
    """Ids come as text and values as plain bytes: objects of them cost more than opening."""
    as_hex = (_as_hex(name, queryset.db) for name in ("uuid", "subject_id"))
    as_bytes = (
        ExpressionWrapper(F(field.name), output_field=models.BinaryField()) for field in sealed
    )
    return list(queryset.values_list("pk", *as_hex, *as_bytes))


def _as_hex(name: str, alias: str) -> Any:
    text = models.TextField()
    if connections[alias].vendor != "postgresql":
        return ExpressionWrapper(F(name), output_field=text)  # it is stored like that
    return Replace(Cast(name, text), Value("-"), Value(""), output_field=text)
