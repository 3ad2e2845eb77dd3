"""What a preview found, in words: for the page of an upload and for the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from profiles.importing import comparing
from profiles.importing.comparing import Change

HOLDS = {
    "number": gettext_lazy("numbers"),
    "decimal_comma": gettext_lazy("numbers with a decimal comma"),
    "date": gettext_lazy("dates"),
    "address": gettext_lazy("e-mail addresses"),
    "text": gettext_lazy("text"),
    "nothing": gettext_lazy("nothing"),
}


@dataclass(frozen=True)
class ColumnFacts:
    """A column of a file: what it holds, the share of empty cells, how many values, their shape."""

    name: str
    holds: str
    empty: float
    n_distinct: int
    shape: str


@dataclass(frozen=True)
class RowFacts:
    """A row of a file and what it would do, column by column."""

    line: int
    does: str
    changes: tuple[Change, ...]


def columns(summary: Mapping[str, Any]) -> list[ColumnFacts]:
    return [
        ColumnFacts(one["name"], _holds(one), one["empty"], one["n_distinct"], one["shape"])
        for one in summary.get("columns") or []
    ]


def rows(summary: Mapping[str, Any], called: Callable[[str], str] = str) -> list[RowFacts]:
    """What each row would do; `called` tells what a column is called."""
    return [
        RowFacts(
            line,
            _does(is_new=one.is_new),
            tuple(change._replace(column=called(change.column)) for change in one.changes),
        )
        for line, one in comparing.told(summary.get("diff") or {})
    ]


def changed(summary: Mapping[str, Any]) -> list[tuple[str, int]]:
    """In how many rows each column changes what is there, the most first."""
    found = (summary.get("diff") or {}).get("changed") or {}
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))


def text(summary: Mapping[str, Any]) -> Iterator[str]:
    """Say all of it, a line each."""
    for column in columns(summary):
        yield _("%(column)s: %(holds)s, %(empty)s empty, %(n)s different, such as %(shape)s") % {
            "column": column.name,
            "holds": column.holds,
            "empty": f"{column.empty:.0%}",
            "n": f"{column.n_distinct:,}",
            "shape": column.shape or "–",
        }
    for name, n in changed(summary):
        yield _("rows in which %(column)s changes: %(n)s") % {"column": name, "n": f"{n:,}"}
    for row in rows(summary):
        told = "; ".join(map(_told, row.changes))
        yield _("line %(line)d, %(does)s: %(told)s") % {
            "line": row.line,
            "does": row.does,
            "told": told,
        }


def _told(change: Change) -> str:
    told = f"{change.column}: {change.before or '–'} → {change.after}"
    return f"{told} ({_('differs, the masks look alike')})" if change.looks_alike else told


def _does(*, is_new: bool) -> str:
    return pgettext("a row", "new") if is_new else pgettext("a row", "changes")


def _holds(one: Mapping[str, Any]) -> str:
    word = str(HOLDS[one["holds"]])
    if not one["formats"]:
        return word
    names = pgettext("between formats", " or ").join(one["formats"])
    return _("%(what)s as %(formats)s") % {"what": word, "formats": names}
