"""The file of rejected rows: line number, code, and the shape of each value, never the value."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from django.conf import settings

from profiles.files.appended import FULL_BYTES, AppendedTable
from profiles.models import Upload

SHAPES = ((re.compile(r"\d"), "9"), (re.compile(r"[^\W\d_]"), "x"))
MAX_SHAPE = 40


def path_of(upload: Upload) -> Path:
    return Path(settings.VAR_DIR) / "rejects" / f"{upload.uuid}.csv"


def path_of_list(uuid: UUID) -> Path:
    return Path(settings.VAR_DIR) / "rejects" / f"list-{uuid}.csv"


def write_of_list(uuid: UUID, rows: Sequence[tuple[int, str, str]]) -> None:
    """Keep line, reason and shape of what the newest file of a list brought and was not taken."""
    path = path_of_list(uuid)
    path.unlink(missing_ok=True)
    if not rows:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("line", "reason", "shape"), *rows])


class RejectsFile(AppendedTable):
    """The rejected rows of an upload."""

    def __init__(
        self,
        upload: Upload,
        columns: Sequence[str],
        *,
        n_bytes: int,
        n_more: int = 0,
        full_bytes: int = FULL_BYTES,
    ) -> None:
        header = ["line", "code", *columns]
        super().__init__(
            path_of(upload), header, n_bytes=n_bytes, n_more=n_more, full_bytes=full_bytes
        )

    def add(self, line_number: int, code: str, values: Sequence[str] = ()) -> None:
        self.append([str(line_number), code, *map(shape, values)])


def shape(value: str) -> str:
    """Return what a value looks like: digits as 9, letters as x; Ann, 07 is "xxx, 99"."""
    for pattern, sign in SHAPES:
        value = pattern.sub(sign, value)
    return value[:MAX_SHAPE]
