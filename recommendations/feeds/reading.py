"""A feed's file as rows of named values, whatever wrote it, each row read by itself.

Told by its first bytes: XML (RSS 2.0 or Atom), JSON lines, tabs, or CSV; plain or gzipped. A row
that cannot be read is handed on as `BadRow` and costs no other row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Protocol

from django.utils.translation import gettext as _

from profiles.files.reading import (
    BOM,
    BadRow,
    BadRowError,
    Row,
    Table,
    Text,
    UnreadableFileError,
)
from profiles.files.reading_csv import CsvTable
from profiles.files.reading_jsonl import JsonLinesTable
from recommendations.feeds.names import attribute
from recommendations.feeds.xml_items import XmlItems

if TYPE_CHECKING:
    import io

MAX_UNPACKED_BYTES = 4 << 30
FEWEST_FOREIGN = 5

Cells = Mapping[str, Sequence[str]]
Numbered = tuple[int, Cells | BadRow]


class FeedFile(Protocol):
    """A feed, opened: its rows, once. `n_bytes_read` of `n_bytes` tells how far it is read."""

    n_bytes: int

    @property
    def n_bytes_read(self) -> int: ...

    def rows(self, *, after: int = 0) -> Iterator[Numbered]:
        """Yield (number, values by attribute) behind number `after`: of a line, or of an item."""

    def release(self) -> None:
        """Let go of the stream."""


def opened(stream: IO[bytes] | io.RawIOBase, *, n_bytes: int, encoding: str) -> FeedFile:
    """Open a feed. Raises UnreadableFileError for what is none, and says what to do."""
    text = Text(
        stream,
        n_bytes=n_bytes,
        encoding=encoding,
        max_unpacked=MAX_UNPACKED_BYTES,
        rejects_undecodable=True,
    )
    beginning = text.beginning().removeprefix(BOM.encode())
    first = beginning.lstrip()[:1]
    if not first:
        raise UnreadableFileError("empty", _("The file is empty."))
    if first == b"<":
        return XmlItems(text, beginning)
    _refuse_foreign(beginning, text.encoding)
    if first == b"{":
        return TableFeed(JsonLinesTable(text))
    header = beginning.partition(b"\n")[0]
    return TableFeed(TabTable(text) if b"\t" in header else CsvTable(text))


class TabTable(Table):
    """Lines with tabs between: a line is a row, so that no stray quote swallows others."""

    def __init__(self, text: Text) -> None:
        self._text = text
        try:
            header = next(text.lines(), "").removeprefix(BOM)
        except BadRowError:
            detail = _("The file does not begin with a line of column names.")
            raise UnreadableFileError("not_a_table", detail) from None
        super().__init__(_split(header), text.n_bytes)

    @property
    def n_bytes_read(self) -> int:
        return self._text.n_bytes_read

    def release(self) -> None:
        self._text.release()

    def _good_rows(self, after: int) -> Iterator[tuple[int, Row]]:
        width = len(self.columns)
        for line in self._text.lines():
            number = self._text.n_lines
            if number <= after or not line.strip():
                continue
            cells = _split(line)
            if len(cells) > width and not any(cells[width:]):
                cells = cells[:width]
            yield number, cells if len(cells) == width else BadRow("field_count")


def _split(line: str) -> list[str]:
    return [_unquoted(cell.strip()) for cell in line.rstrip("\r\n").split("\t")]


def _unquoted(cell: str) -> str:
    """Without the quotes a spreadsheet puts around a cell; a 27" screen keeps its own."""
    is_quoted = len(cell) > 1 and cell.startswith('"') and cell.endswith('"')
    return cell[1:-1].replace('""', '"') if is_quoted else cell


class TableFeed:
    """A table whose columns are named as a Merchant feed names them."""

    def __init__(self, table: Table) -> None:
        self.n_bytes = table.n_bytes
        self._table = table
        self._names = [attribute(column) for column in table.columns]
        if missing := [name for name in ("id", "title") if name not in self._names]:
            table.release()
            raise UnreadableFileError(
                "columns_missing",
                _("The file lacks the columns: %(missing)s. It has: %(found)s.")
                % {"missing": ", ".join(missing), "found": ", ".join(table.columns)},
            )

    @property
    def n_bytes_read(self) -> int:
        return self._table.n_bytes_read

    def release(self) -> None:
        self._table.release()

    def rows(self, *, after: int = 0) -> Iterator[Numbered]:
        for number, row in self._table.rows(after=after):
            if isinstance(row, BadRow):
                yield number, row
                continue
            cells: dict[str, list[str]] = {}
            for name, value in zip(self._names, row, strict=True):
                if value:
                    cells.setdefault(name, []).append(value)
            yield number, cells


def _refuse_foreign(beginning: bytes, encoding: str) -> None:
    """Raise UnreadableFileError if most lines with other letters are of another encoding."""
    foreign = [line for line in beginning.split(b"\n")[:-1] if not line.isascii()]
    n_bad = sum(not _is_text(line, encoding) for line in foreign)
    if n_bad >= FEWEST_FOREIGN and n_bad * 2 > len(foreign):
        raise UnreadableFileError(
            "encoding",
            _(
                "The file is not %(encoding)s text. Choose the encoding of the file (--encoding in "
                "a command), for example gb18030, big5 or cp1252."
            )
            % {"encoding": encoding},
        )


def _is_text(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
