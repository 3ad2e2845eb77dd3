"""Monthly partitions of the event table on PostgreSQL; on SQLite there is nothing to do.

An event of a month that has no partition lands in the default one. `ensure` makes the
months ahead, and moves what has gathered in the default partition into months of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.db import connection, transaction

MONTHS_AHEAD: Final = 2

STRAY_MONTHS = """
SELECT DISTINCT date_trunc('month', happened_at AT TIME ZONE 'UTC') FROM profiles_event_default
"""
# ATTACH scans the table for rows out of range; the check lets it skip that.
MAKE = """
LOCK TABLE profiles_event_default IN ACCESS EXCLUSIVE MODE;
CREATE TABLE {name} (
    LIKE profiles_event INCLUDING DEFAULTS,
    CONSTRAINT {name}_range CHECK (happened_at >= '{start}' AND happened_at < '{end}')
);
WITH moved AS (
    DELETE FROM profiles_event_default
    WHERE happened_at >= '{start}' AND happened_at < '{end}' RETURNING *
)
INSERT INTO {name} SELECT * FROM moved;
ALTER TABLE profiles_event ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}');
ALTER TABLE {name} DROP CONSTRAINT {name}_range;
"""


def ensure(now: datetime) -> list[str]:
    """Make the partitions of this month, the months ahead, and every month found astray.

    Returns the names of those that were made. Each month is a transaction of its own, so
    that writers wait for one month at most.
    """
    if connection.vendor != "postgresql":
        return []
    current = datetime(now.year, now.month, 1, tzinfo=UTC)
    wanted = {_later(current, months) for months in range(MONTHS_AHEAD + 1)}
    with connection.cursor() as cursor:
        cursor.execute(STRAY_MONTHS)
        wanted |= {month.replace(tzinfo=UTC) for (month,) in cursor.fetchall()}
    return [name for month in sorted(wanted) if (name := _make(month))]


@transaction.atomic
def _make(month: datetime) -> str:
    name = f"profiles_event_{month:%Y_%m}"
    with connection.cursor() as cursor:
        # Two workers making the same month would both find it missing.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('profiles_event'))")
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0] is not None:
            return ""
        end = _later(month, 1)
        cursor.execute(MAKE.format(name=name, start=month.isoformat(), end=end.isoformat()))
    return name


def _later(month: datetime, months: int) -> datetime:
    years, index = divmod(month.month - 1 + months, 12)
    return month.replace(year=month.year + years, month=index + 1)
