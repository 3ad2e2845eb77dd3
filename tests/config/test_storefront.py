"""The demo's storefront: there for the demo alone, with a key of its own."""

from __future__ import annotations

import json
import re
import stat
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from config import storefront
from privacy import doors
from privacy.models import ApiKey
from profiles.events import merging
from profiles.models import Event
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def _demo() -> None:
    make.shop(is_demo=True, currency="EUR")
    make.product(
        "cab-1",
        "Anode Edge USB-C cable",
        category="Cables",
        price_minor=899,
        translations={"zh-hans": {"title": "Anode Edge 数据线", "description": "一条线。"}},
    )


def facts_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="storefront-facts" type="application/json">(.*?)</script>', page)
    assert found
    facts: dict[str, Any] = json.loads(found[1])
    return facts


def test_a_real_shop_has_no_storefront(client: Client) -> None:
    make.shop()
    assert client.get("/demo/shop/").status_code == 404
    assert client.get("/demo/shop/log/").status_code == 404


@pytest.mark.usefixtures("_demo")
@pytest.mark.parametrize(
    ("language", "title", "price"),
    [("en", "Anode Edge USB-C cable", "€8.99"), ("zh-hans", "Anode Edge 数据线", "€8.99")],
)
def test_products_stand_in_the_readers_language(
    client: Client, language: str, title: str, price: str
) -> None:
    page = client.get("/demo/shop/", headers={"Accept-Language": language}).content.decode()

    assert 'href="/privacy/requests/"' in page
    (product,) = facts_of(page)["products"]
    assert (product["title"], product["price"], product["amount"]) == (title, price, "8.99")


@pytest.mark.usefixtures("_demo")
def test_one_publishable_key_serves_every_visit_and_nobody_else_reads_its_file() -> None:
    first, again = storefront.write_key(NOW), storefront.write_key(NOW)

    assert first == again
    assert doors.find(first, now=NOW).kind == ApiKey.Kind.WRITE
    mode = (settings.KEYS_DIR / storefront.KEY_FILE).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.usefixtures("_demo")
def test_a_revoked_key_is_replaced() -> None:
    first = storefront.write_key(NOW)
    doors.revoke(doors.find(first, now=NOW), now=NOW)

    assert storefront.write_key(NOW) != first
    assert ApiKey.objects.live(NOW).count() == 1


@pytest.mark.usefixtures("_demo")
def test_the_log_tells_what_became_of_an_event(client: Client) -> None:
    event = {"type": "track", "event": "Product Viewed", "messageId": "m1", "anonymousId": "a1"}
    body = {"writeKey": storefront.write_key(NOW), "batch": [event]}
    taken = client.post("/v1/batch", body, content_type="application/json")
    assert taken.status_code == 202

    (before,) = client.get("/demo/shop/log/").json()["events"]
    merging.merge(NOW)
    (after,) = client.get("/demo/shop/log/").json()["events"]

    assert (before["message_id"], before["verdict"]) == ("m1", "waiting")
    assert (after["message_id"], after["verdict"]) == ("m1", "accepted")
    assert Event.objects.get().anonymous_id == "a1"
