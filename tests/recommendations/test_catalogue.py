from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from profiles import registry
from profiles.models import Order, OrderLine
from recommendations import catalogue
from recommendations.catalogue import ProductFacts
from recommendations.catalogue_writing import forget_changes
from recommendations.models import Product, ProductChange
from recommendations.titles import cleaned
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def line(product_id: str, title: str, *, price: int = 100, days_ago: float = 1) -> None:
    order = make.order(None, (product_id, "Audio", 1, price), days_ago=days_ago)
    OrderLine.objects.filter(order=order).update(title=title)


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("  Sony\tWH-1000XM5 \n headphones ", "Sony WH-1000XM5 headphones"),
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
        ('RECORD FRAME 7" SINGLE SIZE ', 'Record Frame 7" Single Size'),
        ("LG OLED TV 55C3 4K HDMI CHILD'S", "LG OLED TV 55C3 4K HDMI Child's"),
        ("iPhone 15 Pro", "iPhone 15 Pro"),
        ("DYSON", "DYSON"),
        ("3KV USB-C CABLE,", "3KV USB-C Cable"),
        ("无线耳机 PRO", "无线耳机 Pro"),
        ("Zero\x00width\u200b", "Zero width"),
        ("x" * 300, "x" * 200),
        (" ", ""),
    ],
)
def test_a_dirty_title_is_cleaned(dirty: str, clean: str) -> None:
    assert cleaned(dirty) == clean


def test_the_lines_title_most_often_seen_and_the_latest_price_above_0_are_taken() -> None:
    line("1", "LAVA LAMP", price=300, days_ago=9)
    line("1", "LAVA  LAMP ", price=350, days_ago=5)
    line("1", "damaged?", price=0, days_ago=1)
    line("2", "", days_ago=1)

    found = catalogue.refresh(NOW)

    assert found == (2, 0)
    lamp, nameless = Product.objects.order_by("product_id")
    assert (lamp.title, lamp.category, lamp.price_minor) == ("Lava Lamp", "Audio", 350)
    assert nameless.title == "2"


def test_lines_of_test_orders_name_no_product() -> None:
    line("1", "LAVA LAMP", days_ago=9)
    for _n in range(3):
        line("1", "TEST", days_ago=1)
        line("2", "TEST", days_ago=1)
    Order.objects.filter(lines__title="TEST").update(quality="test")

    catalogue.refresh(NOW)

    assert list(Product.objects.values_list("product_id", "title")) == [("1", "Lava Lamp")]


def test_an_import_of_orders_refreshes_the_catalogue() -> None:
    line("1", "Lamp")

    assert "recommendations.catalogue" in registry.run_after_import(NOW)

    assert Product.objects.get().product_id == "1"


def test_a_second_refresh_writes_only_what_changed() -> None:
    line("1", "Lamp")
    line("2", "Kettle")
    catalogue.refresh(NOW)
    line("2", "Kettle", price=120, days_ago=0)

    assert catalogue.refresh(NOW) == (0, 1)
    assert Product.objects.get(product_id="2").price_minor == 120


def test_what_the_shop_tells_of_a_product_is_not_overwritten_by_lines() -> None:
    line("1", "LAMP", price=300)
    catalogue.refresh(NOW)
    told = ProductFacts(
        "1",
        "Philips Hue lamp",
        price_minor=280,
        cost_minor=150,
        specs={"watts": 9},
        translations={"zh-hans": {"title": "飞利浦灯"}},
    )

    assert catalogue.upsert([told, ProductFacts("2", "Bridge")], now=NOW) == (1, 1)
    assert catalogue.refresh(NOW) == (0, 0)

    lamp = Product.objects.get(product_id="1")
    assert (lamp.title, lamp.price_minor, lamp.cost_minor) == ("Philips Hue lamp", 280, 150)
    assert lamp.specs == {"watts": 9}
    assert (lamp.title_in("zh-hans"), lamp.title_in("en")) == ("飞利浦灯", "Philips Hue lamp")


def test_of_a_product_told_twice_in_one_go_the_last_counts() -> None:
    twice = [ProductFacts("1", "First"), ProductFacts("1", "Second")]

    assert catalogue.upsert(twice, now=NOW) == (1, 0)
    assert Product.objects.get().title == "Second"


def test_the_number_of_statements_does_not_grow_with_the_products() -> None:
    counts = []
    for n in (3, 100):
        with CaptureQueriesContext(connection) as queries:
            catalogue.upsert((ProductFacts(str(i), f"Item {i}") for i in range(n)), now=NOW)
        counts.append(len(queries))

    assert counts[1] <= counts[0] + 3  # SQLite takes some 35 products a statement


def test_history_is_kept_two_years_and_begins_with_what_held_then() -> None:
    make.shop()
    for days, price in ((900, 100), (800, 90), (100, 80)):
        catalogue.upsert([ProductFacts("1", "Lamp", price_minor=price)], now=NOW - timedelta(days))

    assert forget_changes(NOW) == 1

    prices = ProductChange.objects.order_by("pk").values_list("price_minor", flat=True)
    assert list(prices) == [90, 80]
