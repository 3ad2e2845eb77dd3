"""Events that wait for the merge while the shop is brought up to a newer version."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from profiles.events import merging, staging
from profiles.models import Event, EventStaging
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

LONG_AGO = NOW - timedelta(days=3)
CONTEXT = {"device": {"type": "mobile"}, "userAgent": 'Shop "4" \\ Zürich\n'}
# A row for each event, as it stood before there were parcels: one of each kind and each id.
ROWS: list[dict[str, Any]] = [
    {"kind": "track", "name": "Product Viewed", "customer_ref": "c1", "product_id": "p1",
     "properties": {"category": "audio", "price": 19.9, "tags": ["neu", "günstig", "耳机"]},
     "context": CONTEXT},
    {"kind": "page", "name": "Home", "anonymous_id": "a1", "properties": {}, "context": {}},
    {"kind": "screen", "name": "Cart", "anonymous_id": "a2", "properties": {"n": None}},
    {"kind": "identify", "name": "", "customer_ref": "c1", "anonymous_id": "a1",
     "properties": {"plan": "gold\ttab"}},
    {"kind": "group", "name": "", "customer_ref": "c1", "properties": {"group": "g1"}},
    {"kind": "alias", "name": "", "customer_ref": "c1", "previous_ref": "a2"},
]  # fmt: skip
EMPTY = {"customer_ref": "", "previous_ref": "", "anonymous_id": "", "product_id": ""}
migration: Any = import_module("profiles.migrations.0030_events_wait_in_parcels")


def apps_between() -> Apps:
    """The models while the migration packs: an event's own columns beside those of parcels."""
    loader = MigrationLoader(connection)
    state = loader.project_state(("profiles", "0029_events_are_counted_clean"))
    for operation in migration.Migration.operations[:2]:
        operation.state_forwards("profiles", state)
    apps: Apps = state.apps
    return apps


def old_columns(apps: Apps) -> None:
    """Give the table the columns that the migration takes away; the test's end takes them too."""
    fields: Any = apps.get_model("profiles", "EventStaging")._meta
    with connection.cursor() as cursor:
        for name in migration.OLD:
            field = fields.get_field(name)
            kind = field.db_type(connection)
            cursor.execute(f"ALTER TABLE profiles_eventstaging ADD COLUMN {field.column} {kind}")


def test_each_row_that_waits_becomes_a_parcel_and_merges_as_the_event_it_was() -> None:
    source, customer = make.source().pk, make.customer("c1")
    apps = apps_between()
    old_columns(apps)
    waiting: Any = apps.get_model("profiles", "EventStaging")._default_manager
    told = [EMPTY | {"properties": {}, "context": {}} | row for row in ROWS]
    for n, row in enumerate(told):
        waiting.create(
            source_id=source, is_confirmed=n % 2 == 0, received_at=NOW, message_id=f"m{n}",
            happened_at=LONG_AGO + timedelta(minutes=n, microseconds=n), n_events=0, events="",
            **row,
        )  # fmt: skip

    migration.pack(apps, connection.schema_editor(), batch=4)  # so they take more than one turn

    parcels = [staging.unpack(staged) for staged in EventStaging.objects.order_by("pk")]
    assert [staged.n_events for staged in EventStaging.objects.all()] == [1] * len(told)
    for n, (row, (one,)) in enumerate(zip(told, parcels, strict=True)):
        assert {name: getattr(one, name) for name in ("kind", "name", *EMPTY)} == {
            name: row[name] for name in ("kind", "name", *EMPTY)
        }
        assert (one.key, one.parcel.is_confirmed) == ((source, f"m{n}"), n % 2 == 0)
        assert one.at == LONG_AGO + timedelta(minutes=n, microseconds=n)
        assert (one.facts, one.circumstances) == (row["properties"], row["context"])

    assert merging.merge(NOW) == len(told)
    merged = Event.objects.order_by("message_id")
    assert [(one.message_id, one.kind, one.properties, one.context) for one in merged] == [
        (f"m{n}", row["kind"], row["properties"], row["context"]) for n, row in enumerate(told)
    ]
    assert {one.customer_id for one in merged} == {customer.pk}  # a1 and a2 are c1 by now


def test_what_waits_in_a_parcel_already_is_left_when_packing_starts_again() -> None:
    apps = apps_between()
    old_columns(apps)
    packed = EventStaging.objects.create(
        source_id=make.source().pk, is_confirmed=True, received_at=NOW, n_events=2, events="[]"
    )

    migration.pack(apps, connection.schema_editor())

    packed.refresh_from_db()
    assert (packed.n_events, packed.events) == (2, "[]")
