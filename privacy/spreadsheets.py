"""Cells of CSV files that no spreadsheet program takes for a formula (CWE-1236)."""

from __future__ import annotations

from typing import Any

# The last four are their full-width forms, which some programs fold to the plain ones.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: Any) -> Any:
    """Return the value as a safe cell: a text that begins like a formula gets a quote before it.

    Numbers are left as they are, so that -5 stays a number.
    """
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.lstrip(" ").startswith(FORMULA_STARTS) else value
