"""What no person did is marked, kept, and left out of traits; real money never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jobs import running
from jobs.models import Job
from profiles import asking, cleaning, quality
from profiles.models import (
    CleaningState,
    CustomerTraits,
    Event,
    Order,
    Refund,
    ToldRefund,
)
from profiles.models.quality import Quality
from profiles.orders import ordering
from profiles.orders.statements import LineState, OrderState, RefundState
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


def refund(amount: int | None, key: str = "r1", product: str = "") -> RefundState:
    return RefundState(key=key, refunded_at=NOW, amount_minor=amount, product_id=product)


def sale(*refunds: RefundState, quantity: int = 1, **facts: Any) -> Order:
    """An order of two things for 190.00 in all, as the API states it."""
    lines = (LineState("tv", quantity, 15_000), LineState("cable", quantity, 4_000))
    usual: dict[str, Any] = {"placed_at": NOW, "currency": "EUR", "customer_id": "ann"}
    state = OrderState(
        number="1", lines=lines, refunds=refunds, **({"stated_at": NOW} | usual | facts)
    )
    return ordering.upsert([state], source_id=make.source().pk, now=NOW)[0]


@pytest.mark.parametrize(
    ("amount", "tax", "mark"),
    [(505_000, 0, "refunded"), (19_001, 0, "refunded"), (19_000, 0, ""), (22_800, 3_800, "")],
    ids=["a slip", "a cent", "all of it", "with its tax"],
)
def test_what_is_refunded_beyond_what_was_paid_is_kept_marked_and_worth_nothing(
    amount: int, tax: int, mark: str
) -> None:
    sale(refund(amount), tax_minor=tax)

    clean()

    order = Order.objects.get()
    assert (order.quality, order.refunded_minor) == (mark, 19_000)
    assert ToldRefund.objects.get().amount_minor == amount
    assert sum(Refund.objects.values_list("amount_minor", flat=True)) == amount
    assert {one.customer for one in Refund.objects.all()} == {order.customer}
    featuring.build_traits(NOW + timedelta(days=1))
    traits = CustomerTraits.objects.get()
    assert (traits.revenue_minor, traits.refund_share, traits.n_orders) == (0, 1.0, 1)
    assert [one.number for one in quality.marked_orders()] == (["1"] if mark else [])
    assert (str(Quality.REFUNDED.label), 0, int(bool(mark)), True) in quality.marks()


def test_a_refund_of_one_thing_takes_no_more_than_is_left_of_the_order() -> None:
    sale(refund(17_000, "r1", "tv"), refund(1_000, "r2"), refund(9_000, "r3", "cable"))

    clean()

    order = Order.objects.get()
    assert (order.refunded_minor, order.quality) == (19_000, "refunded")
    beyond = Refund.objects.get(line=None)
    assert (beyond.amount_minor, beyond.refund_key, beyond.quantity) == (8_000, "r3", 0)


def test_the_mark_goes_and_the_money_counts_when_the_order_is_told_anew() -> None:
    sale(refund(30_000))
    clean()
    assert Order.objects.get().quality == "refunded"

    sale(quantity=2, stated_at=NOW + timedelta(hours=1))
    clean()

    order = Order.objects.get()
    assert (order.quality, order.total_minor, order.refunded_minor) == ("", 38_000, 30_000)
    assert not Refund.objects.filter(line=None).exists()


@pytest.mark.parametrize("customer", ["bob", ""])
def test_what_is_beyond_goes_with_the_order_to_another_customer(customer: str) -> None:
    ordering.add_refunds([("1", refund(30_000))], source_id=make.source().pk, channel="api")
    sale(customer_id=customer)
    sale(customer_id="ann", stated_at=NOW + timedelta(hours=1))

    whose = Refund.objects.values_list("customer__external_id", "amount_minor")
    assert sorted(whose, key=str) == [("ann", 11_000), ("ann", 15_000), ("ann", 4_000)]


def test_a_refund_that_comes_after_cleaning_is_looked_at() -> None:
    sale()
    clean()

    ordering.add_refunds([("1", refund(30_000))], source_id=make.source().pk, channel="event")
    clean()

    assert Order.objects.get().quality == "refunded"


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
