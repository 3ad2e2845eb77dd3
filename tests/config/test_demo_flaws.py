"""What goes wrong in the demo shop goes the ways of a real one: marked, kept, shown, tried again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.demo import filling, making
from config.management.commands.demo import SESSION_SECRET, clear
from profiles import quality
from profiles.events import rejected_events
from profiles.models import ClusteringRun, Customer, EventVerdict, Order

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "keystore"])
NOW = datetime(2026, 11, 27, 18, 30, tzinfo=UTC)


@pytest.fixture
def world() -> filling.World:
    """A small shop as far as it goes wrong, looked at twice."""
    made = filling.imagine(NOW, n_customers=250)
    filling.open_shop(NOW)
    filling.fill_shelves(made)
    filling.register_people(made)
    filling.take_orders(made, made.year.purchases)
    making.get_things_wrong(made)
    return made


def test_orders_are_marked_for_each_reason_and_spoil_no_figure(world: filling.World) -> None:
    counted = Order.objects.countable().filter(number__in=["TEST-1", "F4", "F5"])
    whose = Customer.objects.filter(external_id__in=[one.external_id for one in world.people])

    marks = set(quality.marked_orders().values_list("quality", flat=True))
    refunded = Order.objects.filter(quality="refunded")

    assert marks == {"refunded", "outlier", "impossible", "test"}
    assert not counted.exists()
    assert refunded.count() == 3
    assert all(order.refunded_minor == order.total_minor for order in refunded)
    assert {order.customer for order in refunded} <= set(whose)


def test_a_demo_made_anew_keeps_the_secret_its_sessions_are_signed_with(tmp_path: Path) -> None:
    keys, outbox = tmp_path / "keys", tmp_path / "outbox"
    for folder in (keys, outbox):
        folder.mkdir()
    kept = keys / SESSION_SECRET
    for file in (kept, keys / "root.key", outbox / "1.eml", tmp_path / "candor.sqlite3"):
        file.write_text("x")

    clear(tmp_path, keys)

    assert sorted(path for path in tmp_path.rglob("*")) == [keys, kept]


@pytest.mark.usefixtures("world")
def test_rejected_events_wait_by_reason_and_can_be_tried_again() -> None:
    groups = rejected_events.groups()
    assert len(groups) == 4
    assert {one.source.name for one in groups} == {"Demo app"}
    assert EventVerdict.objects.filter(verdict="rejected").count() == sum(
        one.n_events for one in groups
    )

    first = groups[0]
    making.run_job(rejected_events.ask_for_replay(first.source.pk, first.code, NOW), NOW)

    assert [one.tried_at for one in rejected_events.groups()].count(NOW) == 1


@pytest.mark.usefixtures("world")
def test_the_shop_looked_at_its_customers_before_so_that_runs_compare() -> None:
    for step, act in making.steps("correct-horse-9", now=NOW, n_customers=250):
        if step in {"Looking back", "Building profiles"}:
            act()

    before, after = ClusteringRun.objects.order_by("created_at")

    assert before.created_at == before.as_of == NOW - making.LOOKED_BEFORE
    assert 0 < before.n_customers < after.n_customers
    assert after.compared["n_common"] > 0
    assert after.drift["run"] == before.pk
