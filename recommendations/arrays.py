"""Columns that hold a list of numbers: an array on PostgreSQL, a short JSON text on SQLite."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

POSTGRESQL = "postgresql"


class Numbers(models.JSONField):
    """`of` is PostgreSQL's type of one number: smallint, integer, real.

    In migrations it is the JSON field that it is on SQLite, so that they import no code of
    ours; a step of its own turns the column into an array.
    """

    def __init__(self, *args: Any, of: str = "integer", **options: Any) -> None:
        super().__init__(*args, **{"default": list, **options})
        self.of = of

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, _path, args, options = super().deconstruct()
        return name, "django.db.models.JSONField", list(args), dict(options)

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        is_array = connection.vendor == POSTGRESQL
        return f"{self.of}[]" if is_array else super().db_type(connection)

    def get_placeholder(self, _value: Any, _compiler: Any, connection: BaseDatabaseWrapper) -> str:
        return f"%s::{self.of}[]" if connection.vendor == POSTGRESQL else "%s"

    def get_db_prep_value(
        self,
        value: Any,
        connection: BaseDatabaseWrapper,
        prepared: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        if connection.vendor == POSTGRESQL:
            return list(value)
        return super().get_db_prep_value(value, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        if connection.vendor == POSTGRESQL:
            return value
        return super().from_db_value(value, expression, connection)
