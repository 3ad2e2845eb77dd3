"""Carts: filled by events and by the API, abandoned after an hour, brought back by a token."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from profiles.models import Cart, CartLine, CartToken, Customer, Event
from profiles.orders import carts
from tests import make
from tests.profiles.calls import merge, order_event, post, track
from tests.profiles.test_orders_api import call

pytestmark = pytest.mark.django_db
LINES = [
    {"productId": "tv", "title": "TV", "quantity": 1, "unitPrice": "499.00"},
    {"productId": "hdmi", "quantity": 2, "unitPrice": "9.90"},
]


def at(minutes: int) -> str:
    return (timezone.now() - timedelta(minutes=minutes)).isoformat()


def added(
    product: str, minutes: int, name: str = "Product Added", **members: Any
) -> dict[str, Any]:
    facts = {"product_id": product, "name": product.upper(), "price": 10, "currency": "EUR"}
    facts |= members.pop("facts", {})
    return track(name, timestamp=at(minutes), properties=facts, **members)


def content(cart: Cart | None = None) -> dict[str, int]:
    lines = CartLine.objects.filter(cart=cart or Cart.objects.get())
    return dict(lines.values_list("product_id", "quantity"))


def put(client: Client, cart_id: str = "c-1", **members: Any) -> tuple[int, dict[str, Any]]:
    stated = {"customerId": "C-1", "currency": "EUR", "lines": LINES} | members
    return call(client, "PUT", f"/v1/carts/{cart_id}", stated)


def test_what_a_visitor_puts_in_and_takes_out_is_the_cart(client: Client) -> None:
    post(
        client,
        added("tv", 9, facts={"quantity": 2}),
        added("hdmi", 8),
        added("tv", 7, "Product Removed"),
        added("hdmi", 6, "Product Removed", facts={"quantity": 5}),
    )
    merge()

    cart = Cart.objects.get()
    assert content() == {"tv": 1}
    assert (cart.state, cart.total_minor, cart.n_units) == ("open", 1_000, 1)
    assert (cart.anonymous_id, cart.customer) == ("visitor-1", None)


def test_events_of_a_cart_converge_in_whichever_order_they_arrive(client: Client) -> None:
    whole = {"products": [{"product_id": "tv", "price": 10, "quantity": 3}], "cart_id": "c-1"}
    cart = {"cart_id": "c-1"}
    events = [
        added("hdmi", 9, facts=cart),
        track("Cart Viewed", timestamp=at(8), properties=whole),
        added("hdmi", 7, facts=cart),
        added("tv", 6, "Product Removed", facts=cart),
    ]
    ends = []
    for n, order in enumerate(itertools.permutations(events)):
        for event in order:
            moved = json.loads(json.dumps(event).replace("c-1", f"c-{n}"))
            post(client, moved | {"anonymousId": f"v-{n}"})
            merge()
        ends.append(content(Cart.objects.get(cart_id=f"c-{n}")))

    assert ends == [{"tv": 2, "hdmi": 1}] * 24


def test_the_carts_of_a_visitor_become_the_customers_who_logs_in(client: Client) -> None:
    post(client, added("tv", 9))
    merge()
    post(client, track(userId="C-1"))
    merge()
    post(client, added("hdmi", 1, userId="C-1"))
    merge()

    assert Cart.objects.get().customer == Customer.objects.get(external_id="C-1")
    assert content() == {"tv": 1, "hdmi": 1}


def test_a_browser_changes_no_cart_of_somebody_else(client: Client) -> None:
    put(client)

    post(client, added("spam", 0, facts={"cart_id": "c-1"}, anonymousId="stranger"))
    merge()
    assert content() == {"tv": 1, "hdmi": 2}

    post(client, added("mouse", 0, facts={"cart_id": "c-1"}), key=make.secret_key())
    merge()
    assert content() == {"tv": 1, "hdmi": 2, "mouse": 1}


def test_a_cart_that_rests_for_an_hour_is_abandoned_and_recovered_by_what_follows(
    client: Client,
) -> None:
    post(client, added("tv", 59, anonymousId="fresh"), added("tv", 61))
    post(client, added("tv", 90, "Product Removed", anonymousId="empty"))
    merge()

    assert carts.sweep(timezone.now()) == 1
    left = Cart.objects.get(state="abandoned")
    assert left.anonymous_id == "visitor-1"
    assert carts.sweep(timezone.now()) == 0

    post(client, track("Cart Viewed", timestamp=at(-1)))
    merge()
    left.refresh_from_db()
    assert (left.state, left.recovered_at is not None) == ("recovered", True)


def test_an_order_closes_the_cart_and_the_next_product_opens_another(client: Client) -> None:
    post(client, added("tv", 9, userId="C-1"), order_event() | {"timestamp": at(5)})
    merge()
    assert Cart.objects.get().state == "ordered"

    post(client, added("late", 6, userId="C-1"), added("hdmi", 1, userId="C-1"))
    merge()

    ordered, opened = Cart.objects.order_by("opened_at")
    assert content(ordered) == {"tv": 1}
    assert (opened.state, content(opened)) == ("open", {"hdmi": 1})


def test_a_test_order_is_no_purchase_of_the_cart(client: Client) -> None:
    put(client, updatedAt=at(90))
    make.order(Customer.objects.get(), ("tv", "", 1, 1_000), at=timezone.now(), quality="test")

    carts.sweep(timezone.now())

    assert Cart.objects.get().state == "abandoned"


def test_an_abandoned_cart_whose_customer_orders_elsewhere_is_ordered(client: Client) -> None:
    put(client, updatedAt=at(90))
    carts.sweep(timezone.now())
    assert Cart.objects.get().state == "abandoned"

    make.order(Customer.objects.get(), ("tv", "", 1, 1_000), at=timezone.now())
    carts.sweep(timezone.now())

    cart = Cart.objects.get()
    assert (cart.state, cart.recovered_at == cart.ordered_at) == ("ordered", True)


def test_a_cart_comes_back_as_it_was_stated_and_an_older_statement_changes_nothing(
    client: Client,
) -> None:
    status, told = put(client, updatedAt=at(5))

    assert status == 200
    assert call(client, "GET", "/v1/carts/c-1") == (200, told)
    assert (told["id"], told["customerId"], told["state"]) == ("c-1", "C-1", "open")
    assert told["total"] == "518.80"
    assert [line["quantity"] for line in told["lines"]] == [1, 2]

    assert put(client, updatedAt=at(60), lines=[]) == (200, told)
    assert put(client, updatedAt=at(1), lines=[])[1]["lines"] == []


def test_a_token_brings_the_cart_back_until_it_expires(client: Client) -> None:
    put(client)
    status, issued = call(client, "POST", "/v1/carts/c-1/restore-token")

    assert status == 200
    stored = CartToken.objects.get()
    assert issued["token"].encode() not in bytes(stored.digest)
    path = f"/v1/carts/restore/{issued['token']}"
    assert call(client, "GET", path)[1]["id"] == "c-1"
    assert call(client, "GET", path, key=make.write_key())[0] == 403
    assert call(client, "GET", "/v1/carts/restore/guessed")[1]["code"] == "cart_token_unknown"

    CartToken.objects.update(expires_at=timezone.now())
    status, problem = call(client, "GET", path)
    assert (status, problem["code"]) == (410, "cart_token_expired")
    carts.sweep(timezone.now())
    assert not CartToken.objects.exists()


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"currency": "euro"}, "/currency"),
        ({"lines": [{"productId": "x", "quantity": 0, "unitPrice": "1"}]}, "/lines/0/quantity"),
        ({"customerId": "ann@shop.example"}, "/customerId"),
        ({"lines": LINES * 101}, "/lines"),
        ({"updatedAt": "1970-01-01T00:00:00Z"}, "/updatedAt"),
    ],
)
def test_bad_members_are_pointed_at_and_nothing_is_stored(
    client: Client, members: dict[str, Any], pointer: str
) -> None:
    status, problem = put(client, **members)

    assert (status, [fault["pointer"] for fault in problem["errors"]]) == (400, [pointer])
    assert not Cart.objects.exists()


def test_an_event_that_cannot_be_read_as_a_cart_stays_an_event(client: Client) -> None:
    post(client, added("tv", 2, facts={"price": "a lot"}), added("", 1), added("hdmi", 0))
    merge()

    assert content() == {"hdmi": 1}
    assert Event.objects.count() == 3


def test_a_batch_of_cart_events_costs_as_many_queries_for_30_visitors_as_for_3(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    def filled(prefix: str, n: int) -> None:
        post(client, *[added("tv", 1, anonymousId=f"{prefix}{i}") for i in range(n)])

    filled("a", 3)
    with django_assert_max_num_queries(60) as few:
        merge()
    filled("b", 30)
    with django_assert_max_num_queries(60) as many:
        merge()

    assert len(many) <= len(few)


def test_the_admin_shows_carts_to_those_who_may_see_customers(client: Client) -> None:
    make.shop()
    put(client)
    client.force_login(make.staff())

    page = client.get("/admin/profiles/cart/?q=C-1").content.decode()
    assert "c-1" in page
    assert "€518.80" in page
    assert f"{Cart.objects.get().changed_at:%Y-%m-%d %H:%M}" in page
    cart = Cart.objects.get()
    detail = client.get(f"/admin/profiles/cart/{cart.pk}/change/").content.decode()
    assert "€499.00" in detail


def test_a_merge_asks_as_much_for_many_carts_as_for_few(client: Client) -> None:
    make.shop()

    def queries(n: int) -> int:
        facts = {"product_id": "tv", "price": 10}
        told = [
            track("Product Added", anonymousId=f"v{number}", properties=facts)
            for number in range(n)
        ]
        post(client, *told)
        with CaptureQueriesContext(connections["default"]) as found:
            merge()
        return len(found)

    queries(40)  # carts that are there already are saved too
    few = queries(3)

    assert queries(40) == few
    assert Cart.objects.count() == 40
