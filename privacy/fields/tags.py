"""The column of a blind index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models

TAG_BYTES = 16


class TagField(models.BinaryField[bytes | None, bytes | None]):
    """Tags of a sealed field's values; null where there is none. In migrations a BinaryField."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, **{"max_length": TAG_BYTES, "null": True, "editable": False} | kwargs
        )

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if type(value) is bytes and connection.vendor == "sqlite":  # spares four calls a value
            return value
        return super().get_db_prep_save(value, connection)
