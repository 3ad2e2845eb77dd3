"""The file of rejected rows: line number, code, and the shape of each value, never the value."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from django.conf import settings

from profiles.models import Upload

SHAPES = ((re.compile(r"\d"), "9"), (re.compile(r"[^\W\d_]"), "x"))
MAX_SHAPE = 40
FULL_BYTES = 32 * 1024 * 1024


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


def is_full(path: Path) -> bool:
    """Whether the file of rejects had no room for all of them."""
    return path.stat().st_size >= FULL_BYTES


class RejectsFile:
    """Appends rows of an upload; a resumed job first cuts what an uncommitted step wrote.

    `n_bytes` belongs into the job's cursor: only what it covers counts as written. A full file
    takes no more rows, as a small packed file may hold many millions of bad ones.
    """

    def __init__(
        self,
        upload: Upload,
        columns: Sequence[str],
        *,
        n_bytes: int,
        full_bytes: int = FULL_BYTES,
    ) -> None:
        self._path = path_of(upload)
        self._rows: list[list[str]] = []
        self.n_bytes, self._full_bytes = n_bytes, full_bytes
        if n_bytes == 0:
            self._rows.append(["line", "code", *columns])

    def add(self, line_number: int, code: str, values: Sequence[str] = ()) -> None:
        if self.n_bytes < self._full_bytes:
            self._rows.append([str(line_number), code, *map(shape, values)])

    def write(self) -> int:
        """Put the added rows on the disk and return the file's new size."""
        if self.n_bytes >= self._full_bytes or (self.n_bytes == 0 and len(self._rows) == 1):
            return self.n_bytes
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(self._rows)
        self._rows.clear()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        with os.fdopen(handle, "r+b") as file:
            file.truncate(self.n_bytes)
            file.seek(self.n_bytes)
            file.write(text.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())
            self.n_bytes = file.tell()
        return self.n_bytes


def shape(value: str) -> str:
    """Return what a value looks like: digits as 9, letters as x; Ann, 07 is "xxx, 99"."""
    for pattern, sign in SHAPES:
        value = pattern.sub(sign, value)
    return value[:MAX_SHAPE]
