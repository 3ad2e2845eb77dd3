"""Who entered a segment and who left: by a change, by time alone, and the same either way."""

from __future__ import annotations

import random
import time
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from privacy import consent
from profiles import changes, counting, listing, membership, segment_rules, segmentation
from profiles.identity import enrolling
from profiles.importing import customer_rows
from profiles.models import Customer, CustomTrait, Event, Segment, SegmentMember
from profiles.traits import featuring
from tests import make
from tests.make import NOW
from tests.profiles.calls import identify, merge, post

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def all_of(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"combinator": "and", "not": False, "rules": list(rules)}


def rule(field: str, operator: str, value: object = None, **more: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value} | more


def inside(segment: Segment) -> set[str]:
    stays = SegmentMember.objects.filter(segment=segment, left_at__isnull=True)
    return set(stays.values_list("customer__external_id", flat=True))


def test_a_stay_begins_and_ends_and_may_begin_again() -> None:
    ann = make.customer("ann", city="Rome")
    segment = segmentation.create("Romans", all_of(rule("city", "=", "Rome")), now=NOW)

    def refreshed(hours: int, city: str) -> membership.Moved:
        Customer.objects.filter(pk=ann.pk).update(city=city)
        return membership.refresh(segment, now=NOW + timedelta(hours=hours))

    assert refreshed(1, "Rome") == membership.Moved(1, 0)
    assert refreshed(2, "Rome") == membership.Moved(0, 0)
    assert refreshed(3, "Paris") == membership.Moved(0, 1)
    assert refreshed(4, "Rome") == membership.Moved(1, 0)
    stays = SegmentMember.objects.order_by("pk").values_list("entered_at", "left_at")
    hour = timedelta(hours=1)
    assert list(stays) == [(NOW + hour, NOW + 3 * hour), (NOW + 4 * hour, None)]


def test_only_the_changed_are_looked_at() -> None:
    ann, bo = make.customer("ann"), make.customer("bo")
    segment = segmentation.create("Romans", all_of(rule("city", "=", "Rome")), now=NOW)
    membership.refresh(segment, now=NOW)
    Customer.objects.update(city="Rome")

    membership.refresh(segment, now=NOW + DAY, customers=[ann.pk])
    assert inside(segment) == {"ann"}
    membership.refresh(segment, now=NOW + DAY, customers=[bo.pk])
    assert inside(segment) == {"ann", "bo"}


def test_time_alone_moves_people_in_and_out() -> None:
    make.order(make.customer("ann"), ("mic", "Audio", 1, 100), days_ago=89)
    recent = segmentation.create("Recent", all_of(rule("bought_last_days", "<", 90)), now=NOW)
    lapsed = segmentation.create("Lapsed", all_of(rule("bought_last_days", ">=", 90)), now=NOW)
    window = all_of(rule("bought_times", ">=", 1, within_days=90))
    window_segment = segmentation.create("Window", window, now=NOW)
    segments = [recent, lapsed, window_segment]
    for segment in segments:
        membership.refresh(segment, now=NOW)
    assert [inside(segment) for segment in segments] == [{"ann"}, set(), {"ann"}]

    for segment in segments:
        membership.refresh(segment, now=NOW + 2 * DAY, customers=[])

    assert [inside(segment) for segment in segments] == [set(), {"ann"}, set()]


RULES = [
    all_of(rule("bought_times", ">=", 2, within_days=30)),
    all_of(rule("bought_last_days", "between", [10, 20])),
    all_of(rule("bought_first_days", "!=", 15)),
    all_of(rule("bought_category", "!=", "Audio", within_days=7)),
    all_of(rule("event_times", "<", 2, event="Product Viewed", within_days=14)),
    all_of(rule("bought_times", "=", 1, within_days=20, before_days=6)),
    all_of(rule("event_times", ">=", 1, event="Product Viewed", before_days=9)),
    all_of(rule("bought_category", "=", "Audio", from_date="2026-12-10", to_date="2026-12-28")),
    all_of(rule("event_last_days", ">", 5, event="Product Viewed")),
    all_of(
        rule(
            "event_followed", "thenNot", "Order Completed",
            event="Product Viewed", within_hours=36, within_days=30,
        )
    ),
    all_of(rule("age_band", "=", "25-34")),
]  # fmt: skip


@pytest.mark.parametrize("tree", RULES, ids=lambda tree: tree["rules"][0]["field"])
def test_in_steps_comes_to_the_same_as_in_full(tree: dict[str, Any]) -> None:
    """Days go by, people buy and look; looking at the changed alone misses nobody."""
    dice = random.Random(7)
    people = [make.customer(f"c{n}", birth_year=dice.choice([None, 1990, 2001])) for n in range(12)]
    for one in people:
        happens(dice, one, at=NOW - timedelta(hours=dice.randrange(24 * 30)))
    segment = segmentation.create("One", tree, now=NOW)
    membership.refresh(segment, now=NOW)
    now = NOW + 290 * DAY

    for _turn in range(12):
        now += timedelta(hours=dice.randrange(1, 96))
        changed = dice.sample(people, 2)
        for one in changed:
            happens(dice, one, at=now - timedelta(hours=dice.randrange(24 * 20)))
        membership.refresh(segment, now=now, customers=[one.pk for one in changed])

        expected = set(segmentation.members(tree, now).values_list("external_id", flat=True))
        assert inside(segment) == expected


