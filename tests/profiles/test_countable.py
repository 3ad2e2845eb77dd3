"""Orders of tests and programs, and cancelled ones, are left out of whatever is counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.attribution import attribute
from campaigns.models import Conversion
from config.admin.home import home_sales
from profiles import segmentation
from profiles.models import CategoryNorm, Customer, CustomerTraits
from profiles.orders import ordering
from profiles.traits import featuring
from recommendations import interactions
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=10)


def sold() -> None:
    """One order that counts and one of each kind that does not, at another price."""
    buyer = make.customer("buyer")
    others: list[dict[str, Any]] = [{"quality": mark} for mark in ("bot", "impossible", "test")]
    for n, columns in enumerate([{}, *others, {"status": "cancelled"}]):
        by = make.customer(f"c{n}") if columns else buyer
        item = (f"p{n}", "Audio", 1, 9_000 if columns else 1_000)
        make.order(by, item, at=NOW + timedelta(days=1), **columns)


def of_segment() -> set[str]:
    condition = {"field": "bought_category", "operator": "=", "value": "Audio"}
    rule = {"combinator": "and", "rules": [condition]}
    return set(segmentation.members(rule, LATER).values_list("external_id", flat=True))


def of_campaign() -> set[str]:
    campaign = make.campaign(attribution_days=30)
    for customer in Customer.objects.all():
        make.delivery(campaign, customer, "A")
    attribute(campaign, LATER)
    return set(Conversion.objects.values_list("order__customer__external_id", flat=True))


def of_traits() -> set[str]:
    featuring.build_traits(LATER)
    assert CategoryNorm.objects.get().price_minor == 1_000
    found = CustomerTraits.objects.of_buyers()
    return set(found.values_list("customer__external_id", flat=True))


def of_recommendations() -> set[str]:
    reading = interactions.read(LATER)
    assert list(reading.items.ids) == ["p0"]
    bought = {reading.customers[row] for row in reading.interactions.users}
    return set(Customer.objects.filter(pk__in=bought).values_list("external_id", flat=True))


def of_buyers() -> set[str]:
    found = Customer.objects.filter(ordering.has_bought())
    return set(found.values_list("external_id", flat=True))


@pytest.mark.parametrize(
    "counted", [of_segment, of_campaign, of_traits, of_recommendations, of_buyers]
)
def test_only_the_order_of_a_person_counts(counted: Callable[[], set[str]]) -> None:
    make.shop(margin_rate=Decimal("0.3"))
    sold()

    assert counted() == {"buyer"}


def test_the_home_page_counts_sales_and_says_how_many_orders_it_leaves_out() -> None:
    shop = make.shop()
    sold()

    sales = home_sales(shop, LATER)

    assert (sales.n_orders, sales.net_minor, sales.n_left_out) == (1, 1_000, 4)
