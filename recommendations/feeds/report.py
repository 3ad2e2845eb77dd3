"""The report of a feed's rows: which were not taken or only with a remark, why, and what to do.

A rejected row stands in it whole, so that it can be mended and brought in again.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

from privacy.spreadsheets import cell
from recommendations.feeds.faults import FIXES, Fault

if TYPE_CHECKING:
    from recommendations.models import FeedImport

HEADER: Final = ("row", "id", "verdict", "code", "field", "value", "what to do", "whole row")
REJECTED, TAKEN = "rejected", "taken"
LONGEST_VALUE: Final = 200


def path_of(brought: FeedImport) -> Path:
    return Path(settings.VAR_DIR) / "feeds" / f"{brought.uuid}.csv"


class Report:
    """Appends rows; a resumed job first cuts what an uncommitted step wrote.

    `n_bytes` belongs into the job's cursor: only what it covers counts as written.
    """

    def __init__(self, brought: FeedImport, *, n_bytes: int) -> None:
        self._path = path_of(brought)
        self._rows: list[list[str]] = [] if n_bytes else [list(HEADER)]
        self.n_bytes = n_bytes

    def add(
        self,
        number: int,
        id_: str,
        verdict: str,
        faults: Sequence[Fault],
        cells: Mapping[str, Sequence[str]],
    ) -> None:
        """Add a line a fault; the first of a rejected row holds the row."""
        is_rejected = verdict == REJECTED
        whole = json.dumps(cells, ensure_ascii=False) if is_rejected and cells else ""
        for fault in faults:
            value = fault.value[:LONGEST_VALUE]
            told = (id_, verdict, fault.code, fault.field, value, str(FIXES[fault.code]), whole)
            self._rows.append([str(number), *(cell(one) for one in told)])
            whole = ""

    def write(self) -> int:
        """Put the added lines on the disk and return the file's new size."""
        if self.n_bytes == 0 and len(self._rows) == 1:
            return 0
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(self._rows)
        self._rows.clear()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        with os.fdopen(handle, "r+b") as file:
            file.truncate(self.n_bytes)
            file.seek(self.n_bytes)
            file.write(text.getvalue().encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
            self.n_bytes = file.tell()
        return self.n_bytes
