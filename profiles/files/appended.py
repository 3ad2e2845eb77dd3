"""A table that a job writes step by step, and that has an end."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FULL_BYTES: Final = 32 * 1024 * 1024


def is_full(path: Path) -> bool:
    """Whether the file had no room for all rows."""
    return path.stat().st_size >= FULL_BYTES


class AppendedTable:
    """Appends rows of CSV; a resumed job first cuts what an uncommitted step wrote.

    `n_bytes` belongs into the job's cursor: only what it covers counts as written. A full file
    takes no more rows, as a small packed upload may hold many millions of bad ones.
    """

    def __init__(
        self, path: Path, header: Sequence[str], *, n_bytes: int, full_bytes: int = FULL_BYTES
    ) -> None:
        self._path = path
        self._rows: list[Sequence[str]] = [] if n_bytes else [header]
        self.n_bytes, self._full_bytes = n_bytes, full_bytes

    @property
    def is_full(self) -> bool:
        return self.n_bytes >= self._full_bytes

    def append(self, row: Sequence[str]) -> None:
        if not self.is_full:
            self._rows.append(row)

    def write(self) -> int:
        """Put the appended rows on the disk and return the file's new size."""
        if self.is_full or (self.n_bytes == 0 and len(self._rows) == 1):
            return self.n_bytes
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(self._rows)
        self._rows.clear()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        with os.fdopen(handle, "r+b") as file:
            file.truncate(self.n_bytes)
            file.seek(self.n_bytes)
            file.write(text.getvalue().encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
            self.n_bytes = file.tell()
        return self.n_bytes
