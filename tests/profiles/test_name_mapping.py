"""GA4's and Shopify's commerce events are read as the ones we know."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from profiles.events.name_mapping import known
from profiles.models import Event, Order
from tests import make
from tests.profiles.calls import merge, post, track

GA4_ITEM = {
    "item_id": "SKU_12345", "item_name": "Noise-cancelling headphones", "item_brand": "Sony",
    "item_category": "Audio", "price": 10.01, "quantity": 3,
}  # fmt: skip
VARIANT = {
    "id": "v-1", "sku": "SON-1", "price": {"amount": 120.0, "currencyCode": "USD"},
    "product": {"id": "p-1", "title": "Speaker", "vendor": "Sony", "type": "Audio"},
}  # fmt: skip


def test_a_view_of_ga4_names_its_product() -> None:
    name, facts = known("view_item", {"currency": "USD", "value": 30.03, "items": [GA4_ITEM]})

    assert name == "Product Viewed"
    assert facts["product_id"] == "SKU_12345"
    assert (facts["brand"], facts["category"], facts["price"]) == ("Sony", "Audio", 10.01)
    assert facts["value"] == 30.03


def test_a_purchase_of_ga4_is_an_order() -> None:
    told = {
        "transaction_id": "T_12345", "value": 72.05, "tax": 3.6, "shipping": 5.99,
        "currency": "USD", "coupon": "SUMMER", "items": [GA4_ITEM, GA4_ITEM | {"item_id": "b"}],
    }  # fmt: skip

    name, facts = known("purchase", told)

    assert name == "Order Completed"
    assert (facts["order_id"], facts["total"], facts["tax"]) == ("T_12345", 72.05, 3.6)
    assert [product["product_id"] for product in facts["products"]] == ["SKU_12345", "b"]


def test_a_checkout_of_shopify_is_an_order() -> None:
    checkout = {
        "order": {"id": "820"}, "currencyCode": "USD", "token": "t",
        "totalPrice": {"amount": 268.0}, "totalTax": {"amount": 8.0},
        "shippingLine": {"price": {"amount": 20.0}},
        "lineItems": [{"quantity": 2, "title": "Speaker", "variant": VARIANT}],
    }  # fmt: skip

    name, facts = known("checkout_completed", {"checkout": checkout})

    assert name == "Order Completed"
    assert (facts["order_id"], facts["shipping"], facts["tax"]) == ("820", 20.0, 8.0)
    assert facts["products"] == [
        {
            "product_id": "p-1", "variant": "v-1", "sku": "SON-1", "name": "Speaker",
            "brand": "Sony", "category": "Audio", "price": 120.0, "currency": "USD",
            "quantity": 2,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("purchase", {"note": "an event of the shop's own"}),
        ("search", {"q": "usb"}),
        ("product_viewed", {"product_id": "p-1"}),
        ("Product Viewed", {"items": [GA4_ITEM]}),
    ],
)
def test_a_shops_own_event_of_that_name_is_left_alone(
    name: str, properties: dict[str, Any]
) -> None:
    assert known(name, properties) == (name, properties)


@pytest.mark.parametrize(
    "properties",
    [
        {"items": [None, 3, "x", {}]},
        {"items": []},
        {"checkout": {"lineItems": [None, {"variant": 7}], "totalPrice": "9"}},
        {"cart": {"lines": None}},
        {"cartLine": {"merchandise": None}},
    ],
)
def test_whatever_stands_in_them_is_read(properties: dict[str, Any]) -> None:
    for name in ("view_item", "purchase", "checkout_completed", "cart_viewed"):
        told, facts = known(name, properties)
        assert told
        assert isinstance(facts, dict)


@pytest.mark.django_db
def test_a_purchase_told_by_a_secret_key_is_counted(client: Client) -> None:
    make.shop(currency="USD")
    purchase = {"transaction_id": "T_1", "value": 30.03, "currency": "USD", "items": [GA4_ITEM]}
    event = track(event="purchase", userId="c1", properties=purchase)

    assert post(client, event, key=make.secret_key()).status_code == 202
    merge()

    stored = Event.objects.get()
    assert (stored.name, stored.context["mapped_from"]) == ("Order Completed", "purchase")
    order = Order.objects.get(number="T_1")
    assert order.total_minor == 3003
