"""Until when a person must be answered, by the law the shop is under."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PIPL_WORKING_DAYS = 15
EXTENSION_MONTHS = 2
FIRST_WEEKEND_DAY = 5


def due(law: str, came_in: datetime, zone: ZoneInfo) -> datetime:
    """Return the last moment to answer, the end of a day in the shop's time zone.

    GDPR, art. 12(3): one month. PIPL, by national standard GB/T 35273-2020, 8.7: 15 working
    days, of which only weekends are taken off, so that public holidays make it no later.
    """
    day = came_in.astimezone(zone).date()
    last = add_months(day, 1) if law == "gdpr" else add_working_days(day, PIPL_WORKING_DAYS)
    return _end_of(last, zone)


def extended(law: str, was_due: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the later moment after an extension: two months under GDPR, none under PIPL."""
    if law != "gdpr":
        return None
    return _end_of(add_months(was_due.astimezone(zone).date(), EXTENSION_MONTHS), zone)


def add_months(day: date, n: int) -> date:
    """Return the same day `n` months on, or the month's last day where there is none."""
    months = day.year * 12 + day.month - 1 + n
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def add_working_days(day: date, n: int) -> date:
    while n:
        day += timedelta(days=1)
        n -= day.weekday() < FIRST_WEEKEND_DAY
    return day


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(23, 59, 59), zone)
