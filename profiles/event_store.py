"""The seam behind which events are kept and asked; the shop's own database is its one side today.

Merging, segments, memberships and retention keep to `EventStore`, so a shop that outgrows one
database writes another side of it (Citus speaks the same SQL; ClickHouse takes the events and the
counting) and puts it into `EVENTS`. Traits join events with orders in one statement and name the
relation that the store gives them; what may is told in docs/decisions/0009.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import CombinedExpression

from profiles.bulk import ESCAPES
from profiles.models import Event
from profiles.models.event import Kind
from profiles.models.quality import counted

if TYPE_CHECKING:
    from profiles.arrivals import Arrival, Parcel

DEFAULT_PARTITION: Final = "profiles_event_default"
COLUMNS: Final = (
    "source_id, is_confirmed, received_at, kind, message_id, name, anonymous_id, product_id,"
    " happened_at, customer_id, properties, context"
)
COPY: Final = f"COPY profiles_event ({COLUMNS}) FROM STDIN"
INSERT: Final = (
    f"INSERT INTO profiles_event ({COLUMNS})"  # noqa: S608 -- both are constants  # nosec B608
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
N_TABS: Final = COLUMNS.count(",")
ROLLUP: Final = """
INSERT INTO profiles_eventday AS kept (source_id, day, kind, name, n_events)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (source_id, day, kind, name)
DO UPDATE SET n_events = kept.n_events + excluded.n_events
"""


class EventStore(Protocol):
    """What is asked of wherever events are kept.

    `relation` is what statements that join events with other tables read them from: a table, a
    view or a foreign table of the shop's database with the columns of `Event`.
    """

    relation: str

    def append(self, arrived: Sequence[Arrival]) -> None:
        """Take in the merge's batch, in which every event stands once with its customer."""

    def rollup(self, arrived: Sequence[Arrival]) -> None:
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

    def append(self, arrived: Sequence[Arrival]) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                # Those of a customer lie side by side in the index that every event pays for.
                text = "".join(_lines(sorted(arrived, key=_customer)))
                with cursor.copy(COPY) as copy:
                    copy.write(text)
            else:
                cursor.executemany(INSERT, [_row(one) for one in arrived])

    def rollup(self, arrived: Sequence[Arrival]) -> None:
        counts = Counter(
            (one.parcel.source_id, one.parcel.received_at.date(), one.kind, one.name)
            for one in arrived
        )
        with connection.cursor() as cursor:
            cursor.executemany(ROLLUP, [(*key, n) for key, n in sorted(counts.items())])

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


def _customer(one: Arrival) -> int:
    return one.customer_pk or 0


def _lines(arrived: Sequence[Arrival]) -> Iterator[str]:
    """Events as COPY reads them."""
    heads: dict[Parcel, str] = {}
    for one in arrived:
        parcel = one.parcel
        if (head := heads.get(parcel)) is None:
            received_at = parcel.received_at.isoformat()
            head = heads[parcel] = f"{parcel.source_id}\t{parcel.is_confirmed}\t{received_at}"
        whose = r"\N" if one.customer_pk is None else one.customer_pk
        line = (
            f"{head}\t{one.kind}\t{one.message_id}\t{one.name}\t{one.anonymous_id}"
            f"\t{one.product_id}\t{one.happened_at}\t{whose}"
            f"\t{one.properties}\t{parcel.contexts[one.context]}\n"
        )
        # Most lines hold no sign that COPY would take for its own.
        is_plain = line.count("\t") == N_TABS and line.count("\n") == 1 and "\r" not in line
        if not is_plain or line.count("\\") > (one.customer_pk is None):
            line = _escaped(one, head, str(whose))
        yield line


def _escaped(one: Arrival, head: str, whose: str) -> str:
    before = (one.kind, one.message_id, one.name, one.anonymous_id, one.product_id, one.happened_at)
    behind = (one.properties, one.parcel.contexts[one.context])
    texts = [text.translate(ESCAPES) for text in (*before, *behind)]
    return "\t".join([head, *texts[: len(before)], whose, *texts[len(before) :]]) + "\n"


def _row(one: Arrival) -> tuple[Any, ...]:
    """An event as SQLite keeps it; it compares times as text."""
    time = connection.ops.adapt_datetimefield_value
    parcel = one.parcel
    return (
        parcel.source_id, parcel.is_confirmed, time(parcel.received_at),
        one.kind, one.message_id, one.name, one.anonymous_id, one.product_id,
        time(one.at), one.customer_pk, one.properties, parcel.contexts[one.context],
    )  # fmt: skip


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
