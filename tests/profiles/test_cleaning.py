"""What no person did is marked, kept, and left out of traits; real money never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jobs import running
from jobs.models import Job
from profiles import asking, cleaning
from profiles.models import CleaningState, CustomerTraits, Event, Order
from profiles.orders import ordering
from profiles.orders.statements import LineState, OrderState
from profiles.traits import featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"
ROBOT = (
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1;"
    " +http://www.google.com/bot.html) Chrome/120.0 Safari/537.36"
)


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


def clean() -> dict[str, Any]:
    asking.ask_for_cleaning(NOW)
    job = Job.objects.filter(kind=asking.CLEAN, state=Job.State.QUEUED).latest("pk")
    done = running.run(job.pk, clock=lambda: NOW)
    assert done is not None
    assert done.state == Job.State.DONE
    return cleaning.counts()


def events(n: int, *, agent: str = BROWSER, seconds: float = 1, **columns: Any) -> None:
    first = Event.objects.count()
    Event.objects.bulk_create(
        Event(
            source=make.source(),
            message_id=f"m{first + at}",
            kind="track",
            name="Product Viewed",
            context={"userAgent": agent},
            happened_at=NOW - timedelta(days=1) + timedelta(seconds=at * seconds),
            received_at=NOW,
            **({"anonymous_id": "a-1"} | columns),
        )
        for at in range(n)
    )


def test_events_of_programs_are_marked_and_those_of_browsers_are_not() -> None:
    events(2, agent=ROBOT)
    events(3)

    assert clean()["events:bot"] == 2
    assert Event.objects.filter(quality="").count() == 3


def test_more_than_a_person_can_do_in_a_minute_is_marked_for_that_visitor_only() -> None:
    events(cleaning.EVENTS_A_MINUTE + 1, seconds=0.1, anonymous_id="fast")
    events(cleaning.EVENTS_A_MINUTE, seconds=0.1, anonymous_id="slower")

    clean()

    marked = Event.objects.filter(quality="impossible").values_list("anonymous_id", flat=True)
    assert set(marked) == {"fast"}
    assert len(marked) == cleaning.EVENTS_A_MINUTE + 1


def test_a_burst_on_the_seam_of_two_steps_is_seen_whole() -> None:
    events(200, seconds=0.1)
    clean()
    events(200, seconds=0.1)

    assert clean()["events:impossible"] == 400


def test_events_are_looked_at_once() -> None:
    events(3)
    clean()
    Event.objects.update(context={"userAgent": ROBOT})

    assert clean()["events:bot"] == 0
    assert CleaningState.objects.get(name="events").last_id == Event.objects.latest("pk").pk


@pytest.mark.parametrize(
    ("columns", "items", "mark"),
    [
        ({"number": "TEST-17"}, [("tv", "", 1, 100)], "test"),
        ({"coupon": "test10"}, [("tv", "", 1, 100)], "test"),
        ({}, [("TEST001", "", 1, 100), ("test-2", "", 1, 100)], "test"),
        ({}, [("TEST001", "", 1, 100), ("tv", "", 1, 100)], ""),
        ({"number": "CONTEST-1"}, [("tv", "", 1, 100)], ""),
        ({}, [("tv", "", cleaning.MOST_UNITS + 1, 100)], "impossible"),
    ],
)
def test_orders_of_a_test_and_of_impossible_quantity_are_marked(
    columns: dict[str, Any], items: list[tuple[str, str, int, int]], mark: str
) -> None:
    order = make.order(make.customer(), *items, **columns)

    clean()

    order.refresh_from_db()
    assert order.quality == mark


def test_an_order_far_from_the_usual_is_marked_and_still_counted() -> None:
    for n in range(cleaning.FEWEST_ORDERS):
        make.order(None, ("tv", "", 1, 9_000 + 20 * n))
    ann = make.customer()
    far = make.order(ann, ("tv", "", 1, 90_000_000), days_ago=1)

    clean()
    featuring.build_traits(NOW)

    far.refresh_from_db()
    assert far.quality == "outlier"
    assert Order.objects.exclude(quality="").count() == 1
    assert CustomerTraits.objects.get().revenue_minor == 90_000_000


def test_what_is_marked_leaves_the_traits_at_the_next_build() -> None:
    ann = make.customer()
    order = make.order(ann, ("tv", "", 1, 5_000), days_ago=2)
    events(4, customer=ann, agent=ROBOT)
    featuring.build_traits(NOW)
    assert (CustomerTraits.objects.get().n_orders, CustomerTraits.objects.get().n_views) == (1, 4)
    Order.objects.filter(pk=order.pk).update(number="TEST-1", is_unclean=True)

    clean()
    featuring.build_traits(NOW)

    assert (CustomerTraits.objects.get().n_orders, CustomerTraits.objects.get().n_views) == (0, 0)


def test_a_mark_goes_when_an_order_no_longer_deserves_it() -> None:
    guests = statement("")
    for state in (statement("C-1"), guests):
        ordering.upsert([state], source_id=make.source().pk, now=NOW)
    clean()
    assert set(Order.objects.values_list("quality", flat=True)) == {"test"}

    later = [replace(one, coupon="SPRING", stated_at=NOW) for one in (statement("C-1"), guests)]
    ordering.upsert(later, source_id=make.source().pk, now=NOW)
    clean()

    assert set(Order.objects.values_list("quality", flat=True)) == {""}


def statement(customer: str) -> OrderState:
    earlier = NOW - timedelta(days=1)
    return OrderState(
        number=f"of {customer}",
        stated_at=earlier,
        placed_at=earlier,
        currency="EUR",
        lines=(LineState("tv", 1, 5_000),),
        customer_id=customer,
        coupon="TEST",
    )


def test_an_order_is_looked_at_again_only_if_it_changed() -> None:
    make.order(make.customer(), ("tv", "", 1, 5_000))
    clean()
    Order.objects.update(coupon="TEST")  # behind everybody's back

    clean()
    assert Order.objects.get().quality == ""

    Order.objects.update(is_unclean=True)
    clean()
    assert Order.objects.get().quality == "test"
