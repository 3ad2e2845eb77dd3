"""CSV: the delimiter is told by the first line, which names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from django.utils.translation import gettext as _

from profiles.files.reading import (
    BOM,
    BadRow,
    BadRowError,
    Row,
    Table,
    Text,
    UnreadableFileError,
    refuse_personal,
)

DELIMITERS = ",;\t|"


class CsvTable(Table):
    """Its delimiter is the one of comma, semicolon, tab and bar that gives most columns."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._delimiter = ","
        super().__init__(self._header(), text.n_bytes)

    @property
    def n_bytes_read(self) -> int:
        return self._text.n_bytes_read

    def release(self) -> None:
        self._text.release()

    def _good_rows(self, after: int) -> Iterator[tuple[int, Row]]:
        width = len(self.columns)
        first_line = self._text.n_lines + 1
        try:
            for row in csv.reader(self._text.lines(), delimiter=self._delimiter):
                if first_line > after and row:
                    yield first_line, row if len(row) == width else self._fitted(row, first_line)
                first_line = self._text.n_lines + 1
        except csv.Error:
            n_lines = self._text.n_lines - first_line + 1
            raise BadRowError(first_line, BadRow("field_too_long", n_lines)) from None

    def _fitted(self, row: list[str], first_line: int) -> Row:
        """Cut empty fields behind the last column, as spreadsheets write them."""
        width = len(self.columns)
        if len(row) > width and not any(row[width:]):
            return row[:width]
        return BadRow("field_count", self._text.n_lines - first_line + 1)

    def _header(self) -> list[str]:
        try:
            line = next(self._text.lines(), "").removeprefix(BOM)
        except BadRowError:
            raise _no_table() from None
        refuse_personal(line)
        splits = {mark: _cells(line, mark) for mark in DELIMITERS}
        self._delimiter = max(DELIMITERS, key=lambda mark: len(splits[mark]))
        return splits[self._delimiter]


def _cells(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        if "\r" in line.rstrip("\r\n"):
            detail = _("Lines must end with LF or CR LF; save the file that way.")
            raise UnreadableFileError("line_ends", detail) from None
        raise _no_table() from None


def _no_table() -> UnreadableFileError:
    return UnreadableFileError(
        "not_a_table", _("The file does not begin with a line of column names.")
    )
