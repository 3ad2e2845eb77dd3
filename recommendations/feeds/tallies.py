"""What became of the rows of a feed, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommendations.feeds.faults import FIXES

LABELS: Final[dict[str, str | Promise]] = {
    "rows": gettext_lazy("rows read"),
    "added": gettext_lazy("added"),
    "changed": gettext_lazy("changed"),
    "same": gettext_lazy("unchanged"),
    "rejected": gettext_lazy("rejected"),
    "remarked": gettext_lazy("taken with a remark"),
    "removed": gettext_lazy("not in the feed any more"),
}


def counts(summary: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The counts there are, each with its word."""
    told = summary.get("counts", {})
    return [(str(word), told[code]) for code, word in LABELS.items() if told.get(code)]


def codes(summary: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """Code, number of rows, and what to do; what is most frequent first."""
    found = summary.get("codes", {})
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return [(code, n, str(FIXES.get(code, ""))) for code, n in ordered]


def text(summary: Mapping[str, Any]) -> Iterator[str]:
    """Say counts and codes, a line each."""
    for word, n in counts(summary):
        yield f"{n:>10,}  {word}"
    if summary.get("report"):
        yield _("Report of the rows: %(path)s") % {"path": summary["report"]}
        for code, n, fix in codes(summary):
            yield f"{n:>10,}  {code}: {fix}"
