"""Segment's and RudderStack's clients for Node, unchanged: what they send is what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from profiles.events import merging
from profiles.models import Customer, Event, Identity
from tests import make
from tests.clients import npm

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("client", ["segment_node", "rudder_node"]),
]
Call = tuple[str, dict[str, Any]]


def send(server: LiveServer, client: str, *calls: Call, key: str = "") -> list[str]:
    """Have the client make the calls, and the merge take them; returns the client's errors."""
    key = key or make.write_key()
    said = npm.node(f"{client}.mjs", server.url, key, given=json.dumps(calls))
    while merging.merge(timezone.now()):
        pass
    errors: list[str] = json.loads(said.strip().splitlines()[-1])
    return errors


def viewed(n: int) -> Call:
    properties = {"product_id": f"p-{n}", "price": 9.5}
    return "track", {"userId": f"C-{n % 10}", "event": "Product Viewed", "properties": properties}


def test_all_of_250_events_are_stored(live_server: LiveServer, client: str) -> None:
    errors = send(live_server, client, *(viewed(n) for n in range(250)))

    assert errors == []
    assert set(Event.objects.values_list("product_id", flat=True)) == {f"p-{n}" for n in range(250)}
    assert Event.objects.count() == 250
    assert Customer.objects.count() == 10


def test_a_message_that_is_sent_three_times_is_stored_once(
    live_server: LiveServer, client: str
) -> None:
    call = ("track", {"userId": "C-1", "event": "Order Completed", "messageId": "resent"})
    key = make.write_key()
    for _ in range(3):
        assert send(live_server, client, call, key=key) == []

    assert list(Event.objects.values_list("message_id", flat=True)) == ["resent"]


def test_every_kind_of_call_is_understood_and_a_visitor_becomes_a_customer(
    live_server: LiveServer, client: str
) -> None:
    errors = send(
        live_server,
        client,
        ("page", {"anonymousId": "v-1", "name": "Home"}),
        ("screen", {"userId": "C-1", "name": "Home"}),
        ("identify", {"userId": "C-1", "anonymousId": "v-1",
                      "traits": {"email": "ann@shop.example", "locale": "zh-CN"}}),
        ("group", {"userId": "C-1", "groupId": "company-7", "traits": {"plan": "gold"}}),
        ("alias", {"previousId": "v-2", "userId": "C-1"}),
    )  # fmt: skip

    assert errors == []
    kinds = sorted(Event.objects.values_list("kind", flat=True))
    assert kinds == ["alias", "group", "identify", "page", "screen"]
    ann = Customer.objects.get(email="ann@shop.example")
    assert (ann.external_id, ann.locale) == ("C-1", "zh-CN")
    assert Event.objects.get(kind="page").customer == ann
    assert set(Identity.objects.values_list("anonymous_id", flat=True)) == {"v-1", "v-2"}


def test_a_wrong_key_comes_to_the_senders_notice(live_server: LiveServer, client: str) -> None:
    errors = send(live_server, client, viewed(1), key="wk_live_" + "x" * 43)

    assert errors != []
    assert not Event.objects.exists()
