"""Marks of web analytics: on links to the shop, where they lack, and nowhere else."""

from __future__ import annotations

import pytest
from django.test import Client

from campaigns import delivery, following, utm
from campaigns.composing import click_url
from campaigns.models import Campaign, Delivery, Link, SendingRules
from campaigns.rendering.marking import marked, word
from tests import make
from tests.campaigns.sending import Tray, launched
from tests.make import NOW

VALUES = {"utm_source": "shop", "utm_medium": "email", "utm_campaign": "sale", "utm_content": ""}
HOSTS = {"shop.test"}
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Version/17.5 Safari"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://shop.test/a",
            "https://shop.test/a?utm_source=shop&utm_medium=email&utm_campaign=sale",
        ),
        (
            "https://www.shop.test/a?x=%20y&b#part",
            (
                "https://www.shop.test/a?x=%20y&b&utm_source=shop&utm_medium=email"
                "&utm_campaign=sale#part"
            ),
        ),
        (
            "https://shop.test/?utm_source=mine&UTM_Medium=",
            "https://shop.test/?utm_source=mine&UTM_Medium=&utm_campaign=sale",
        ),
        ("https://elsewhere.test/a", None),
        ("https://notshop.test/a", None),
        ("https://shop.test.evil.test/", None),
        ("https://[broken/", None),
    ],
)
def test_what_lacks_is_added_to_links_of_the_shop_alone(url: str, expected: str | None) -> None:
    assert marked(url, VALUES, HOSTS) == (expected or url)


@pytest.mark.parametrize("url", ["https://shop.test/a?q=1#x", "https://shop.test/" + "a" * 1_970])
def test_marking_twice_is_marking_once_and_nothing_grows_too_long(url: str) -> None:
    once = marked(url, VALUES, HOSTS)
    assert marked(once, VALUES, HOSTS) == once
    assert len(once) <= 2_000


def test_a_name_becomes_one_value() -> None:
    assert word("  Black Friday: 50 % off!  ") == "black-friday-50-off"
    assert word("双11 大促") == "双11-大促"


@pytest.fixture
def sent() -> Delivery:
    make.shop(name="Volt & Co", sender_email="shop@shop.test")
    make.reader("ann")
    html = '<a href="https://www.shop.test/tv?x=1">TV</a> <a href="https://press.test/">Press</a>'
    html += ' <a href="{{ unsubscribe_url }}">Stop</a>'
    launched(name="Spring sale", body=html)
    SendingRules.objects.create(pk=1, shop_domains="shop.test")
    delivery.send_due(NOW, channel=Tray())
    return Delivery.objects.select_related("campaign").get()


def follow(client: Client, row: Delivery, host: str) -> str:
    number = Link.objects.get(url__contains=host).pk
    path = click_url(row.token or "", number).removeprefix("http://127.0.0.1:8000")
    return str(client.get(path, headers={"User-Agent": BROWSER})["Location"])


@pytest.mark.django_db
def test_a_followed_link_of_the_shop_carries_names_and_its_statistics_stay_one_row(
    client: Client, sent: Delivery
) -> None:
    variant = sent.variant.key.lower() if sent.variant else ""
    assert follow(client, sent, "shop.test") == (
        "https://www.shop.test/tv?x=1&utm_source=volt-co&utm_medium=email"
        f"&utm_campaign=spring-sale&utm_content={variant}"
    )
    assert follow(client, sent, "press.test") == "https://press.test/"
    urls = [row.url for row in following.links(sent.campaign)]
    assert sorted(urls) == ["https://press.test/", "https://www.shop.test/tv?x=1"]


@pytest.mark.django_db
def test_staff_say_other_values_or_none_at_all(client: Client, sent: Delivery) -> None:
    Campaign.objects.update(utm_source="newsletter", utm_campaign="s1")
    assert "utm_source=newsletter&utm_medium=email&utm_campaign=s1" in follow(
        client, sent, "shop.test"
    )
    Campaign.objects.update(adds_utm=False)
    assert follow(client, sent, "shop.test") == "https://www.shop.test/tv?x=1"


@pytest.mark.django_db
def test_without_domains_those_of_the_browser_keys_count_and_our_own_pages_never() -> None:
    make.write_key(origins=["https://www.volt.test"])
    assert utm.hosts() == {"www.volt.test", "127.0.0.1"}
    make.reader("ann")
    row = Delivery(campaign=make.written_campaign())
    own = "http://127.0.0.1:8000/u/abc"
    assert utm.tagged(own, row) == own
    assert "utm_source" in utm.tagged("http://127.0.0.1:8000/shop/", row)
    assert "utm_source" in utm.tagged("https://www.volt.test/", row)


@pytest.mark.django_db
def test_the_form_spells_the_marks_as_analytics_do(client: Client) -> None:
    make.shop(pk=1)
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    page = client.get("/admin/campaigns/campaign/add/").content.decode()

    assert "Utm_" not in page
    assert page.count("utm_source") > 2
