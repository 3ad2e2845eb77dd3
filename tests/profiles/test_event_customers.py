"""What events do to customers and orders: who is joined, what is sealed, which money counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from profiles.models import Customer, Event, EventVerdict, Identity, Order
from profiles.orders.parsing import MAX_PRICE, MAX_QUANTITY
from tests import make
from tests.profiles.calls import identify, merge, order_event, post, stored_text, track

pytestmark = pytest.mark.django_db


def test_what_a_visitor_did_before_logging_in_becomes_the_customers(client: Client) -> None:
    post(client, track(messageId="before"))
    merge()
    assert Event.objects.get().customer is None

    post(client, {"type": "identify", "userId": "C-9", "anonymousId": "visitor-1"})
    post(client, track(messageId="after"), track(anonymousId="somebody else"))
    merge()

    customer = Customer.objects.get(external_id="C-9")
    assert Identity.objects.get().customer == customer
    assert Event.objects.filter(customer=customer).count() == 3
    assert Event.objects.get(anonymous_id="somebody else").customer is None


def test_alias_joins_the_previous_id(client: Client) -> None:
    post(client, track(anonymousId="old"))
    post(client, {"type": "alias", "previousId": "old", "userId": "C-9"})
    merge()

    assert Event.objects.get(kind="track").customer == Customer.objects.get(external_id="C-9")


def test_the_first_customer_keeps_an_anonymous_id_and_known_customers_stay_two(
    client: Client,
) -> None:
    post(client, track(userId="C-1"), track(userId="C-2"))
    merge()
    post(client, track(userId="C-2"), {"type": "alias", "previousId": "C-1", "userId": "C-2"})
    merge()

    assert Identity.objects.get().customer == Customer.objects.get(external_id="C-1")
    assert Customer.objects.count() == 2


def test_identify_teaches_open_traits(client: Client) -> None:
    traits = {
        "locale": "zh-CN",
        "address": {"city": "Graz", "country": "Austria", "street": "Weg 1"},
        "birthday": "1990-05-01",
        "occupation": "nurse",
        "plan": "gold",
    }
    post(client, {"type": "identify", "userId": "C-9", "traits": traits})
    merge()

    customer = Customer.objects.get(external_id="C-9")
    assert (customer.locale, customer.city, customer.country) == ("zh-CN", "Graz", "Austria")
    assert (customer.birth_year, customer.occupation) == (1990, "nurse")
    stored = json.dumps(Event.objects.get().properties)
    assert "gold" in stored
    assert "Weg 1" not in stored
    assert "05-01" not in stored


def test_identify_seals_personal_traits_and_stages_none_of_them(client: Client) -> None:
    post(client, identify("C-1", email="Ann@Shop.example", phone="+436601234567", name="Ann Lee"))
    assert "Ann" not in stored_text()
    merge()

    customer = Customer.objects.get(email="ann@shop.example")
    assert customer.external_id == "C-1"
    assert "nn@" not in str(customer.email)
    assert (customer.phone is None, customer.full_name is None) == (False, False)
    assert "Ann" not in stored_text()
    assert "660123" not in stored_text()


def test_a_browser_key_does_not_change_the_address_of_a_known_customer(client: Client) -> None:
    post(client, identify("C-1", email="ann@shop.example"))
    answer = post(client, identify("C-1", email="thief@evil.example"))

    assert answer.json()["warnings"][0]["code"] == "not_confirmed"
    assert Customer.objects.filter(email="ann@shop.example").exists()

    changed = post(client, identify("C-1", email="new@shop.example"), key=make.secret_key())

    assert changed.json()["warnings"] == []
    assert Customer.objects.filter(email="new@shop.example").exists()


def test_traits_that_cannot_be_kept_are_told(client: Client) -> None:
    post(client, identify("C-1", email="ann@shop.example"))

    answer = post(
        client,
        identify("C-2", email="ANN@shop.example", phone="12"),
        identify("C-3", email="no address"),
        {"type": "identify", "anonymousId": "v", "traits": {"email": "x@shop.example"}},
        key=make.secret_key(),
    )

    assert [(one["index"], one["code"]) for one in answer.json()["warnings"]] == [
        (0, "email_taken"),
        (0, "invalid_phone"),
        (1, "invalid_email"),
        (2, "traits_need_user_id"),
    ]
    assert "no address" not in stored_text()


def test_an_e_mail_address_as_user_id_leads_to_its_customer_or_becomes_a_tag(
    client: Client,
) -> None:
    post(client, identify("C-1", email="ann@shop.example"))
    post(client, track(userId="Ann@shop.example"), track(userId="bob@shop.example"))
    merge()

    named = set(Event.objects.filter(kind="track").values_list("customer__external_id", flat=True))
    assert "C-1" in named
    (other,) = named - {"C-1"}
    assert str(other).startswith("tag:")
    assert "bob" not in stored_text()


def test_only_a_secret_key_creates_counted_revenue(client: Client) -> None:
    post(client, order_event())
    merge()
    assert not Order.objects.exists()
    assert not Event.objects.get().is_confirmed

    post(client, order_event(discount=10, tax=40, shipping="4.90"), key=make.secret_key())
    merge()

    order = Order.objects.get(number="1001")
    assert order.customer == Customer.objects.get(external_id="C-1")
    assert (order.total_minor, order.discount_minor) == (20_999 - 1_000, 1_000)
    assert (order.tax_minor, order.shipping_minor) == (4_000, 490)
    assert sum(order.lines.values_list("total_minor", flat=True)) == order.total_minor


def test_a_refund_event_gives_the_rest_of_the_order_back(client: Client) -> None:
    key = make.secret_key()
    post(client, order_event(), key=key)
    post(client, order_event("Order Refunded", products=[], total=50), key=key)
    merge()
    order = Order.objects.get()
    assert (order.total_minor, order.refunded_minor) == (20_999, 5_000)

    post(client, order_event("Order Refunded", products=[]), key=key)
    merge()
    order.refresh_from_db()
    assert order.refunded_minor == order.total_minor


def test_an_order_event_that_cannot_be_read_stays_an_event_and_says_so(client: Client) -> None:
    post(client, order_event(tax="a lot"), order_event(order_id=""), key=make.secret_key())
    merge()

    assert not Order.objects.exists()
    assert Event.objects.count() == 2
    codes = EventVerdict.objects.filter(verdict="warned").values_list("code", flat=True)
    assert list(codes) == ["order_not_readable"] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"tax": "NaN"},
        {"tax": "Infinity"},
        {"shipping": "1e30"},
        {"discount": -5},
        {"products": [{"product_id": "P-1", "price": "nan"}]},
        {"products": [{"product_id": "P-1", "price": -1}]},
        {"products": [{"product_id": "P-1", "price": 1, "quantity": 10**12}]},
        {
            "currency": "KWD",
            "products": [
                {"product_id": f"P-{n}", "price": str(MAX_PRICE), "quantity": MAX_QUANTITY}
                for n in range(100)
            ],
        },
    ],
)
def test_an_amount_that_cannot_be_stored_does_not_hold_up_other_events(
    client: Client, wrong: dict[str, Any]
) -> None:
    key = make.secret_key()
    post(client, track(messageId="before"), key=key)
    post(client, order_event(**wrong), key=key)
    merge()

    assert not Order.objects.exists()
    assert Event.objects.filter(message_id="before").exists()
    assert EventVerdict.objects.get(verdict="warned").code == "order_not_readable"
