"""The seam behind which events are kept and asked; the shop's own database is its one side today.

Merging, segments, memberships and retention keep to `EventStore`, so a shop that outgrows one
database writes another side of it (Citus speaks the same SQL; ClickHouse takes the events and the
counting) and puts it into `EVENTS`. Traits join events with orders in one statement and name the
relation that the store gives them; what may is told in docs/decisions/0009.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import CombinedExpression

from profiles.models import Event
from profiles.models.event import Kind
from profiles.models.quality import counted

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

DEFAULT_PARTITION: Final = "profiles_event_default"
# Whose an event of the merge's batch is: by the shop's id, else by the visitor's.
OF_WHOM: Final = """
FROM profiles_merging m
LEFT JOIN profiles_customer c ON m.customer_ref <> '' AND c.external_id = m.customer_ref
LEFT JOIN profiles_identity i ON m.customer_ref = '' AND i.anonymous_id = m.anonymous_id
"""
APPEND: Final = f"""
INSERT INTO profiles_event (
    source_id, message_id, kind, name, customer_id, anonymous_id, product_id,
    properties, context, is_confirmed, happened_at, received_at
)
SELECT m.source_id, m.message_id, m.kind, m.name, COALESCE(c.id, i.customer_id),
    m.anonymous_id, m.product_id, m.properties, m.context, m.is_confirmed,
    m.happened_at, m.received_at
{OF_WHOM} ORDER BY m.id
"""  # nosec B608
DAY: Final = {
    "postgresql": "(received_at AT TIME ZONE 'UTC')::date",
    "sqlite": "date(received_at)",
}
ROLLUP: Final = """
INSERT INTO profiles_eventday AS kept (source_id, day, kind, name, n_events)
SELECT source_id, {day}, kind, name, count(*) FROM profiles_merging WHERE true
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
ON CONFLICT (source_id, day, kind, name)
DO UPDATE SET n_events = kept.n_events + excluded.n_events
"""


class EventStore(Protocol):
    """What is asked of wherever events are kept.

    `relation` is what statements that join events with other tables read them from: a table, a
    view or a foreign table of the shop's database with the columns of `Event`.
    """

    relation: str

    def append(self, cursor: CursorWrapper) -> int:
        """Take in the merge's batch, in which every event stands once; returns how many."""

    def rollup(self, cursor: CursorWrapper) -> None:
        """Add the merge's batch to the counts by day, so that pages read tens of rows."""

    def count_in(
        self, name: str, *, until: datetime, since: datetime | None = None
    ) -> QuerySet[Event]:
        """Return what known customers did by that name in a window, to be counted by customer.

        What cleaning marked as no person's doing is left out, here and of a sequence.
        """

    def sequence(self, name: str, *, within: timedelta, until: datetime) -> Exists:
        """Return the condition on an event that one of that name came after it, in time."""

    def drop_before(self, before: datetime) -> int:
        """Drop what lies in whole months that ended by then; returns how many events it was."""


class SqlEvents:
    """Events in the shop's own database: monthly partitions on PostgreSQL, a table on SQLite."""

    relation = "profiles_event"

    def append(self, cursor: CursorWrapper) -> int:
        cursor.execute(APPEND)
        return int(cursor.rowcount)

    def rollup(self, cursor: CursorWrapper) -> None:
        cursor.execute(ROLLUP.format(day=DAY[connection.vendor]))

    def count_in(
        self, name: str, *, until: datetime, since: datetime | None = None
    ) -> QuerySet[Event]:
        events = Event.objects.filter(
            counted(), kind=Kind.TRACK, name=name, customer__isnull=False, happened_at__lt=until
        )
        return events.filter(happened_at__gte=since) if since else events

    def sequence(self, name: str, *, within: timedelta, until: datetime) -> Exists:
        after = Event.objects.filter(
            counted(),
            kind=Kind.TRACK,
            name=name,
            customer=OuterRef("customer"),
            happened_at__lt=until,
            happened_at__gt=OuterRef("happened_at"),
            happened_at__lte=later(within),
        )
        return Exists(after)

    def drop_before(self, before: datetime) -> int:
        """Drop each month in one statement, however many events lie in it; nothing on SQLite."""
        if connection.vendor != "postgresql":
            return 0
        first_kept = f"profiles_event_{before.astimezone(UTC):%Y_%m}"
        return sum(
            _drop(name)
            for name in partition_names()
            if name != DEFAULT_PARTITION and name < first_kept
        )


def partition_names() -> list[str]:
    """The partitions there are, the default one included."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'profiles_event'::regclass ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]


def later(wait: timedelta) -> CombinedExpression:
    """The moment that long after the event a condition is asked of."""
    return OuterRef("happened_at") + wait


def _drop(partition: str) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {partition}")  # noqa: S608 -- a name of our own making  # nosec B608
        (n,) = cursor.fetchone()
        cursor.execute(f"DROP TABLE {partition}")
    return int(n)


EVENTS: Final[EventStore] = SqlEvents()
