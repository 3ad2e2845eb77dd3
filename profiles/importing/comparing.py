"""Rows of a file beside what stands in their place: what a preview tells row by row.

Of personal values only masks are told, never a value; all of it goes with the file, after a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from profiles.models import Upload

MOST_ROWS: Final = 50  # of each kind


class Change(NamedTuple):
    """One column of one row, as text that may be shown."""

    column: str
    before: str
    after: str

    @property
    def looks_alike(self) -> bool:
        """Whether the values differ and their masks do not."""
        return self.before == self.after


class Difference(NamedTuple):
    """What a row does: adds something, or changes what is there."""

    is_new: bool
    changes: Sequence[Change]


@dataclass(frozen=True)
class Compared:
    """Rows as the file tells them and, under the same `key`, what is there: columns of text.

    What stands behind `APART` in a cell is compared and never shown, such as a keyed tag.
    """

    rows: Sequence[Mapping[str, str]]
    there: Sequence[Mapping[str, str]]
    APART: ClassVar[str] = "\x1f"


class Looking(Protocol):
    """Looks at files and rows before they change anything (`previewing`)."""

    def columns(self, upload: Upload, *, encoding: str, now: datetime) -> list[dict[str, Any]]: ...

    def differences(self, compared: Compared) -> list[Difference | None]: ...


def add(kept: dict[str, Any], found: Iterable[tuple[int, Difference | None]]) -> None:
    """Keep the first rows of each kind by line, and count in how many a column changes.

    `kept` goes as JSON from step to step and onto the upload.
    """
    rows, n_changed = kept.setdefault("rows", []), kept.setdefault("changed", {})
    n_kept = {is_new: sum(row[1] == is_new for row in rows) for is_new in (True, False)}
    for line, one in found:
        if one is None:
            continue
        if not one.is_new:
            for change in one.changes:
                n_changed[change.column] = n_changed.get(change.column, 0) + 1
        if n_kept[one.is_new] < MOST_ROWS:
            n_kept[one.is_new] += 1
            rows.append([line, one.is_new, [list(change) for change in one.changes]])
    rows.sort(key=lambda row: row[0])


def told(kept: Mapping[str, Any]) -> list[tuple[int, Difference]]:
    """The rows that were kept, by line."""
    return [
        (line, Difference(is_new, [Change(*one) for one in changes]))
        for line, is_new, changes in kept.get("rows", [])
    ]
