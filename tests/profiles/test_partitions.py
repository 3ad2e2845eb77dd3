"""On PostgreSQL an event lies in the partition of its month, whenever that one was made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from profiles.event_store import DEFAULT_PARTITION, EVENTS, partition_names
from profiles.events import partitions
from profiles.models import Event
from tests import make
from tests.make import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def event(happened_at: datetime) -> Event:
    return Event.objects.create(
        source=make.source(),
        message_id=f"m-{happened_at}",
        kind="track",
        name="Seen",
        happened_at=happened_at,
        received_at=NOW,
    )


def partition_of(stored: Event) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM profiles_event WHERE id = %s", [stored.pk]
        )
        return str(cursor.fetchone()[0])


def test_the_months_ahead_are_made_once() -> None:
    made = partitions.ensure(NOW)

    assert made == ["profiles_event_2026_03", "profiles_event_2026_04", "profiles_event_2026_05"]
    assert partitions.ensure(NOW) == []
    assert partition_of(event(NOW)) == "profiles_event_2026_03"


def test_old_events_lie_in_the_default_partition_until_their_month_is_made() -> None:
    old = event(datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC))
    new_year = event(datetime(2020, 1, 1, tzinfo=UTC))
    assert partition_of(old) == "profiles_event_default"

    made = partitions.ensure(NOW)

    assert made[:2] == ["profiles_event_2019_12", "profiles_event_2020_01"]
    assert partition_of(old) == "profiles_event_2019_12"
    assert partition_of(new_year) == "profiles_event_2020_01"
    assert set(Event.objects.all()) == {old, new_year}


def test_partitions_carry_the_indexes() -> None:
    partitions.ensure(NOW)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "profiles_event_2026_03")
    columns = [tuple(one["columns"]) for one in found.values()]

    assert ("customer_id", "happened_at", "name", "kind", "quality") in columns
    assert ("anonymous_id",) in columns


def test_deleting_a_customer_deletes_that_customers_events_in_every_month() -> None:
    partitions.ensure(NOW)
    someone = make.customer()
    for moment in (NOW, datetime(2020, 1, 1, tzinfo=UTC)):
        Event.objects.filter(pk=event(moment).pk).update(customer=someone)

    someone.delete()

    assert not Event.objects.exists()


def test_ids_grow_over_all_partitions() -> None:
    partitions.ensure(NOW)

    pks = [event(moment).pk for moment in (NOW, datetime(2020, 1, 1, tzinfo=UTC), NOW)]

    assert pks == sorted(set(pks))


def test_months_that_ended_before_the_period_go_at_once() -> None:
    kept = event(datetime(2025, 3, 1, tzinfo=UTC))
    for day in (1, 15, 31):
        event(datetime(2024, 1, day, tzinfo=UTC))
    in_part = event(datetime(2025, 2, 3, tzinfo=UTC))
    partitions.ensure(NOW)

    n_gone = EVENTS.drop_before(datetime(2025, 2, 15, tzinfo=UTC))

    assert n_gone == 3
    assert set(Event.objects.all()) == {in_part, kept}
    assert "profiles_event_2024_01" not in partition_names()
    assert DEFAULT_PARTITION in partition_names()
    assert EVENTS.drop_before(datetime(2025, 2, 15, tzinfo=UTC)) == 0
