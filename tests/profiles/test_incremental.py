"""An incremental build ends where a full one would, whatever happened in between."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy.models import Subject
from profiles import asking, changes, segmentation
from profiles.events import merging
from profiles.identity import joining
from profiles.models import (
    CategoryNorm,
    Customer,
    CustomerChange,
    CustomerMerge,
    CustomerTraits,
    Order,
    OwnedDevice,
    SegmentMember,
    TraitBuild,
    Upload,
)
from profiles.orders import ordering
from profiles.orders.statements import LineState, OrderState, RefundState
from profiles.traits import featuring
from tests import make
from tests.make import NOW
from tests.profiles.calls import order_event, post, track
from tests.profiles.orders import HEAD, MAPPED, load, put

pytestmark = pytest.mark.django_db
PEOPLE = [f"c{n}" for n in range(1, 7)]
PRODUCTS = [("tv", "Screens"), ("cable", "Audio"), ("phone", "Phones")]
MEASURED = {"price_level", "upgrade_due_at"}
OF_A_BUILD = {"as_of", "due_at", "persona_id"}


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop(time_zone="Asia/Shanghai")


def rows() -> dict[str, dict[str, Any]]:
    """Traits and devices by the shop's id of the customer."""
    found: dict[str, dict[str, Any]] = {}
    for who, *traits in CustomerTraits.objects.values_list("customer__external_id", *_columns()):
        found[who] = dict(zip(_columns(), traits, strict=True))
    devices = OwnedDevice.objects.order_by("line__order__number", "product_id")
    told = ("product_id", "quantity", "bought_at", "warranty_ends_at")
    for who, *device in devices.values_list("customer__external_id", *told):
        found.setdefault(who, {}).setdefault("devices", []).append(device)
    return found


def _columns() -> list[str]:
    names = [field.attname for field in CustomerTraits._meta.concrete_fields]
    return [name for name in names if name not in OF_A_BUILD | {"customer_id"}]


def from_nothing(as_of: datetime) -> dict[str, dict[str, Any]]:
    """Everybody's rows made at once by the norms that hold."""
    CustomerTraits.objects.all().delete()
    OwnedDevice.objects.all().delete()
    featuring.build_traits(as_of)
    return rows()


