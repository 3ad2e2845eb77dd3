"""`segment-analytics-python`, unchanged, against a live server: what it sends is what is stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from segment.analytics.client import Client

from profiles.events import merging
from profiles.models import Customer, Event
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


def client(server: LiveServer, key: str, errors: list[Any]) -> Client:
    return Client(
        key,
        host=server.url,
        gzip=True,
        max_retries=0,
        on_error=lambda error, items: errors.append((str(error), len(items))),
    )


def merge() -> None:
    while merging.merge(timezone.now()):
        pass


def test_all_of_250_packed_events_are_stored(live_server: LiveServer) -> None:
    errors: list[Any] = []
    sender = client(live_server, make.write_key(), errors)
    for n in range(250):
        sender.track(f"C-{n % 10}", "Product Viewed", {"product_id": f"p-{n}", "price": 9.5})
    sender.shutdown()
    merge()

    assert errors == []
    assert Event.objects.count() == 250
    assert set(Event.objects.values_list("product_id", flat=True)) == {f"p-{n}" for n in range(250)}
    assert Customer.objects.count() == 10
    assert Event.objects.filter(context__library__name="analytics-python").count() == 250


def test_a_message_that_is_sent_three_times_is_stored_once(live_server: LiveServer) -> None:
    errors: list[Any] = []
    key = make.write_key()
    for _ in range(3):
        sender = client(live_server, key, errors)
        sender.track("C-1", "Order Completed", {"order_id": "1"}, message_id="resent")
        sender.shutdown()
        merge()

    assert errors == []
    assert list(Event.objects.values_list("message_id", flat=True)) == ["resent"]


def test_every_kind_of_call_is_understood(live_server: LiveServer) -> None:
    errors: list[Any] = []
    sender = client(live_server, make.write_key(), errors)
    sender.page(None, "Shop", "Home", {"url": "https://shop.example/?q=1"}, anonymous_id="v-1")
    sender.screen("C-1", "App", "Home")
    sender.identify("C-1", {"email": "ann@shop.example", "locale": "zh-CN"}, anonymous_id="v-1")
    sender.group("C-1", "company-7", {"plan": "gold"})
    sender.alias("v-2", "C-1")
    sender.shutdown()
    merge()

    assert errors == []
    assert sorted(Event.objects.values_list("kind", flat=True)) == [
        "alias",
        "group",
        "identify",
        "page",
        "screen",
    ]
    assert Event.objects.get(kind="page").customer == Customer.objects.get(email="ann@shop.example")
    assert Customer.objects.get(external_id="C-1").locale == "zh-CN"


def test_a_wrong_key_comes_to_the_senders_notice(live_server: LiveServer) -> None:
    errors: list[Any] = []
    sender = client(live_server, "wk_live_" + "x" * 43, errors)
    sender.track("C-1", "Product Viewed")
    sender.shutdown()

    ((text, n_lost),) = errors
    assert text.startswith("[Segment] invalid_key: ")
    assert "(401)" in text
    assert n_lost == 1
    assert not Event.objects.exists()
