"""Opening a file as the table it is: CSV, JSON lines (both plain or gzipped), or a workbook."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from django.utils.translation import gettext as _

from profiles.files.reading import (
    BOM,
    BUFFER_BYTES,
    MAX_UNPACKED_BYTES,
    Table,
    Text,
    UnreadableFileError,
    telling_of,
)
from profiles.files.reading_csv import CsvTable
from profiles.files.reading_excel import ZIP_MAGIC, ExcelTable, refuse_old
from profiles.files.reading_jsonl import JsonLinesTable


def table(
    stream: IO[bytes] | io.RawIOBase,
    *,
    n_bytes: int,
    encoding: str = "utf-8",
    max_unpacked: int = MAX_UNPACKED_BYTES,
) -> Table:
    """Return the table in `stream`, told by its first bytes and never by its name.

    Raises UnreadableFileError for what is none.
    """
    buffer = _Whole(stream)
    beginning = buffer.beginning
    refuse_old(beginning)
    if beginning.startswith(ZIP_MAGIC):
        return ExcelTable(buffer, n_bytes=n_bytes)
    text = Text(buffer, n_bytes=n_bytes, encoding=encoding, max_unpacked=max_unpacked)
    first = text.beginning().removeprefix(BOM.encode()).lstrip()[:4]
    if first == ZIP_MAGIC:
        raise UnreadableFileError(
            "packed_twice", _("A workbook is packed already; bring it in without gzip.")
        )
    if first.startswith(b"["):
        raise UnreadableFileError(
            "json_array", _("Write JSON lines: one object a line, without a list around them.")
        )
    return JsonLinesTable(text) if first.startswith(b"{") else CsvTable(text)


class _Whole(io.RawIOBase):
    """A stream whose first bytes were looked at; read from its first byte all the same."""

    def __init__(self, stream: IO[bytes] | io.RawIOBase) -> None:
        self._stream = cast("io.RawIOBase", stream)
        self.beginning = self._stream.read(8) or b""
        self._left = self.beginning

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._left or self._stream.read(min(len(buffer), BUFFER_BYTES)) or b""
        self._left = data[len(buffer) :]
        data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def open_table(
    path: Path | str, *, encoding: str = "utf-8", required: Collection[str] = ()
) -> Iterator[Table]:
    """Open the file at `path` and check that it has the columns.

    Raises UnreadableFileError if there is no such file, table or column.
    """
    with _opened(Path(path)) as stream:
        found = table(stream, n_bytes=os.fstat(stream.fileno()).st_size, encoding=encoding)
        found.require(required)
        yield found


def _opened(path: Path) -> IO[bytes]:
    with telling_of(path):
        return path.open("rb", buffering=0)
