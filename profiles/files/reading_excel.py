"""Excel workbooks (.xlsx): the first sheet, row by row; nothing of it is trusted.

A workbook is a zip file. What its parts say they unpack to is looked at before anything is
unpacked, and the zip module stops each part there.
"""

from __future__ import annotations

import datetime as dt
import io
import zipfile
import zlib
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from django.utils.translation import gettext as _

from profiles.files.reading import (
    DamagedFileError,
    Row,
    Table,
    UnreadableFileError,
    refuse_personal,
)

ZIP_MAGIC = b"PK\x03\x04"
OLD_MAGIC = b"\xd0\xcf\x11\xe0"
MAX_PACKED_BYTES = 128 << 20
MAX_PARTS = 2_000
MAX_SHEET_BYTES = 2 << 30
MAX_OTHER_BYTES = 128 << 20
SUSPECT_BYTES = 64 << 20
MAX_RATIO = 200
LAST_ROW = 1_048_576
MOST_TITLES = 5
FEWEST_COLUMNS_BELOW_A_TITLE = 3
Numbered = tuple[int, list[str]]
SHEETS = "xl/worksheets/"
# What the reader of workbooks raises at a broken one.
BROKEN = (
    ParseError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError,
    AttributeError, LookupError, OverflowError, TypeError, ValueError,
)  # fmt: skip


class ExcelTable(Table):
    """The first row that holds anything names the columns; lines count as the sheet's rows.

    A title above the table is passed over: a few rows of one cell each before a row of three.
    """

    def __init__(self, stream: IO[bytes] | io.RawIOBase, *, n_bytes: int) -> None:
        self._content = _held(stream)
        _refuse_bombs(self._content)
        self._n_rows = 0
        self._book, sheet = _opened(self._content)
        columns, self._cells = _below_titles(self._read(sheet))
        refuse_personal("\n".join(columns))
        while columns and not columns[-1]:
            columns.pop()
        super().__init__(columns, n_bytes)

    @property
    def n_bytes_read(self) -> int:
        return min(self._content.tell(), self.n_bytes)

    def release(self) -> None:
        self._book.close()

    def _good_rows(self, after: int) -> Iterator[tuple[int, Row]]:
        width = len(self.columns)
        for number, cells in self._cells:
            if number <= after or not any(cells):
                continue
            # A sheet has no row that is too short; what stands beside the table is not of it.
            yield number, [*cells[:width], *[""] * (width - len(cells))]

    def _read(self, sheet: Any) -> Iterator[tuple[int, list[str]]]:
        try:
            for cells in sheet.iter_rows(values_only=True):
                self._n_rows += 1
                if self._n_rows > LAST_ROW:
                    raise self._damaged()
                yield self._n_rows, [_text(value) for value in cells]
        except DamagedFileError:
            raise
        except BROKEN:
            raise self._damaged() from None

    def _damaged(self) -> DamagedFileError:
        return DamagedFileError(
            "file_damaged",
            _(
                "The workbook is damaged behind row %(row)d. What stood before is kept; save it "
                "again and bring the whole file in, nothing is added twice."
            )
            % {"row": self._n_rows},
        )


def _below_titles(rows: Iterator[Numbered]) -> tuple[list[str], Iterator[Numbered]]:
    """The row that names the columns, and the rows below it."""
    above: list[Numbered] = []
    for number, row in rows:
        if (n_cells := sum(map(bool, row))) == 0:
            continue
        if n_cells >= FEWEST_COLUMNS_BELOW_A_TITLE:
            return row, rows
        above.append((number, row))
        if n_cells > 1 or len(above) > MOST_TITLES:
            break
    return (above[0][1] if above else []), chain(above[1:], rows)


def refuse_old(beginning: bytes) -> None:
    """Raise UnreadableFileError for a workbook of the old form, or one with a password."""
    if beginning.startswith(OLD_MAGIC):
        raise UnreadableFileError(
            "workbook_unsupported",
            _("The workbook has the old form or a password; save it as .xlsx without one."),
        )


def _held(stream: IO[bytes] | io.RawIOBase) -> io.BytesIO:
    """The packed file in memory: a zip is read from its end, and a sealed one has no plain copy."""
    content = io.BytesIO()
    while piece := stream.read(1 << 20):
        content.write(piece)
        if content.tell() > MAX_PACKED_BYTES:
            raise UnreadableFileError(
                "workbook_too_large",
                _("A workbook may have %(n)d MiB; save a larger one as CSV.")
                % {"n": MAX_PACKED_BYTES >> 20},
            )
    return content


def _refuse_bombs(content: io.BytesIO) -> None:
    try:
        with zipfile.ZipFile(content) as archive:
            parts = archive.infolist()
    except BROKEN:
        raise _no_workbook() from None
    other = sum(part.file_size for part in parts if not part.filename.startswith(SHEETS))
    if (
        len(parts) > MAX_PARTS
        or other > MAX_OTHER_BYTES
        or any(part.file_size > MAX_SHEET_BYTES or _is_suspect(part) for part in parts)
    ):
        raise UnreadableFileError(
            "file_unpacks_too_large",
            _("The workbook unpacks to far more than a table holds; save the sheet as CSV."),
        )


def _is_suspect(part: zipfile.ZipInfo) -> bool:
    """Whether a part shrank as no table of real values does."""
    is_large = part.file_size > SUSPECT_BYTES
    return is_large and part.file_size > MAX_RATIO * max(part.compress_size, 1)


def _opened(content: io.BytesIO) -> tuple[Any, Any]:
    import openpyxl  # noqa: PLC0415 -- heavy, and needed for workbooks only

    try:
        book = openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the sheet says of its size may be wrong
    except BROKEN:
        raise _no_workbook() from None
    return book, sheet


def _no_workbook() -> UnreadableFileError:
    return UnreadableFileError(
        "not_a_workbook", _("The zip file is no workbook; save the table as .xlsx or CSV.")
    )


def _text(value: Any) -> str:
    """A cell as a file of text would have it: whole numbers without a point, ISO 8601 times."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.0f}" if value.is_integer() else f"{Decimal(repr(value)):f}"
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case _:
            return str(value).replace("\0", "")
