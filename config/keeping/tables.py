"""The tables of the installation as both engines hold them, and one canonical form of a row."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models, router

from recommendations.arrays import Numbers

DIGEST_BYTES = 16
Canon = Callable[[Any], Any]


@dataclass(frozen=True)
class Table:
    """A table with its columns in the order of the model.

    `kinds` are Django's field types, and of lists of numbers PostgreSQL's.
    """

    name: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    serial: str = ""


@dataclass
class Digest:
    """A count of rows and a sum of their digests: the same for the same rows in any order."""

    n: int = 0
    total: int = 0

    def add(self, rows: Iterable[Sequence[Any]], canons: Sequence[Canon]) -> None:
        for row in rows:
            plain = [
                None if value is None else canon(value)
                for canon, value in zip(canons, row, strict=True)
            ]
            text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
            digest = hashlib.blake2b(
                text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES
            )
            self.total += int.from_bytes(digest.digest(), "big")
            self.n += 1

    def __str__(self) -> str:
        return f"{self.total % (1 << 8 * DIGEST_BYTES):032x}"


def of(alias: str) -> list[Table]:
    """Return the tables of a database, each behind those it refers to."""
    wanted = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
        and not model._meta.proxy
        and router.allow_migrate_model(alias, model)
    ]
    return [_table(model) for model in _in_order(wanted)]


def canons(table: Table) -> list[Canon]:
    return [CANONS.get(kind, _same) for kind in table.kinds]


def _in_order(wanted: list[type[models.Model]]) -> list[type[models.Model]]:
    ordered: list[type[models.Model]] = []
    waiting = sorted(wanted, key=lambda model: model._meta.db_table)
    while waiting:
        ready = [model for model in waiting if not _referred(model) & set(waiting) - {model}]
        if not ready:
            raise ValueError(f"tables refer to each other in a circle: {waiting}")
        ordered += ready
        waiting = [model for model in waiting if model not in ready]
    return ordered


def _referred(model: type[models.Model]) -> set[type[models.Model]]:
    return {
        field.related_model
        for field in model._meta.concrete_fields
        if field.is_relation and isinstance(field.related_model, type)
    }


def _table(model: type[models.Model]) -> Table:
    fields = model._meta.concrete_fields
    key = model._meta.pk
    serial = key.column if isinstance(key, models.AutoField | models.BigAutoField) else ""
    return Table(
        model._meta.db_table,
        tuple(str(field.column) for field in fields),
        tuple(_kind(field) for field in fields),
        str(serial or ""),
    )


def _kind(field: Any) -> str:
    """Return the type of the column: that of what a foreign key points at."""
    while field.is_relation:
        field = field.target_field
    return f"{field.of}[]" if isinstance(field, Numbers) else str(field.get_internal_type())


def literal(kind: str, value: Any) -> Any:
    """Return a value of SQLite as COPY takes it: an array of PostgreSQL is a JSON text there."""
    return "{" + value[1:-1] + "}" if kind.endswith("[]") and value is not None else value


def _same(value: Any) -> Any:
    return value


def _moment(value: str | datetime) -> str:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _day(value: str | date) -> str:
    return str(value)


def _uuid(value: str | UUID) -> str:
    return value.hex if isinstance(value, UUID) else UUID(value).hex


def _json(value: Any) -> Any:
    """A document with its numbers in one spelling: PostgreSQL writes 1e2 as 100."""
    return json.loads(
        value if isinstance(value, str) else json.dumps(value), parse_float=_number, parse_int=int
    )


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


def _numbers(value: str | list[int]) -> list[int]:
    found: list[int] = json.loads(value) if isinstance(value, str) else value
    return found


def _reals(value: str | list[float]) -> tuple[float, ...]:
    """Numbers of four bytes, which is what PostgreSQL keeps of them."""
    found = json.loads(value) if isinstance(value, str) else value
    form = f"{len(found)}f"
    return struct.unpack(form, struct.pack(form, *found))


CANONS: dict[str, Canon] = {
    "BooleanField": bool,
    "BinaryField": lambda value: bytes(value).hex(),
    "DateTimeField": _moment,
    "DateField": _day,
    "DecimalField": lambda value: str(Decimal(str(value)).normalize()),
    "FloatField": lambda value: repr(float(value)),
    "JSONField": _json,
    "UUIDField": _uuid,
    "integer[]": _numbers,
    "real[]": _reals,
    "smallint[]": _numbers,
}
