"""A table that a job writes step by step, and that has an end."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from django.utils.translation import ngettext

FULL_BYTES: Final = 32 * 1024 * 1024


def is_full(path: Path) -> bool:
    """Whether the file had no room for all rows."""
    return path.stat().st_size >= FULL_BYTES


class AppendedTable:
    """Appends rows of CSV; a resumed job first cuts what an uncommitted step wrote.

    `n_bytes` and `n_more` belong into the job's cursor: only what they cover counts as written. A
    full file takes no more rows, as a small packed upload may hold many millions of bad ones; its
    last line, behind `n_bytes`, says how many more there were.
    """

    def __init__(
        self,
        path: Path,
        header: Sequence[str],
        *,
        n_bytes: int,
        n_more: int = 0,
        full_bytes: int = FULL_BYTES,
    ) -> None:
        self._path, self._n_columns = path, len(header)
        self._rows: list[Sequence[str]] = [] if n_bytes else [header]
        self.n_bytes, self.n_more, self._full_bytes = n_bytes, n_more, full_bytes

    @property
    def is_full(self) -> bool:
        return self.n_bytes >= self._full_bytes

    def append(self, *lines: Sequence[str]) -> None:
        """Add the lines of one row; a full file only counts it."""
        if self.is_full:
            self.n_more += 1
        else:
            self._rows += lines

    def write(self) -> int:
        """Put the appended rows on the disk and return the file's new size."""
        if self.n_bytes == 0 and len(self._rows) == 1:
            return self.n_bytes
        text, told = _as_csv(self._rows), _as_csv([self._told()] if self.n_more else [])
        self._rows.clear()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        with os.fdopen(handle, "r+b") as file:
            file.truncate(self.n_bytes)
            file.seek(self.n_bytes)
            file.write(text)
            self.n_bytes = file.tell()
            file.write(told)
            file.flush()
            os.fsync(file.fileno())
        return self.n_bytes

    def _told(self) -> list[str]:
        text = ngettext(
            "The file is full; %(n)s more row is counted but not in it.",
            "The file is full; %(n)s more rows are counted but not in it.",
            self.n_more,
        ) % {"n": self.n_more}
        return ["", text] + [""] * (self._n_columns - 2)


def _as_csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
