"""The report of a feed's rows: which were not taken or only with a remark, why, and what to do.

A rejected row stands in it whole, so that it can be mended and brought in again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

from privacy.spreadsheets import cell
from profiles.files.appended import FULL_BYTES, AppendedTable
from recommendations.feeds.faults import FIXES, Fault

if TYPE_CHECKING:
    from recommendations.models import FeedImport

HEADER: Final = ("row", "id", "verdict", "code", "field", "value", "what to do", "whole row")
REJECTED, TAKEN = "rejected", "taken"
LONGEST_VALUE: Final = 200


def path_of(brought: FeedImport) -> Path:
    return Path(settings.VAR_DIR) / "feeds" / f"{brought.uuid}.csv"


class Report(AppendedTable):
    """The rows of one feed of which something is told."""

    def __init__(
        self,
        brought: FeedImport,
        *,
        n_bytes: int,
        n_more: int = 0,
        full_bytes: int = FULL_BYTES,
    ) -> None:
        super().__init__(
            path_of(brought), HEADER, n_bytes=n_bytes, n_more=n_more, full_bytes=full_bytes
        )

    def add(
        self,
        number: int,
        id_: str,
        verdict: str,
        faults: Sequence[Fault],
        cells: Mapping[str, Sequence[str]],
    ) -> None:
        """Add a line a fault; the first of a rejected row holds the row."""
        if self.is_full:
            self.append()
            return
        is_rejected = verdict == REJECTED
        whole = json.dumps(cells, ensure_ascii=False) if is_rejected and cells else ""
        lines = []
        for fault in faults:
            value = fault.value[:LONGEST_VALUE]
            told = (id_, verdict, fault.code, fault.field, value, str(FIXES[fault.code]), whole)
            lines.append([str(number), *(cell(one) for one in told)])
            whole = ""
        self.append(*lines)
