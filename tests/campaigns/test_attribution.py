"""Attribution: which orders count, for how much, and that counting again converges."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from campaigns import asking
from campaigns.attribution import Attributed, attribute, unsettled, window
from campaigns.models import Campaign, Conversion
from campaigns.tasks import attribute_hourly
from jobs import running
from jobs.models import Job
from profiles.models import Order, OrderLine
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=60)


@pytest.fixture
def campaign() -> Campaign:
    make.shop(margin_rate="0.3000")
    return make.campaign(attribution_days=30)


def bought(customer: Any, *, days: float = 1, minor: int = 1000, **columns: Any) -> Order:
    return make.order(customer, ("p1", "Audio", 1, minor), at=NOW + timedelta(days=days), **columns)


def counted() -> list[tuple[str, int, int]]:
    rows = Conversion.objects.order_by("order__number")
    return list(rows.values_list("order__number", "net_minor", "margin_minor"))


@pytest.mark.parametrize("arm", ["A", "holdout"])
def test_an_order_within_the_window_counts_in_every_arm(campaign: Campaign, arm: str) -> None:
    buyer = make.customer()
    place = make.delivery(campaign, buyer, arm)
    order = bought(buyer)

    assert attribute(campaign, LATER) == Attributed(1, 0, 0)

    conversion = Conversion.objects.get()
    assert (conversion.delivery, conversion.order) == (place, order)
    assert (conversion.net_minor, conversion.margin_minor) == (1000, 300)
    assert conversion.ordered_at == order.placed_at


@pytest.mark.parametrize(
    ("days", "counts"), [(-0.0001, False), (0, True), (29.9999, True), (30, False)]
)
def test_the_window_holds_its_first_moment_and_not_its_last(
    campaign: Campaign, days: float, *, counts: bool
) -> None:
    buyer = make.customer()
    make.delivery(campaign, buyer)
    bought(buyer, days=days)

    attribute(campaign, LATER)

    assert Conversion.objects.exists() == counts


def test_the_window_opens_with_a_later_start() -> None:
    campaign = make.campaign(starts_at=NOW + timedelta(days=2), attribution_days=5)

    period = window(campaign)

    assert period is not None
    assert (period.opens, period.closes) == (NOW + timedelta(days=2), NOW + timedelta(days=7))


def test_a_message_sent_late_has_the_same_window_as_the_holdout(campaign: Campaign) -> None:
    late, held_out = make.customer(), make.customer()
    make.delivery(campaign, late, sent_at=NOW + timedelta(days=3))
    make.delivery(campaign, held_out, "holdout")
    bought(late, days=1)
    bought(held_out, days=1)

    assert attribute(campaign, LATER).n_written == 2


def test_orders_after_now_do_not_count_yet(campaign: Campaign) -> None:
    buyer = make.customer()
    make.delivery(campaign, buyer)
    bought(buyer, days=5)

    assert attribute(campaign, NOW + timedelta(days=4)).n_written == 0
    assert attribute(campaign, NOW + timedelta(days=5)).n_written == 1


def test_only_the_campaigns_customers_count(campaign: Campaign) -> None:
    other = make.campaign("Other")
    make.delivery(other, outsider := make.customer())
    bought(outsider)
    bought(None)

    assert attribute(campaign, LATER).n_written == 0


def test_counting_again_changes_nothing(campaign: Campaign) -> None:
    make.delivery(campaign, buyer := make.customer())
    bought(buyer)
    attribute(campaign, LATER)
    before = list(Conversion.objects.values())

    assert attribute(campaign, LATER) == Attributed(0, 0, 0)
    assert list(Conversion.objects.values()) == before


def test_a_late_refund_lowers_what_was_counted(campaign: Campaign) -> None:
    make.delivery(campaign, buyer := make.customer())
    order = bought(buyer)
    attribute(campaign, LATER)

    Order.objects.filter(pk=order.pk).update(refunded_minor=400)

    assert attribute(campaign, LATER) == Attributed(1, 0, 0)
    assert counted() == [(order.number, 600, 180)]


def test_a_cancelled_order_is_taken_away(campaign: Campaign) -> None:
    make.delivery(campaign, buyer := make.customer())
    bought(buyer)
    attribute(campaign, LATER)

    Order.objects.update(status=Order.Status.CANCELLED)

    assert attribute(campaign, LATER) == Attributed(0, 1, 0)
    assert counted() == []


def test_an_order_that_moves_to_another_member_moves_its_conversion(campaign: Campaign) -> None:
    one, other = make.customer(), make.customer()
    make.delivery(campaign, one)
    place = make.delivery(campaign, other, "B")
    order = bought(one)
    attribute(campaign, LATER)

    Order.objects.filter(pk=order.pk).update(customer=other)
    attribute(campaign, LATER)

    assert Conversion.objects.get().delivery == place


def test_another_currency_is_left_out_and_counted(campaign: Campaign) -> None:
    make.delivery(campaign, buyer := make.customer())
    bought(buyer, currency="USD")

    assert attribute(campaign, LATER) == Attributed(0, 0, 1)


def test_margin_takes_known_costs_and_the_shops_rate_for_the_rest(campaign: Campaign) -> None:
    make.delivery(campaign, buyer := make.customer())
    make.product("known", cost_minor=600)
    order = make.order(
        buyer, ("known", "Audio", 3, 1000), ("p1", "Audio", 1, 500), at=NOW + timedelta(days=1)
    )
    # One of the three comes back: its price and its cost leave again.
    line = OrderLine.objects.filter(order=order, product_id="known")
    line.update(refunded_quantity=1, refunded_minor=1000)
    Order.objects.filter(pk=order.pk).update(refunded_minor=1000)

    attribute(campaign, LATER)

    # (2 x 1000 - 2 x 600) + 30 % of 500.
    assert counted() == [(order.number, 2500, 950)]


def test_a_campaign_without_a_plan_counts_nothing() -> None:
    make.shop()
    draft = make.campaign(status=Campaign.Status.DRAFT, planned_at=None)

    assert attribute(draft, LATER) == Attributed(0, 0, 0)


def test_a_hundred_buyers_take_as_many_queries_as_three(
    campaign: Campaign, django_assert_num_queries: Any
) -> None:
    for n in range(100):
        if n == 3:
            with django_assert_num_queries(6):
                attribute(campaign, LATER)
        make.delivery(campaign, buyer := make.customer(f"n{n}"))
        bought(buyer, number=f"n{n}")
    with django_assert_num_queries(6):
        attribute(campaign, LATER)


def test_the_hourly_job_counts_what_can_still_change_and_only_once(campaign: Campaign) -> None:
    make.delivery(campaign, buyer := make.customer())
    bought(buyer)
    long_ago = make.campaign("Long ago", planned_at=NOW - timedelta(days=91))
    make.delivery(long_ago, buyer)
    make.order(buyer, ("p1", "Audio", 1, 100), days_ago=85, number="long ago")

    for _again in range(2):
        attribute_hourly()
    job = Job.objects.get()
    later = NOW + timedelta(days=2)
    Job.objects.filter(pk=job.pk).update(not_before=NOW)
    running.run(job.pk, clock=lambda: later)

    job.refresh_from_db()
    assert (job.state, job.result) == (Job.State.DONE, {"n_campaigns": 1})
    assert Conversion.objects.get().delivery.campaign == campaign


def test_the_orders_of_one_campaign_are_counted_when_asked_for_and_by_one_job(
    campaign: Campaign,
) -> None:
    other = make.campaign("Other", planned_at=NOW)
    buyer = make.customer()
    make.delivery(campaign, buyer)
    make.delivery(other, buyer)
    bought(buyer)

    job = asking.ask_for_count(NOW, campaign=campaign.pk)
    assert asking.ask_for_count(NOW, campaign=campaign.pk) == job
    assert asking.ask_for_count(NOW) != job
    running.run(job.pk, clock=lambda: NOW + timedelta(days=2))

    assert Conversion.objects.get().delivery.campaign == campaign


def test_counts_can_change_until_sixty_days_after_the_window(campaign: Campaign) -> None:
    last = NOW + timedelta(days=30 + 60)

    assert unsettled(last - timedelta(seconds=1)) == [campaign]
    assert unsettled(last) == []
