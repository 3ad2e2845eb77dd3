"""JSON lines: an object a line; its members are the columns.

The first thousand rows name the columns. A member that is an object is a column of JSON text,
and each plain member of it one of its own (`address.city`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from profiles.files.reading import (
    BOM,
    BadRow,
    BadRowError,
    DamagedFileError,
    Row,
    Table,
    Text,
    refuse_personal,
)

LOOKED_AT = 1_000


class JsonLinesTable(Table):
    """Later rows with a member that none of the first thousand had are bad rows, not lost ones."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._ahead: deque[tuple[int, dict[str, str] | BadRow]] = deque()
        self._damage: DamagedFileError | None = None
        names: dict[str, None] = {}
        try:
            self._ahead.extend(islice(self._objects(), LOOKED_AT))
        except DamagedFileError as error:
            self._damage = error
        for _number, found in self._ahead:
            if not isinstance(found, BadRow):
                names |= dict.fromkeys(found)
        refuse_personal("\n".join(names))
        super().__init__(list(names), text.n_bytes)

    @property
    def n_bytes_read(self) -> int:
        return self._text.n_bytes_read

    def release(self) -> None:
        self._text.release()

    def _good_rows(self, after: int) -> Iterator[tuple[int, Row]]:
        while self._ahead:
            number, found = self._ahead.popleft()
            if number > after:
                yield number, self._row(found)
        if self._damage is not None:
            raise self._damage
        for number, found in self._objects():
            if number > after:
                yield number, self._row(found)

    def _row(self, found: dict[str, str] | BadRow) -> Row:
        if isinstance(found, BadRow):
            return found
        if not found.keys() <= self.index.keys():
            return BadRow("member_unknown")
        return [found.get(name, "") for name in self.columns]

    def _objects(self) -> Iterator[tuple[int, dict[str, str] | BadRow]]:
        ended = False
        while not ended:
            try:
                for line in self._text.lines():
                    if plain := line.removeprefix(BOM).strip():
                        yield self._text.n_lines, _flat(plain)
                ended = True
            except BadRowError as error:
                yield error.line, error.row


def _flat(line: str) -> dict[str, str] | BadRow:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return BadRow("json_invalid")
    if not isinstance(found, dict):
        return BadRow("json_invalid")
    flat = {}
    for name, value in found.items():
        flat[name.strip()] = _text(value)
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": _text(one) for inner, one in value.items()}
    return BadRow("nul_byte") if any("\0" in value for value in flat.values()) else flat


def _text(value: Any) -> str:
    """A value as a file of text would have it: no needless exponent, nothing for null."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{Decimal(repr(value)):f}"
        case _:
            return msgspec.json.encode(value).decode()
