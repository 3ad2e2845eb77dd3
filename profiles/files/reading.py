"""What every file of rows is: columns, then rows read once in bounded memory.

A row that cannot be read is handed on as `BadRow` and reading goes on behind it; a file
that cannot be read at all raises `UnreadableFileError` with what to do about it. Each form
of file has a module of its own (`reading_csv`, `reading_jsonl`, `reading_excel`); `tables`
opens a file as what its first bytes say it is.
"""

from __future__ import annotations

import gzip
import io
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from django.utils.translation import gettext as _

from privacy import finder
from privacy.problems import DomainError

MAX_LINE_BYTES = 1 << 20
MAX_UNPACKED_BYTES = 8 << 30
MAX_COLUMNS = 1_000
BUFFER_BYTES = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
UTF16_MARKS = {b"\xff\xfe", b"\xfe\xff"}
BOM = "\ufeff"


class UnreadableFileError(DomainError):
    """The file as a whole cannot be read; the text says what to do."""


class DamagedFileError(UnreadableFileError):
    """The file ends too early or is broken; the rows handed out before are good."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read.

    `nul_byte`, `line_too_long`, `field_too_long`, `field_count`, `json_invalid`, `member_unknown`,
    `undecodable`.
    A quote that is never closed makes one row of many lines: `n_lines` says how many.
    """

    code: str
    n_lines: int = 1


Row = list[str] | BadRow


class BadRowError(Exception):
    """Stops the reader of a form at a row; `Table.rows` goes on behind it."""

    def __init__(self, line: int, row: BadRow) -> None:
        super().__init__(row.code)
        self.line = line
        self.row = row


class Table(ABC):
    """A file, opened: its column names, then its rows, once; `n_bytes` long."""

    def __init__(self, columns: Sequence[str], n_bytes: int) -> None:
        self.columns = _checked(columns)
        self.index = {name: at for at, name in reversed(list(enumerate(self.columns)))}
        self.n_bytes = n_bytes

    @property
    @abstractmethod
    def n_bytes_read(self) -> int:
        """How much of `n_bytes` is read, for a progress bar."""

    @abstractmethod
    def release(self) -> None:
        """Let go of the stream, for a caller who closes it while the table is still there."""

    @abstractmethod
    def _good_rows(self, after: int) -> Iterator[tuple[int, Row]]:
        """Rows up to the next that raises BadRowError; called again, it goes on behind that."""

    def require(self, names: Collection[str]) -> None:
        """Raise UnreadableFileError if a column is absent, or which of two is meant is not told."""
        if missing := [name for name in names if name not in self.index]:
            raise UnreadableFileError(
                "columns_missing",
                _("The file lacks the columns: %(missing)s. It has: %(found)s.")
                % {"missing": ", ".join(missing), "found": ", ".join(self.columns)},
            )
        refuse_twice(self.columns, names)

    def rows(self, *, after: int = 0) -> Iterator[tuple[int, Row]]:
        """Yield (number of the row's first line, its fields) behind line `after`.

        Lines count from 1, also that of the column names. Blank lines are left out. Raises
        DamagedFileError at the end of a broken file, UnreadableFileError at text of
        another encoding.
        """
        ended = False
        while not ended:
            try:
                yield from self._good_rows(after)
                ended = True
            except BadRowError as error:
                if error.line > after:
                    yield error.line, error.row


def _checked(columns: Sequence[str]) -> list[str]:
    names = [name.strip() for name in columns]
    if not any(names):
        raise UnreadableFileError("empty", _("The file is empty."))
    if len(names) > MAX_COLUMNS:
        raise UnreadableFileError(
            "too_many_columns",
            _("The file has more than %(n)d columns; leave out those that are not needed.")
            % {"n": MAX_COLUMNS},
        )
    return names


def refuse_twice(columns: Sequence[str], used: Iterable[str]) -> None:
    """Raise UnreadableFileError if a column that is used stands in the file more than once."""
    if twice := next((name for name in used if columns.count(name) > 1), None):
        raise UnreadableFileError(
            "column_twice",
            _("The file has the column %(name)s twice; rename or remove one of them.")
            % {"name": twice},
        )


def refuse_personal(header: str) -> None:
    """Raise UnreadableFileError if what should name the columns is a person's row."""
    if finder.holds(header):
        raise UnreadableFileError(
            "no_header",
            _("The first line holds personal data; put a line of column names before it."),
        )