class World:
    """Random things that happen to a few customers, each by the door it comes through."""

    def __init__(self, seed: int, client: Client, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.client, self.folder = client, folder
        self.key = make.secret_key()
        self.now = NOW
        self.n = 0

    def acts(self) -> dict[str, Callable[[], object]]:
        return {name[3:]: getattr(self, name) for name in dir(self) if name.startswith("do_")}

    def step(self) -> str:
        name = self.chance.choice(sorted(self.acts()))
        self.acts()[name]()
        return name

    def who(self) -> str:
        return self.chance.choice(PEOPLE)

    def moment(self) -> datetime:
        """Mostly in the past, at the edges of windows too, seldom ahead."""
        days = self.chance.choice([-2, 0, 3, 30, 89, 90, 364, 365, 500])
        return self.now - timedelta(days=days, seconds=self.chance.randint(0, 90_000))

    def number(self) -> str:
        return f"N{self.chance.randint(1, 8)}"

    def tell(self, *events: dict[str, Any]) -> None:
        self.n += 1
        post(self.client, *(one | {"messageId": f"m{self.n}"} for one in events), key=self.key)
        merging.merge(self.now)

    def do_view(self) -> None:
        name = self.chance.choice(["Product Viewed", "Products Searched", "Email Opened"])
        facts = {"product_id": "tv", "category": "Screens"}
        at = self.now - timedelta(days=self.chance.randint(0, 5))
        self.tell(track(name, userId=self.who(), properties=facts, timestamp=at.isoformat()))

    def do_visit(self) -> None:
        self.tell(track(anonymousId=f"v{self.chance.randint(1, 3)}"))

    def do_login(self) -> None:
        visitor = f"v{self.chance.randint(1, 3)}"
        self.tell({"type": "identify", "userId": self.who(), "anonymousId": visitor})

    def do_order_event(self) -> None:
        name = self.chance.choice(["Order Completed", "Order Updated", "Order Cancelled"])
        self.tell(order_event(name, order_id=self.number()) | {"userId": self.who()})

    def do_order(self) -> None:
        product, category = self.chance.choice(PRODUCTS)
        line = LineState(product, self.chance.randint(1, 3), 10_000, category=category)
        at = self.moment()
        refunds = [RefundState(f"r{self.n}", at + timedelta(days=1), 500)]
        state = OrderState(
            number=self.number(),
            stated_at=self.now + timedelta(seconds=self.chance.randint(0, 99)),
            placed_at=at,
            currency="EUR",
            lines=(line,),
            customer_id=self.who(),
            coupon=self.chance.choice(["", "SPRING", "TEST"]),
            refunds=tuple(refunds[: self.chance.randint(0, 1)]),
        )
        ordering.upsert([state], source_id=make.source().pk, now=self.now)

    def do_refund(self) -> None:
        self.n += 1
        state = RefundState(f"r{self.n}", self.moment(), self.chance.choice([100, None]))
        ordering.add_refunds([(self.number(), state)], source_id=make.source().pk, channel="api")

    def do_import(self) -> None:
        self.n += 1
        who, day = self.who(), f"2026-0{self.chance.randint(1, 2)}-05"
        text = f"{HEAD}F{self.n},{who},tv,2,10,{day}\nF{self.n},{who},tv,-1,10,2026-02-20\n"
        load(put(self.folder, text, f"{self.n}.csv"), **MAPPED)

    def do_undo_import(self) -> None:
        done = [one for one in Upload.objects.order_by("-pk") if "undone" not in one.summary]
        if done:
            with suppress(CommandError):  # a merge holds what it added
                call_command("undo_import", str(done[0].uuid), verbosity=0)

    def do_merge(self) -> None:
        there = sorted(Customer.objects.values_list("external_id", flat=True))
        self.chance.shuffle(there)
        if len(there) > 2:
            joining.merge(*there[:2], actor="test", reason="One", now=self.now)

    def do_undo_merge(self) -> None:
        if done := CustomerMerge.objects.filter(undone_at=None).order_by("-pk").first():
            joining.undo(done, actor="test", reason="Two", now=self.now)

    def do_clean(self) -> None:
        running.run(asking.ask_for_cleaning(self.now).pk, clock=lambda: self.now)

    def do_object(self) -> None:
        whose = Customer.objects.filter(external_id=self.who()).values("subject_id")
        Subject.objects.filter(uuid__in=whose).update(
            no_profiling=self.chance.choice([True, False])
        )

    def do_pass_time(self) -> None:
        self.now += timedelta(hours=self.chance.choice([1, 5, 30]))


@pytest.mark.parametrize("seed", range(12))
def test_an_incremental_build_ends_where_a_full_one_does(
    seed: int, client: Client, tmp_path: Path
) -> None:
    world = World(seed, client, tmp_path)
    for product, category in PRODUCTS:
        specs = {"warranty_months": 3}
        make.product(product, category=category, brand=f"B{product}", specs=specs)
    told = []
    for _round in range(4):
        told += [world.step() for _step in range(world.chance.randint(3, 12))]
        featuring.build_traits(world.now, per_step=2)
        found = rows()
        assert found == from_nothing(world.now), told
        assert not CustomerChange.objects.filter(stage=CustomerChange.Stage.NEW).exists()
    featuring.build_traits(world.now, everybody=True)
    assert without_norms(rows()) == without_norms(found), told


RULES: tuple[dict[str, Any], ...] = (
    {"field": "bought_times", "operator": ">=", "value": 2, "within_days": 90},
    {"field": "bought_category", "operator": "!=", "value": "Screens"},
    {"field": "bought_last_days", "operator": "<", "value": 30},
    {"field": "event_times", "operator": "<", "value": 1, "event": "Product Viewed"},
    {"field": "event_last_days", "operator": ">", "value": 2, "event": "Product Viewed"},
    {"field": "recency_days", "operator": "between", "value": [3, 89]},
    {"field": "warranty_days", "operator": "!=", "value": 30},
    {"field": "n_views", "operator": ">=", "value": 1},
    {"field": "country", "operator": "null"},
)  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_segments_that_follow_marks_end_where_full_ones_do(
    seed: int, client: Client, tmp_path: Path
) -> None:
    world = World(seed, client, tmp_path)
    trees = [{"combinator": "and", "not": False, "rules": [one]} for one in RULES]
    segments = [segmentation.create(f"S{n}", tree, now=world.now) for n, tree in enumerate(trees)]
    named = {"field": "segment", "operator": "!=", "value": str(segments[0].uuid)}
    trees.append(trees[0] | {"rules": [named]})
    segments.append(segmentation.create("Others", trees[-1], now=world.now))
    told: list[str] = []
    for _round in range(6):
        told += [world.step() for _step in range(world.chance.randint(1, 8))]
        if world.chance.random() < 0.5:
            told.append("build")
            featuring.build_traits(world.now, per_step=2)
        job = asking.ask_for_refresh(None, world.now)
        running.run(job.pk, clock=lambda: world.now)
        for segment, tree in zip(segments, trees, strict=True):
            stays = SegmentMember.objects.filter(segment=segment, left_at__isnull=True)
            expected = segmentation.members(tree, world.now).values_list("pk", flat=True)
            assert set(stays.values_list("customer", flat=True)) == set(expected), (tree, told)


def without_norms(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is not measured against norms, which a full build makes anew."""
    return {
        who: {name: value for name, value in row.items() if name not in MEASURED}
        for who, row in found.items()
    }


def test_only_who_changed_is_made_anew() -> None:
    for _n in range(4):
        make.order(make.customer(), ("tv", "Screens", 1, 100), days_ago=9)
    featuring.build_traits(NOW)
    ann = Customer.objects.earliest("pk")
    changes.mark([ann.pk])

    featuring.build_traits(NOW + timedelta(hours=1))

    assert TraitBuild.objects.get().n_refreshed == 1
    fresh = CustomerTraits.objects.filter(as_of__gt=NOW)
    assert [one.customer for one in fresh] == [ann]


def test_norms_are_a_week_old_at_most_and_then_everybody_is_made_anew() -> None:
    make.order(make.customer(), ("tv", "Screens", 1, 100), days_ago=9)
    make.order(make.customer(), days_ago=9)
    featuring.build_traits(NOW)
    make.order(Customer.objects.latest("pk"), ("tv", "Screens", 1, 300), days_ago=8)

    featuring.build_traits(NOW + timedelta(days=6))
    assert CategoryNorm.objects.get().price_minor == 100

    featuring.build_traits(NOW + timedelta(days=7))
    assert CategoryNorm.objects.get().price_minor == 200
    assert TraitBuild.objects.get().n_refreshed == 2


def test_a_build_asks_as_often_for_many_as_for_few() -> None:
    make.order(make.customer(), ("tv", "Screens", 1, 100), days_ago=9)
    featuring.build_traits(NOW)
    counts = []
    for n in (3, 100):
        for _customer in range(n):
            make.order(make.customer(), ("tv", "Screens", 1, 100), days_ago=9)
        with CaptureQueriesContext(connection) as asked:
            featuring.build_traits(NOW + timedelta(hours=n))
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_a_device_follows_its_order_to_another_customer() -> None:
    make.product("tv")
    ann, ben = make.customer(), make.customer()
    order = make.order(ben, ("tv", "", 1, 100), days_ago=9)
    featuring.build_traits(NOW)
    Order.objects.filter(pk=order.pk).update(customer=ann)
    changes.mark([ann.pk, ben.pk])

    featuring.build_traits(NOW, per_step=1)

    assert OwnedDevice.objects.get().customer == ann


def test_devices_go_with_the_traits_of_who_may_not_be_profiled() -> None:
    make.product("tv")
    ann = make.customer()
    make.order(ann, ("tv", "", 1, 100), days_ago=9)
    featuring.build_traits(NOW)
    Subject.objects.update(no_profiling=True)

    featuring.build_traits(NOW)

    assert not OwnedDevice.objects.exists()


def test_an_import_asks_for_the_traits_of_whom_it_changed(tmp_path: Path) -> None:
    make.order(make.customer("c9"), ("tv", "", 1, 100), days_ago=9)
    text = f"{HEAD}F1,c1,tv,2,10,2026-02-01\n"
    load(put(tmp_path, text), **MAPPED)
    assert not Job.objects.filter(kind=asking.TRAITS).exists()
    featuring.build_traits(timezone.now())

    load(put(tmp_path, text.replace("F1", "F2"), "2.csv"), **MAPPED)
    job = Job.objects.get(kind=asking.TRAITS)
    running.run(job.pk, clock=timezone.now)

    assert CustomerTraits.objects.get(customer__external_id="c1").n_orders == 2
    assert TraitBuild.objects.get().n_refreshed == 1


def test_the_command_makes_everybody_anew_when_told() -> None:
    for name in ("c1", "c2"):
        make.order(make.customer(name), ("tv", "", 1, 100), days_ago=9)
    how: dict[str, Any] = {"as_of": "2026-03-02", "verbosity": 0}
    call_command("build_profiles", **how)
    call_command("build_profiles", **how)
    assert TraitBuild.objects.get().n_refreshed == 0

    call_command("build_profiles", **how, everybody=True)

    assert TraitBuild.objects.get().n_refreshed == 2
