"""Recommended products of messages: by the placement's rules, noted by position, clicks told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns import delivery, picking, tracking
from campaigns.composing import Composer, click_url
from campaigns.models import Campaign, Delivery, Hit, Impression, Link
from privacy.models import Subject
from profiles.events import merging
from profiles.models import Customer, Event
from recommendations.explaining import Reason
from recommendations.models import Offer, Product, Scenario, TrainingRun
from tests import make
from tests.campaigns.sending import Tray, body, launched
from tests.make import NOW
from tests.recommendations import listed

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"
LIST = (
    "<body>{% for item in recommendations %}"
    '<p>{{ item.title }}, {{ item.reason }}: <a href="{{ item.link }}">Look</a></p>{% endfor %}'
    '<a href="{{ unsubscribe_url }}">Stop</a></body>'
)


@pytest.fixture
def run() -> TrainingRun:
    """A serving run to which P, Q, R, S and T are popular, in this order."""
    made = TrainingRun.objects.create(
        engine="blend", as_of=NOW, n_customers=1, n_products=1, n_interactions=1, cpu_seconds=1,
        peak_rss_mb=1, is_active=True, verdict=TrainingRun.Verdict.BEATS_POPULAR, created_at=NOW,
        finished_at=NOW, activated_at=NOW,
    )  # fmt: skip
    for id_ in "PQRST":
        make.product(id_, f"Title {id_}", link=f"https://shop.test/p?id={id_}&from=mail")
    listed.product(made, "", [[id_, 1.0, Reason.POPULAR_NOW, []] for id_ in "PQRST"])
    return made


def sent(**options: Any) -> Campaign:
    """A campaign whose messages show products and are on their way."""
    made = launched(**{"body": LIST, **options})
    delivery.send_due(NOW, channel=Tray())
    return made


@pytest.mark.usefixtures("run")
def test_a_product_costs_and_is_bought_what_and_where_it_is_in_the_readers_country() -> None:
    for at, country in (("ann", "CH"), ("ben", "FR"), ("eve", "")):
        make.reader(at, country=country)
    Offer.objects.create(
        product=Product.objects.get(product_id="P"), country="CH", currency="CHF",
        price_minor=4_900, link="https://shop.test/ch/p",
    )  # fmt: skip
    campaign, tray = launched(body=LIST.replace("{{ item.reason }}", "{{ item.price }}")), Tray()

    delivery.send_due(NOW, channel=tray)

    read = {message.recipient.partition("@")[0]: body(message) for message in tray.taken}
    assert "49.00" in read["ann"]
    assert "CHF" in read["ann"]
    assert "19.99" in read["ann"]  # what has no offer there costs what the shop says
    assert "CHF" not in read["ben"] + read["eve"]
    market = Link.objects.get(campaign=campaign, url__startswith="https://shop.test/ch/p")
    first = {
        row.delivery.customer.external_id: row.items[0]
        for row in Impression.objects.select_related("delivery__customer")
    }
    assert first["ann"] == ["P", market.pk]
    assert first["ben"][0] == "P"
    assert first["ben"][1] != market.pk


@pytest.mark.usefixtures("run")
def test_what_is_sold_out_in_the_readers_country_is_left_out_there_alone() -> None:
    for at, country in (("ann", "CH"), ("ben", "FR"), ("eve", "")):
        make.reader(at, country=country)
    for id_, stock in (("P", 0), ("Q", 3)):
        Offer.objects.create(
            product=Product.objects.get(product_id=id_), country="CH", currency="CHF", stock=stock
        )
    Product.objects.filter(product_id="Q").update(stock=0)  # but there is some in Switzerland

    sent()

    assert shown_to("ann") == ["Q", "R", "S", "T"]
    assert shown_to("ben") == shown_to("eve") == ["P", "R", "S", "T"]
    ann = Customer.objects.get(external_id="ann")
    assert [one.product_id for one in picking.sample(ann, "en", NOW).items] == shown_to("ann")


def shown_to(external_id: str) -> list[str]:
    row = Impression.objects.get(delivery__customer__external_id=external_id)
    return [product for product, _link in row.items]


def follow(impression: Impression, position: int, seconds: float = 0) -> None:
    link = Link.objects.get(pk=impression.items[position - 1][1])
    token = click_url(impression.delivery.token or "", link.pk).rpartition("/")[2]
    tracking.clicked(token, tracking.Visit("GET", BROWSER), LATER + timedelta(seconds=seconds))


def test_a_message_shows_the_readers_own_list_by_the_rules_of_its_placement(
    run: TrainingRun,
) -> None:
    ann = make.reader("ann")
    make.product("own", "Mine", stock=3)
    make.product("gone", "Sold out", stock=0)
    own = [[id_, 3.0 - n, Reason.BOUGHT, ["P"]] for n, id_ in enumerate(("own", "gone", "T"))]
    listed.customer(run, ann, own)
    make.order(ann, ("Q", "", 1, 100), days_ago=9)
    refusing = make.reader("ben")
    listed.customer(run, refusing, own)
    Subject.objects.filter(uuid=refusing.subject_id).update(no_profiling=True)
    Scenario.objects.create(
        placement="letter", name="L", kind=Scenario.Kind.EMAIL, never_shown=["R"], diversity=0
    )

    sent()

    assert shown_to("ann") == ["own", "T", "P", "S"]
    unknown = picking.sample(refusing, "en", NOW)
    assert [item.product_id for item in unknown.items] == ["P", "Q", "S", "T"]
    assert set(Impression.objects.values_list("placement", "run")) == {("letter", run.pk)}


def test_without_a_placement_of_the_shop_the_usual_rules_hold(run: TrainingRun) -> None:
    make.reader("ann")
    Product.objects.filter(product_id="P").update(stock=0)
    Scenario.objects.create(
        placement="off", name="Off", kind=Scenario.Kind.EMAIL, pinned=["T"], is_active=False
    )

    sent()

    assert shown_to("ann") == ["Q", "R", "S", "T"]
    assert Impression.objects.get().placement == "email"
    assert run.is_active


@pytest.mark.usefixtures("run")
def test_the_preview_shows_what_the_message_will() -> None:
    ann = make.reader("ann")
    campaign = make.written_campaign(body=LIST)
    composer = Composer(campaign, now=NOW)

    picks = composer.sample_picks(ann, "en")

    assert [pick.product_id for pick in picks] == ["P", "Q", "R", "S"]
    assert picks == composer.sample_picks(None, "en")


@pytest.mark.usefixtures("run")
def test_a_product_that_the_template_leaves_out_is_not_noted() -> None:
    make.reader("ann")

    sent(body=LIST.replace("in recommendations", "in recommendations limit: 2"))

    assert shown_to("ann") == ["P", "Q"]


@pytest.mark.usefixtures("run")
def test_a_message_without_products_notes_none() -> None:
    make.reader("ann")

    sent(body=make.MESSAGE)

    assert not Impression.objects.exists()


@pytest.mark.usefixtures("run")
def test_a_message_composed_anew_is_noted_anew() -> None:
    make.reader("ann")
    campaign = launched(body=LIST)
    rows = list(Delivery.objects.select_related("campaign"))
    composer = Composer(campaign, now=NOW)
    composer.compose(rows)
    Product.objects.filter(product_id="P").update(is_active=False)

    composer.compose(rows)

    assert shown_to("ann") == ["Q", "R", "S", "T"]


@pytest.mark.usefixtures("run")
def test_opens_and_clicks_become_events_that_name_the_recommendation() -> None:
    make.reader("ann")
    sent()
    shown = Impression.objects.select_related("delivery").get()
    other = Link.objects.create(campaign=shown.delivery.campaign, url="https://shop.test/other")
    opening = tracking.Visit("GET", BROWSER)
    tracking.opened(shown.delivery.token or "", opening, LATER)
    follow(shown, 2, 30)
    plain = click_url(shown.delivery.token or "", other.pk).rpartition("/")[2]
    tracking.clicked(plain, opening, LATER + timedelta(seconds=90))

    told_at = LATER + timedelta(hours=1)
    assert tracking.tell(told_at) == 3
    merging.merge(told_at)

    names = sorted(Event.objects.values_list("name", flat=True))
    assert names == [
        *("Email Clicked", "Email Clicked", "Email Opened"),
        *("Recommendation Clicked", "Recommendation Viewed"),
    ]
    told = {"recommendationId": str(shown.recommendation_id)}
    assert Event.objects.get(name="Recommendation Viewed").properties == told
    followed = Event.objects.get(name="Recommendation Clicked")
    assert followed.properties == told | {"product_id": "Q", "position": 2}
    assert followed.product_id == "Q"
    assert followed.customer == shown.delivery.customer


@pytest.mark.usefixtures("run")
def test_the_page_of_links_counts_the_people_who_followed_a_product(client: Client) -> None:
    for name in ("ann", "ben", "cat"):
        make.reader(name)
    campaign = sent()
    for name, positions in (("ann", (1, 1)), ("ben", (1, 3)), ("cat", (3,))):
        shown = Impression.objects.select_related("delivery").get(
            delivery__customer__external_id=name
        )
        for number, position in enumerate(positions):
            follow(shown, position, number * 60)
    Hit.objects.filter(delivery__customer__external_id="cat").update(by_machine=True)
    client.force_login(make.staff(username="eve"), backend="privacy.roles.RoleBackend")

    page = client.get(f"/admin/campaigns/campaign/{campaign.pk}/links/").content.decode()

    found = [(one.title, one.n_people, one.positions) for one in picking.pulled(campaign)]
    assert found == [("Title P", 2, "1"), ("Title R", 1, "3")]
    assert picking.n_shown(campaign) == 3
    assert "Title R" in page


@pytest.mark.usefixtures("run")
def test_composing_asks_as_much_for_many_readers_as_for_few() -> None:
    for number in range(40):
        make.reader(f"r{number}")
    campaign = launched(body=LIST)
    rows = list(Delivery.objects.select_related("campaign", "variant").order_by("pk"))
    Composer(campaign, now=NOW).compose(rows[-1:])
    counts = []
    for some in (rows[:3], rows[3:]):
        composer = Composer(campaign, now=NOW)
        with CaptureQueriesContext(connection) as queries:
            messages, failed = composer.compose(some)
        assert len(messages) == len(some)
        assert not failed
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.usefixtures("run")
def test_a_reader_in_another_language_sees_titles_in_it() -> None:
    make.reader("li", locale="zh-CN")
    Product.objects.filter(product_id="P").update(translations={"zh-hans": {"title": "耳机"}})
    campaign = launched(body=LIST, locales=["en", "zh-hans"])
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    assert "耳机" in body(tray.taken[0])
    assert campaign.deliveries.count() == 1
