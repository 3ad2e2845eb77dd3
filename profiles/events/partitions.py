"""Monthly partitions of the event table on PostgreSQL; on SQLite there is nothing to do.

An event of a month that has no partition lands in the default one. `ensure` makes the
months ahead, and moves what has gathered in the default partition into months of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.db import connection, transaction

MONTHS_AHEAD: Final = 2
DEFAULT: Final = "profiles_event_default"

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


def names() -> list[str]:
    """The partitions there are, the default one included."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'profiles_event'::regclass ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]


def drop_before(before: datetime) -> int:
    """Drop the partitions of months that ended by then; returns how many events they held.

    A month goes in one statement, however many events lie in it. Nothing on SQLite.
    """
    if connection.vendor != "postgresql":
        return 0
    first_kept = f"profiles_event_{before.astimezone(UTC):%Y_%m}"
    n_events = 0
    for name in names():
        if name == DEFAULT or name >= first_kept:
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {name}")  # noqa: S608 -- a name of our own making  # nosec B608
            n_events += int(cursor.fetchone()[0])
            cursor.execute(f"DROP TABLE {name}")
    return n_events


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
