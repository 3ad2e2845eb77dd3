from __future__ import annotations

from datetime import date, timedelta

import pytest

from recommendations import product_history
from recommendations.models import Product, ProductChange
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def changed(product: Product, days: float, price: int, stock: int = 1, country: str = "") -> None:
    ProductChange.objects.create(
        product=product,
        country=country,
        currency="EUR",
        price_minor=price,
        stock=stock,
        changed_at=NOW - timedelta(days=days),
    )


def test_each_day_has_what_held_at_its_end() -> None:
    product = make.product("1")
    changed(product, 4, 1_000)
    changed(product, 2, 900)
    changed(product, 2, 800)
    changed(product, 1, 9_999, country="CN")

    history = product_history.of(product, now=NOW, time_zone="UTC")

    assert history.days[0] == date(2026, 2, 26)
    assert history.prices == [10.0, 10.0, 8.0, 8.0, 8.0]
    assert (history.stock, len(history.changes)) == ([], 4)


def test_what_held_before_the_window_holds_when_it_begins() -> None:
    product = make.product("1")
    changed(product, 400, 1_000)
    changed(product, 1, 900)

    history = product_history.of(product, now=NOW, time_zone="Asia/Shanghai")

    assert (len(history.days), history.prices[0], history.prices[-1]) == (90, 10.0, 9.0)


def test_a_product_without_history_has_none() -> None:
    product = make.product("1")

    history = product_history.of(product, now=NOW, time_zone="UTC")

    assert (history.changes, history.days, history.prices) == ([], [], [])