class _Unpacked(io.RawIOBase):
    """Gzip, read so that a file cut short still gives all that stands before the cut.

    It gives out `max_bytes` at most, however small the packed form is.
    """

    def __init__(self, packed: io.BufferedReader[Any], max_bytes: int) -> None:
        self._gzip = gzip.GzipFile(fileobj=packed)
        self._n_bytes_left = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._gzip.read1(len(buffer))
        self._n_bytes_left -= len(data)
        if self._n_bytes_left < 0:
            raise _TooMuchError
        buffer[: len(data)] = data
        return len(data)


class _TooMuchError(Exception):
    """A packed file gives more than it may."""


class Text:
    """The lines of a text file in `stream`, gzipped or not (told by its first bytes).

    Encodings whose line end is not a single byte (UTF-16) are refused. A line of another encoding
    ends the reading, unless such lines are to be rejected each by itself.
    """

    def __init__(
        self,
        stream: IO[bytes] | io.RawIOBase,
        *,
        n_bytes: int,
        encoding: str = "utf-8",
        max_unpacked: int = MAX_UNPACKED_BYTES,
        rejects_undecodable: bool = False,
    ) -> None:
        self._raw = stream
        self._rejects_undecodable = rejects_undecodable
        self.n_bytes = n_bytes
        self.n_lines = 0
        self.encoding = _line_encoding(encoding)
        packed: io.BufferedReader[Any] = io.BufferedReader(
            cast("io.RawIOBase", stream), BUFFER_BYTES
        )
        self._buffer = packed
        if packed.peek(2)[:2] in UTF16_MARKS:
            raise _unsupported("utf-16")
        if packed.peek(2)[:2] == GZIP_MAGIC:
            packed = io.BufferedReader(_Unpacked(packed, max_unpacked), BUFFER_BYTES)
        self._bytes = packed

    @property
    def n_bytes_read(self) -> int:
        return min(self._raw.tell(), self.n_bytes)

    def release(self) -> None:
        self._buffer.detach()

    def beginning(self) -> bytes:
        """The first bytes, unpacked; they are not used up."""
        with self._told_of_damage():
            return self._bytes.peek(BUFFER_BYTES)

    def lines(self) -> Iterator[str]:
        """Yield the lines; BadRowError at one that cannot be, and the next call goes on."""
        while line := self._readline(MAX_LINE_BYTES + 1):
            self.n_lines += 1
            if len(line) > MAX_LINE_BYTES:
                self._skip_line(line)
                raise BadRowError(self.n_lines, BadRow("line_too_long"))
            if b"\0" in line:
                raise BadRowError(self.n_lines, BadRow("nul_byte"))
            try:
                text = line.decode(self.encoding)
            except UnicodeDecodeError:
                if self._rejects_undecodable:
                    raise BadRowError(self.n_lines, BadRow("undecodable")) from None
                raise self._wrong_encoding() from None
            yield text

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, unpacked, for a form that is not one of lines."""
        while piece := self._piece():
            yield piece

    def _piece(self) -> bytes:
        with self._told_of_damage():
            return self._bytes.read1(BUFFER_BYTES)

    def _readline(self, size: int) -> bytes:
        with self._told_of_damage():
            return self._bytes.readline(size)

    @contextmanager
    def _told_of_damage(self) -> Iterator[None]:
        try:
            yield
        except _TooMuchError:
            raise DamagedFileError(
                "file_unpacks_too_large",
                _(
                    "The compressed file holds more than may be unpacked. What stood before line "
                    "%(line)d is kept; bring the rest in as smaller files."
                )
                % {"line": self.n_lines + 1},
            ) from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            code = "file_truncated" if isinstance(error, EOFError) else "file_damaged"
            raise DamagedFileError(
                code,
                _(
                    "The compressed file is cut short or damaged behind line %(line)d. What "
                    "stood before is kept; bring the whole file in again, nothing is added twice."
                )
                % {"line": self.n_lines},
            ) from None

    def _skip_line(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._readline(BUFFER_BYTES)

    def _wrong_encoding(self) -> UnreadableFileError:
        return UnreadableFileError(
            "encoding",
            _(
                "Line %(line)d is not %(encoding)s text. Choose the encoding of the file (--encoding "
                "in a command), for example gb18030, big5 or cp1252."
            )
            % {"line": self.n_lines, "encoding": self.encoding},
        )


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
