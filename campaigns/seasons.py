"""The days that shops of electronics plan their year around."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

THURSDAY: Final = 3
# New moons in Beijing, of the calendar in force there (GB/T 33661-2017); tests compute them anew.
NEW_YEARS: Final = {
    year: date(year, month, day)
    for year, month, day in (
        *((2024, 2, 10), (2025, 1, 29), (2026, 2, 17), (2027, 2, 6), (2028, 1, 26), (2029, 2, 13)),
        *((2030, 2, 3), (2031, 1, 23), (2032, 2, 11), (2033, 1, 31), (2034, 2, 19), (2035, 2, 8)),
        *((2036, 1, 28), (2037, 2, 15), (2038, 2, 4), (2039, 1, 24), (2040, 2, 12), (2041, 2, 1)),
        *((2042, 1, 22), (2043, 2, 10), (2044, 1, 30), (2045, 2, 17), (2046, 2, 6), (2047, 1, 26)),
        *((2048, 2, 14), (2049, 2, 2), (2050, 1, 23)),
    )
}
CODES: Final = ("new_year", "618", "double_11", "black_friday", "cyber_monday", "double_12")


def of_year(year: int) -> Iterator[tuple[date, str]]:
    """Yield each day with its code, one of CODES, in the order of the year."""
    if year in NEW_YEARS:
        yield NEW_YEARS[year], "new_year"
    yield date(year, 6, 18), "618"
    yield date(year, 11, 11), "double_11"
    friday = black_friday(year)
    yield friday, "black_friday"
    yield friday + timedelta(days=3), "cyber_monday"
    yield date(year, 12, 12), "double_12"


def black_friday(year: int) -> date:
    """The day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    thursday = first + timedelta(days=(THURSDAY - first.weekday()) % 7, weeks=3)
    return thursday + timedelta(days=1)


def between(start: date, end: date) -> list[tuple[date, str]]:
    """Return the days from `start` to `end`, both included."""
    years = range(start.year, end.year + 1)
    return [(day, code) for year in years for day, code in of_year(year) if start <= day <= end]
