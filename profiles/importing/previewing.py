"""Looking at a file before it changes anything: what its columns hold, what its rows would do.

Imports pandas, so only jobs import it, inside their bodies. Of people only shapes and masks
are told; the values stay in the file.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any, Final

import pandas as pd

from profiles.files.reading import BadRow
from profiles.files.rejects import shape
from profiles.importing import uploads
from profiles.importing.comparing import Change, Compared, Difference
from profiles.models import Upload

ROWS_LOOKED_AT: Final = 20_000
BEFORE: Final = "before:"
MOST: Final = 0.95
DATE_FORMATS: Final = (
    "ISO8601", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y/%m/%d %H:%M", "%Y/%m/%d",
    "%Y年%m月%d日 %H:%M", "%Y年%m月%d日",
)  # fmt: skip
LIKE_A_DATE: Final = r"\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}"


def columns(upload: Upload, *, encoding: str, now: datetime) -> list[dict[str, Any]]:
    """Return what each column holds in the first 20,000 good rows of the file.

    `holds` is `number`, `decimal_comma`, `date`, `address`, `text` or `nothing`; `formats` all
    formats that fit its dates: two of them means that day and month cannot be told apart.
    """
    with uploads.opened(upload, encoding=encoding, now=now) as table:
        good = (row for _line, row in table.rows() if not isinstance(row, BadRow))
        frame = pd.DataFrame(list(islice(good, ROWS_LOOKED_AT)), columns=table.columns, dtype=str)
    return [_column(str(name), frame.iloc[:, at].str.strip()) for at, name in enumerate(frame)]


def _column(name: str, cells: pd.Series[str]) -> dict[str, Any]:
    values = cells[cells != ""]
    holds, formats = _held(values)
    shapes = values.map(shape).value_counts()
    return {
        "name": name,
        "holds": holds,
        "formats": formats,
        "empty": 1 - len(values) / len(cells) if len(cells) else 1.0,
        "n_distinct": int(values.nunique()),
        "shape": str(shapes.index[0]) if len(shapes) else "",
    }


def _held(values: pd.Series[str]) -> tuple[str, list[str]]:
    if values.empty:
        return "nothing", []
    if values.str.contains("@", regex=False).mean() >= MOST:
        return "address", []
    if pd.to_numeric(values, errors="coerce").notna().mean() >= MOST:
        return "number", []
    if values.str.fullmatch(r"-?[\d.]*\d,\d{1,3}|-?\d+").mean() >= MOST:
        return "decimal_comma", []
    formats = _formats(values)
    return ("date", formats) if formats else ("text", [])


def _formats(values: pd.Series[str]) -> list[str]:
    if values.str.contains(LIKE_A_DATE).mean() < MOST:
        return []
    return [
        name
        for name in DATE_FORMATS
        if pd.to_datetime(values, format=name, errors="coerce", utc=True).notna().mean() >= MOST
    ]


def differences(compared: Compared) -> list[Difference | None]:
    """Say of each row whether it is new or what it changes; None of one that changes nothing.

    An empty cell changes nothing; of two rows with one key only the later is told of.
    """
    rows = pd.DataFrame(compared.rows)
    if rows.empty:
        return []
    names = [name for name in rows.columns if name != "key"]
    rows[names] = rows[names].fillna("")
    there = pd.DataFrame(compared.there, columns=["key", *names]).fillna("")
    merged = rows.merge(
        there.rename(columns={name: BEFORE + name for name in names}),
        on="key", how="left", indicator=True, validate="many_to_one",
    )  # fmt: skip
    before = merged[[BEFORE + name for name in names]].fillna("").set_axis(names, axis=1)
    differs = (merged[names] != "") & merged[names].ne(before)
    is_new = merged["_merge"].eq("left_only")
    is_told = (is_new | differs.any(axis=1)) & ~rows["key"].duplicated(keep="last")
    found: list[Difference | None] = [None] * len(rows)
    for at in merged.index[is_told]:
        changes = [
            Change(name, _shown(before.loc[at, name]), _shown(merged.loc[at, name]))
            for name in differs.columns[differs.loc[at]]
        ]
        found[at] = Difference(bool(is_new[at]), changes)
    return found


def _shown(cell: Any) -> str:
    """Without what tells two values apart that look alike when they are masked."""
    return str(cell).partition(Compared.APART)[0]
