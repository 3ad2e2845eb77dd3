"""A customer's pages: one timeline of everything, every trait in words, segments with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from privacy.models import ConsentEntry, PrivacyRequest, Topic
from profiles import membership, segmentation, timeline, told_traits
from profiles.features.vocabulary import TRAITS
from profiles.models import Customer, Event, OrderLine, ProductFact
from profiles.timeline import Place
from profiles.traits import featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def at_least(n: int) -> dict[str, Any]:
    condition = {"field": "n_orders", "operator": ">=", "value": n}
    return {"combinator": "and", "rules": [condition]}


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    return client


def event(of: Customer, name: str, at: datetime) -> Event:
    return Event.objects.create(
        source=make.source(), message_id=f"{name}-{at.timestamp()}", kind="track", name=name,
        customer=of, happened_at=at, received_at=at,
    )  # fmt: skip


def request(of: Customer, at: datetime) -> PrivacyRequest:
    return PrivacyRequest.objects.create(
        subject=make.subject(), about=of.subject, kind="access", law="gdpr", language="en",
        state="open", created_at=at, confirmed_at=at, due_at=at + timedelta(days=30),
    )  # fmt: skip


def consented(of: Customer, at: datetime) -> ConsentEntry:
    return ConsentEntry.objects.create(
        subject=of.subject, purpose="campaign.email", channel="email", state="given",
        wording="Yes", source="checkout", happened_at=at, recorded_at=at,
    )  # fmt: skip


def lived(days: int = 1) -> Customer:
    """A customer of whom something of each kind is known, the kinds interleaved."""
    customer = make.customer("ann", email="ann@example.com")
    campaign = make.campaign()
    for n in range(days):
        at = NOW - timedelta(days=n + 1)
        event(customer, "Product Viewed", at + timedelta(hours=1))
        order = make.order(customer, ("tv", "TV", 1, 49_900), at=at + timedelta(hours=2))
        make.refund(order.lines.get(), amount_minor=100, at=at + timedelta(hours=3))
        consented(customer, at + timedelta(hours=4))
        request(customer, at + timedelta(hours=5))
    make.delivery(campaign, customer, sent_at=NOW - timedelta(minutes=1))
    return customer


def every_page(customer: Customer, size: int) -> Iterator[timeline.Page]:
    before = None
    while True:
        yield (page := timeline.page(customer, before=before, size=size))
        if not page.older:
            return
        before = Place.read(page.older)


def test_everything_stands_in_one_list_newest_first() -> None:
    customer = lived()

    entries = timeline.page(customer).entries

    kinds = [entry.place.kind for entry in entries]
    assert kinds == ["message", "request", "consent", "refund", "order", "event"]
    assert [entry.told.title for entry in entries][-3:] == [
        "€1.00",
        "o1, €499.00, Fulfilled",
        "Looked at a product",
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_pages_of_any_size_give_every_entry_once_and_in_the_same_order(size: int) -> None:
    customer = lived(days=3)
    for n in range(4):  # at one moment, of two kinds
        event(customer, f"Same {n}", NOW - timedelta(days=1))
        consented(customer, NOW - timedelta(days=1)) if n == 0 else None

    pages = list(every_page(customer, size))

    told = [entry for page in pages for entry in page.entries]
    assert told == list(timeline.page(customer, size=1_000).entries)
    assert len({entry.place for entry in told}) == len(told) == 21
    assert all(len(page.entries) == size for page in pages[:-1])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Given: Offers and sales, E-mail"),
        ("zh-hans", "已同意：优惠与促销，电子邮件"),
    ],
)
def test_a_topic_stands_there_by_its_title_in_the_readers_language(
    language: str, words: str
) -> None:
    Topic.objects.create(key="offers", titles={"en": "Offers and sales", "zh-hans": "优惠与促销"})
    customer = make.customer()
    for purpose in ("topic.offers", "topic.gone"):
        ConsentEntry.objects.create(
            subject=customer.subject, purpose=purpose, channel="email", state="given",
            wording="Yes", source="preferences", happened_at=NOW, recorded_at=NOW,
        )  # fmt: skip

    with translation.override(language):
        told = [entry.told.title for entry in timeline.page(customer).entries]

    assert told[1] == words
    assert "topic.gone" in told[0]


def test_an_order_stands_there_once_though_an_event_told_of_it() -> None:
    customer = make.customer()
    make.order(customer, ("tv", "TV", 1, 100), days_ago=1)
    event(customer, "Order Completed", NOW - timedelta(days=1))

    assert [entry.place.kind for entry in timeline.page(customer).entries] == ["order"]


@pytest.mark.parametrize(
    "text", ["", "x", "2026-03-02~event~1", "2026-03-02T00:00:00+00:00~event~x"]
)
def test_a_place_that_cannot_be_read_is_none(text: str) -> None:
    assert Place.read(text) is None


def test_another_customers_rows_never_show() -> None:
    lived()
    other = make.customer("bob")

    assert timeline.page(other).entries == ()


def test_the_timeline_asks_no_more_for_many_rows_than_for_few(staff: Client) -> None:
    customer = lived()
    url = f"/admin/profiles/customer/{customer.pk}/timeline/"
    staff.get(url)
    with CaptureQueriesContext(connection) as few:
        staff.get(url)
    for n in range(40):
        order = make.order(customer, ("tv", "TV", 1, 100), days_ago=n + 2)
        event(customer, "Product Viewed", order.placed_at)
    with CaptureQueriesContext(connection) as many:
        shown = staff.get(url).content.decode()

    assert len(many) == len(few)
    assert shown.count("Looked at a product") > 10


def test_the_timeline_calls_products_by_their_title() -> None:
    ann = make.customer("ann")
    make.order(make.customer("bo"), ("tv", "TV", 1, 100), days_ago=5)
    OrderLine.objects.filter(product_id="tv").update(title="Wide television")
    ProductFact.objects.create(product_id="mic", title="Round microphone")
    for product in ("tv", "mic", "cable"):
        seen = event(ann, "Product Viewed", NOW - timedelta(hours=len(product)))
        Event.objects.filter(pk=seen.pk).update(product_id=product)

    shown = [entry.told.detail for entry in timeline.page(ann, kinds=["event"]).entries]

    assert shown == ["Wide television", "Round microphone", "cable"]


def test_the_timeline_tells_what_a_name_means_and_what_cleaning_marked() -> None:
    ann = make.customer("ann")
    make.order(ann, ("tv", "TV", 1, 100), days_ago=5)
    type(ann.orders.get()).objects.update(quality="test")
    event(ann, "Cart Viewed", NOW - timedelta(hours=1))
    Event.objects.update(quality="bot")
    event(ann, "Shelf Turned", NOW - timedelta(hours=2))

    with translation.override("zh-hans"):
        seen, turned, order = (entry.told for entry in timeline.page(ann).entries)

    assert (seen.title, seen.detail) == ("查看了购物车", "程序，非真人")
    assert (turned.title, turned.detail) == ("Shelf Turned", "")
    assert order.detail.endswith(" · 测试")


def test_one_kind_can_be_looked_at_alone(staff: Client) -> None:
    customer = lived()

    shown = staff.get(f"/admin/profiles/customer/{customer.pk}/timeline/", {"kind": "consent"})

    assert [entry.place.kind for entry in shown.context["page"].entries] == ["consent"]


def test_every_trait_is_told_with_its_meaning_and_those_not_known_last() -> None:
    customer = make.customer()
    make.order(customer, ("tv", "TV", 1, 49_900), days_ago=12.5)
    featuring.build_traits(NOW)

    groups = told_traits.of_customer(customer, NOW, currency="EUR", language="en")

    told = {trait.name: trait for group in groups for trait in group.traits}
    assert set(told) == {trait.name for trait in TRAITS}
    assert told["recency_days"].text == "12 days"
    assert told["revenue_minor"].text == "€499.00"
    assert told["discount_share"].text == "0%"
    assert told["order_gap_days"].text == ""
    assert all(trait.meaning for trait in told.values())
    known = [bool(trait.text) for trait in groups[0].traits]
    assert known == sorted(known, reverse=True)


def test_an_overdue_order_is_told_as_overdue() -> None:
    customer = make.customer()
    make.order(customer, ("tv", "TV", 1, 100), days_ago=50)
    make.order(customer, ("tv", "TV", 1, 100), days_ago=40)
    featuring.build_traits(NOW)

    with translation.override("en"):
        (told,) = (
            trait.text
            for group in told_traits.of_customer(customer, NOW, currency="EUR", language="en")
            for trait in group.traits
            if trait.name == "next_order_days"
        )

    assert told == "30 days overdue"


def test_segments_are_shown_with_their_rules_and_reasons(staff: Client) -> None:
    customer = make.customer()
    make.order(customer, ("tv", "TV", 1, 100), days_ago=1)
    featuring.build_traits(NOW)
    ours = segmentation.create("Buyers", at_least(1), now=NOW)
    other = segmentation.create("Regulars", at_least(5), now=NOW)
    membership.refresh_all(NOW)
    base = f"/admin/profiles/customer/{customer.pk}/"

    shown = staff.get(f"{base}segments/")
    why = staff.get(f"{base}segments/{ours.pk}/").content.decode()
    why_not = staff.get(f"{base}segments/{other.pk}/").content.decode()

    assert [row[0].name for row in shown.context["rows_in"]] == ["Buyers"]
    assert [row[0].name for row in shown.context["rows_out"]] == ["Regulars"]
    assert "In it now" in why
    assert "here: 1" in why
    assert "Not in it now" in why_not
    assert "Buyers" in staff.get(f"{base}change/").content.decode()


def test_a_segment_whose_rule_cannot_be_read_says_so(staff: Client) -> None:
    customer, segment = make.customer(), segmentation.create("Buyers", at_least(1), now=NOW)
    type(segment).objects.update(rule={"rules": [{"field": "gone"}]})

    shown = staff.get(f"/admin/profiles/customer/{customer.pk}/segments/{segment.pk}/")

    assert shown.status_code == 200
    assert "gone" in shown.content.decode()


def test_the_page_shows_what_the_person_asked(staff: Client) -> None:
    customer = make.customer()
    request(customer, NOW)

    shown = staff.get(f"/admin/profiles/customer/{customer.pk}/change/").content.decode()

    assert "A copy of the data" in shown
    assert "2026-04-01" in shown


def test_the_page_names_consents_and_tells_of_each_order_what_became_of_it(staff: Client) -> None:
    customer = make.customer()
    topic = Topic.objects.create(key="deals", titles={"en": "Deals of the week"})
    make.consent(customer)
    make.consent(customer, purpose=topic.ledger_name)
    order = make.order(customer, ("tv", "TV", 1, 100))
    type(order).objects.update(status="cancelled", quality="test")

    shown = staff.get(f"/admin/profiles/customer/{customer.pk}/change/").content.decode()

    assert "<td>E-mail campaigns</td>" in shown
    assert "<td>Deals of the week</td>" in shown
    assert '<span class="c-chip is-warn">Test</span>' in shown
    assert '<td class="is-short">Cancelled</td>' in shown


@pytest.mark.parametrize("tab", ["timeline", "traits", "segments"])
def test_the_pages_are_closed_to_strangers(client: Client, tab: str) -> None:
    customer = make.customer()

    assert client.get(f"/admin/profiles/customer/{customer.pk}/{tab}/").status_code == 302
