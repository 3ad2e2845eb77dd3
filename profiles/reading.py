"""Reading a table of text row by row in bounded memory: CSV, plain or gzipped.

A row that cannot be read is handed on as `BadRow` and reading goes on behind it; a file
that cannot be read at all raises `UnreadableFileError` with what to do about it.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from django.utils.translation import gettext as _

from privacy import finder
from privacy.problems import DomainError

MAX_LINE_BYTES = 1 << 20
BUFFER_BYTES = 1 << 18
DELIMITERS = ",;\t|"
GZIP_MAGIC = b"\x1f\x8b"
UTF16_MARKS = {b"\xff\xfe", b"\xfe\xff"}
BOM = "\ufeff"


class UnreadableFileError(DomainError):
    """The file as a whole cannot be read; the text says what to do."""


class DamagedFileError(UnreadableFileError):
    """The file ends too early or is broken; the rows handed out before are good."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read: `nul_byte`, `line_too_long`, `field_too_long`, `field_count`.

    A quote that is never closed makes one row of many lines: `n_lines` says how many.
    """

    code: str
    n_lines: int = 1


class _BadRowError(Exception):
    def __init__(self, line: int, row: BadRow) -> None:
        super().__init__(row.code)
        self.line = line
        self.row = row


class _Unpacked(io.RawIOBase):
    """Gzip, read so that a file cut short still gives all that stands before the cut."""

    def __init__(self, packed: io.BufferedReader[Any]) -> None:
        self._gzip = gzip.GzipFile(fileobj=packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._gzip.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Table:
    """A CSV file, opened: its column names, then its rows, once.

    `stream` holds the file's bytes, gzipped or not (told by its first bytes), `n_bytes` in
    all. The delimiter is the one of comma, semicolon, tab and bar that splits the first
    line into most columns. Encodings whose line end is not a single byte (UTF-16) are refused.
    """

    def __init__(
        self, stream: IO[bytes] | io.RawIOBase, *, n_bytes: int, encoding: str = "utf-8"
    ) -> None:
        self._raw = stream
        self.n_bytes = n_bytes
        self.encoding = _line_encoding(encoding)
        packed: io.BufferedReader[Any] = io.BufferedReader(
            cast("io.RawIOBase", stream), BUFFER_BYTES
        )
        self._buffer = packed
        if packed.peek(2)[:2] in UTF16_MARKS:
            raise _unsupported("utf-16")
        if packed.peek(2)[:2] == GZIP_MAGIC:
            packed = io.BufferedReader(_Unpacked(packed), BUFFER_BYTES)
        self._bytes = packed
        self._n_lines = 0
        self._delimiter = ","
        self.columns = self._header()
        self.index = {name: at for at, name in reversed(list(enumerate(self.columns)))}

    @property
    def n_bytes_read(self) -> int:
        """How much of `n_bytes` is read, for a progress bar."""
        return min(self._raw.tell(), self.n_bytes)

    def release(self) -> None:
        """Let go of the stream, for a caller who closes it while the table is still there."""
        self._buffer.detach()

    def require(self, names: Iterable[str]) -> None:
        """Raise UnreadableFileError if a column is absent, with those absent and those found."""
        if missing := [name for name in names if name not in self.index]:
            raise UnreadableFileError(
                "columns_missing",
                _("The file lacks the columns: %(missing)s. It has: %(found)s.")
                % {"missing": ", ".join(missing), "found": ", ".join(self.columns)},
            )

    def rows(self, *, after: int = 0) -> Iterator[tuple[int, list[str] | BadRow]]:
        """Yield (number of the row's first line, its fields) behind line `after`.

        Lines count from 1, which is the header. Blank lines are left out. Raises
        DamagedFileError at the end of a broken file, UnreadableFileError at text of
        another encoding.
        """
        ended = False
        while not ended:
            try:
                yield from self._good_rows(after)
                ended = True
            except _BadRowError as error:
                if error.line > after:
                    yield error.line, error.row

    def _good_rows(self, after: int) -> Iterator[tuple[int, list[str] | BadRow]]:
        """Rows up to the next that stops the parser; called again, it goes on behind that."""
        width = len(self.columns)
        first_line = self._n_lines + 1
        try:
            for row in csv.reader(self._lines(), delimiter=self._delimiter):
                if first_line > after and row:
                    yield first_line, row if len(row) == width else self._fitted(row, first_line)
                first_line = self._n_lines + 1
        except csv.Error:
            n_lines = self._n_lines - first_line + 1
            raise _BadRowError(first_line, BadRow("field_too_long", n_lines)) from None

    def _fitted(self, row: list[str], first_line: int) -> list[str] | BadRow:
        """Cut empty fields behind the last column, as spreadsheets write them."""
        width = len(self.columns)
        if len(row) > width and not any(row[width:]):
            return row[:width]
        return BadRow("field_count", self._n_lines - first_line + 1)

    def _header(self) -> list[str]:
        try:
            line = next(self._lines(), "").removeprefix(BOM)
        except _BadRowError:
            raise UnreadableFileError(
                "not_a_table", _("The file does not begin with a line of column names.")
            ) from None
        if finder.holds(line):
            raise UnreadableFileError(
                "no_header",
                _("The first line holds personal data; put a line of column names before it."),
            )
        splits = {mark: _cells(line, mark) for mark in DELIMITERS}
        self._delimiter = max(DELIMITERS, key=lambda mark: len(splits[mark]))
        names = [name.strip() for name in splits[self._delimiter]]
        if not any(names):
            raise UnreadableFileError("empty", _("The file is empty."))
        return names

    def _lines(self) -> Iterator[str]:
        while line := self._readline(MAX_LINE_BYTES + 1):
            self._n_lines += 1
            if len(line) > MAX_LINE_BYTES:
                self._skip_line(line)
                raise _BadRowError(self._n_lines, BadRow("line_too_long"))
            if b"\0" in line:
                raise _BadRowError(self._n_lines, BadRow("nul_byte"))
            try:
                text = line.decode(self.encoding)
            except UnicodeDecodeError:
                raise self._wrong_encoding() from None
            yield text

    def _readline(self, size: int) -> bytes:
        try:
            return self._bytes.readline(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            code = "file_truncated" if isinstance(error, EOFError) else "file_damaged"
            raise DamagedFileError(
                code,
                _(
                    "The compressed file is cut short or damaged behind line %(line)d. What "
                    "stood before is kept; bring the whole file in again, nothing is added twice."
                )
                % {"line": self._n_lines},
            ) from None

    def _skip_line(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._readline(BUFFER_BYTES)

    def _wrong_encoding(self) -> UnreadableFileError:
        return UnreadableFileError(
            "encoding",
            _(
                "Line %(line)d is not %(encoding)s text. Name the encoding of the file (option "
                "--encoding), for example gb18030, big5 or cp1252."
            )
            % {"line": self._n_lines, "encoding": self.encoding},
        )


@contextmanager
def open_table(
    path: Path | str, *, encoding: str = "utf-8", required: Collection[str] = ()
) -> Iterator[Table]:
    """Open the CSV file at `path`, gzipped or not, and check that it has the columns.

    Raises UnreadableFileError if there is no such file, table or column.
    """
    with _opened(Path(path)) as stream:
        table = Table(stream, n_bytes=os.fstat(stream.fileno()).st_size, encoding=encoding)
        table.require(required)
        yield table


def _opened(path: Path) -> IO[bytes]:
    with telling_of(path):
        return path.open("rb", buffering=0)


@contextmanager
def telling_of(path: Path | str) -> Iterator[None]:
    """Turn the system's refusal of a file into an UnreadableFileError that names it."""
    try:
        yield
    except OSError as error:
        raise UnreadableFileError(
            "no_file",
            _("The file %(path)s cannot be opened: %(why)s.")
            % {"path": path, "why": error.strerror},
        ) from None


def _cells(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        if "\r" in line.rstrip("\r\n"):
            detail = _("Lines must end with LF or CR LF; save the file that way.")
            raise UnreadableFileError("line_ends", detail) from None
        detail = _("The file does not begin with a line of column names.")
        raise UnreadableFileError("not_a_table", detail) from None


def _line_encoding(name: str) -> str:
    try:
        one_byte_lines = "a\n".encode(name) in {b"a\n", BOM.encode() + b"a\n"}
    except LookupError:
        raise UnreadableFileError(
            "encoding_unknown",
            _("The encoding %(name)s is not known; try utf-8, gb18030, big5 or cp1252.")
            % {"name": name},
        ) from None
    if not one_byte_lines:
        raise _unsupported(name)
    return "utf-8" if name.lower().replace("_", "-") == "utf-8-sig" else name


def _unsupported(name: str) -> UnreadableFileError:
    return UnreadableFileError(
        "encoding_unsupported",
        _("Files in %(name)s cannot be read; save the file as UTF-8 and bring it in again.")
        % {"name": name},
    )