def happens(dice: random.Random, to: Customer, *, at: datetime) -> None:
    if dice.random() < 0.5:
        make.order(to, ("mic", dice.choice(["Audio", "Video"]), 1, 100), at=at)
        return
    Event.objects.create(
        source=make.source(),
        message_id=f"m{Event.objects.count()}",
        kind="track",
        name=dice.choice(["Product Viewed", "Order Completed"]),
        customer=to,
        happened_at=at,
        received_at=at,
    )


TOLD = {
    "city": rule("city", "=", "Rome"),
    "age_band": rule("age_band", "in", ["25-34", "18-24"]),
    "consent": rule("consent", "!=", "campaign.email:email"),
    "email": rule("email", "=", "c1@example.com"),
    "list": rule("list", "=", ""),
    "persona": rule("persona", "=", 1),
    "custom": rule("custom_number", ">=", 2, trait="views"),
}


def test_a_refresh_by_marks_comes_to_the_same_as_in_full(client: Client) -> None:
    """Facts, addresses, consents, lists, own traits and events change by every way there is."""
    dice = random.Random(11)
    make.shop()
    names = [f"c{n}" for n in range(14)]
    for name in names:
        make.customer(name)
    TOLD["list"]["value"] = str(listing.add("VIP", names[:2], now=NOW).static_list.uuid)
    CustomTrait.objects.create(
        name="views", label="Views", kind="number", event="Product Viewed", aggregate="count",
        created_at=NOW,
    )  # fmt: skip
    segments = [segmentation.create(name, all_of(one), now=NOW) for name, one in TOLD.items()]
    for segment in segments:
        membership.refresh(segment, now=NOW)
    featuring.build_traits(NOW)
    now, n_moved = NOW, 0

    for _turn in range(12):
        now += timedelta(minutes=40)
        for name in dice.sample(names, 3):
            something_changes(dice, client, name, now)
        featuring.build_traits(now)
        changes.take_for_segments()
        changed = changes.for_segments()
        for segment in Segment.objects.all():
            moved = membership.refresh_changed(segment, now=now, changed=changed)
            n_moved += moved.n_entered + moved.n_left
        changes.done_for_segments()

        for segment in segments:
            found = segmentation.members(segment.rule, now)
            assert inside(segment) == set(found.values_list("external_id", flat=True))
    assert n_moved > 20


def something_changes(dice: random.Random, client: Client, name: str, now: datetime) -> None:
    who = Customer.objects.get(external_id=name)
    city, year = dice.choice(["Rome", "Paris", ""]), dice.choice([1950, 1995, 2002])
    match dice.randrange(7):
        case 0:
            facts = {"city": city, "email": f"{name}@example.com" if dice.random() < 0.5 else None}
            enrolling.put(name, facts, now=now)
        case 1:
            enrolling.put_many([(name, {"birth_date": date(year, 1, 1)})], now=now)
        case 2:
            told = identify(name) | {"traits": {"city": city or "Oslo", "birth_year": year}}
            post(client, told, key=make.secret_key())
            merge()
        case 3:
            state = dice.choice(["given", "withdrawn"])
            consent.record(
                who.subject, "campaign.email", "email", state, wording="Yes", source="test",
                happened_at=now, now=now,
            )  # fmt: skip
        case 4:
            listing.add("VIP", [name], now=now)
        case 5:
            row = customer_rows.CustomerRow(external_id=name, city=city or "Bern")
            customer_rows.insert([row], now=now)
        case _:
            Event.objects.create(
                source=make.source(), message_id=f"v{Event.objects.count()}", kind="track",
                name="Product Viewed", customer=who, happened_at=now - timedelta(minutes=5),
                received_at=now,
            )  # fmt: skip
            changes.mark([who.pk])


def test_a_refresh_of_the_changed_does_not_look_at_the_rest() -> None:
    ann, bo = make.customer("ann"), make.customer("bo")
    segment = segmentation.create("Romans", all_of(rule("city", "=", "Rome")), now=NOW)
    membership.refresh(segment, now=NOW)
    Customer.objects.update(city="Rome")

    later = NOW + timedelta(hours=1)
    membership.refresh_changed(segment, now=later, changed={ann.pk})
    assert inside(segment) == {"ann"}
    membership.refresh_changed(segment, now=NOW + DAY, changed=set())
    assert inside(segment) == {"ann", bo.external_id}


def test_a_count_that_takes_too_long_is_ended() -> None:
    slow = (
        "SELECT pg_sleep(30)"
        if connection.vendor == "postgresql"
        else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900000000)"
        " SELECT count(*) FROM n"
    )
    began = time.monotonic()

    with (
        pytest.raises(counting.TooLongError),
        counting.at_most(timedelta(milliseconds=50)),
        connection.cursor() as cursor,
    ):
        cursor.execute(slow)

    assert time.monotonic() - began < 15
    assert counting.size(segment_rules.checked(all_of()), NOW).n_customers == 0
