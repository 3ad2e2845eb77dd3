"""Products in the admin: money is typed and read as people write it, in the shop's currency."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from privacy.models import Staff
from recommendations.models import Offer, Product, ProductChange
from tests import make

pytestmark = pytest.mark.django_db
LIST = "/admin/recommendations/product/"


def browser(role: str = Staff.Role.ADMINISTRATOR) -> Client:
    client = Client()
    client.force_login(make.staff(role))
    return client


def facts(**more: Any) -> dict[str, Any]:
    given = {"product_id": "tv-1", "title": "TV", "translations": "{}", "specs": "{}"}
    return given | {"offers-TOTAL_FORMS": "0", "offers-INITIAL_FORMS": "0"} | more


def offer(**more: str) -> dict[str, str]:
    given = {"country": "jp", "currency": "jpy", "price_minor": "9800", "stock": "2", **more}
    counts = {"offers-TOTAL_FORMS": "1", "offers-INITIAL_FORMS": "0"}
    return counts | {f"offers-0-{name}": value for name, value in given.items()}


@pytest.mark.parametrize(
    ("currency", "typed", "minor", "written"),
    [
        ("EUR", "249.00", 24_900, "€249.00"),
        ("EUR", "0.5", 50, "€0.50"),
        ("JPY", "24900", 24_900, "¥24,900"),
        ("KWD", "75.125", 75_125, "KWD75.125"),
    ],
)
def test_a_price_is_typed_and_listed_in_the_shops_currency(
    currency: str, typed: str, minor: int, written: str
) -> None:
    make.shop(currency=currency)
    client = browser()

    answer = client.post(f"{LIST}add/", facts(price_minor=typed, cost_minor=""))

    assert answer.status_code == 302
    product = Product.objects.get()
    assert (product.price_minor, product.cost_minor) == (minor, None)
    assert written in client.get(LIST).content.decode()


def test_a_price_that_is_saved_unchanged_stays_what_it_was() -> None:
    make.shop()
    product = make.product("tv-1", price_minor=24_990)
    client, page = browser(), f"{LIST}{product.pk}/change/"
    shown = client.get(page).context["adminform"].form["price_minor"].value()

    client.post(page, facts(price_minor=str(shown), cost_minor="101.25"))

    product.refresh_from_db()
    assert (str(shown), product.price_minor, product.cost_minor) == ("249.90", 24_990, 10_125)


@pytest.mark.parametrize(
    ("currency", "typed"),
    [("EUR", "-1"), ("EUR", "100000000.01"), ("EUR", "1.005"), ("JPY", "9.5")],
)
def test_an_amount_beyond_the_currency_or_reason_is_not_kept(currency: str, typed: str) -> None:
    make.shop(currency=currency)

    answer = browser().post(f"{LIST}add/", facts(price_minor=typed))

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors.keys() == {"price_minor"}
    assert not Product.objects.exists()


def test_who_may_only_look_reads_the_price_as_money() -> None:
    make.shop()
    product = make.product("tv-1", price_minor=123_456)

    page = browser(Staff.Role.VIEWER).get(f"{LIST}{product.pk}/change/").content.decode()

    assert "€1,234.56" in page
    assert "123456" not in page


@pytest.mark.parametrize("typed", ['"Phones"', "{}1", '{"Phones": 1}', "[1]"])
def test_what_a_product_is_an_accessory_for_is_a_list_of_categories(typed: str) -> None:
    make.shop()

    answer = browser().post(f"{LIST}add/", facts(accessory_for=typed))

    assert answer.context["adminform"].form.errors.keys() == {"accessory_for"}


@pytest.mark.parametrize(("typed", "kept"), [('["Phones"]', ["Phones"]), ("", []), ("[]", [])])
def test_categories_of_devices_are_kept(typed: str, kept: list[str]) -> None:
    make.shop()

    browser().post(f"{LIST}add/", facts(accessory_for=typed))

    assert Product.objects.get().accessory_for == kept


def test_the_page_of_an_accessory_says_what_it_fits_and_what_is_missing() -> None:
    make.shop()
    make.product("l1", "Laptop A", category="Laptops", specs={"needs_watts": "45 W"})
    make.product("l2", "Laptop B", category="Laptops")
    charger = make.product(
        "c", "Charger", accessory_for=["Laptops"], specs={"output_watts": "65 W", "hdmi": "fast"}
    )

    page = browser().get(f"{LIST}{charger.pk}/change/").content.decode()

    assert "1 fit, 1 unknown, 0 do not" in page
    missing = "Wattage of the device is missing, so it cannot be told whether it fits"
    assert f"{missing}: Laptop B (1 in all)." in page
    assert "<code>hdmi</code> cannot be read" in page


def test_the_page_of_a_device_says_which_accessories_fit() -> None:
    make.shop()
    laptop = make.product("l", "Laptop", category="Laptops", specs={"needs_watts": "45 W"})
    make.product("c1", "Weak", accessory_for=["Laptops"], specs={"output_watts": "20 W"})
    make.product("c2", "Known", accessory_for=["Laptops"], fits_products=["l"])
    make.product("c3", "Of phones", accessory_for=["Phones"], specs={"output_watts": "65 W"})

    page = browser().get(f"{LIST}{laptop.pk}/change/").content.decode()

    assert "1 fit, 0 unknown, 1 do not" in page
    assert "told by the catalogue" in page
    assert "Of phones" not in page


def test_the_page_shows_variants_and_what_changed_of_price_and_stock() -> None:
    make.shop()
    client = browser()
    client.post(f"{LIST}add/", facts(price_minor="20.00", stock="4", family="tv"))
    tv = Product.objects.get()
    make.product("tv-2", "The white one", family="tv")

    for price, stock in (("20.00", "4"), ("18.00", "4"), ("18.00", "3")):
        client.post(f"{LIST}{tv.pk}/change/", facts(price_minor=price, stock=stock, family="tv"))

    changes = ProductChange.objects.order_by("pk").values_list("price_minor", "stock")
    assert list(changes) == [(2_000, 4), (1_800, 4), (1_800, 3)]
    page = client.get(f"{LIST}{tv.pk}/change/").content.decode()
    assert "The white one" in page
    assert "€18.00" in page
    assert "€20.00" in page


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"gtin": "4006381333932"}, "gtin"),
        ({"price_minor": "5", "list_price_minor": "4"}, "list_price_minor"),
        ({"images": '["javascript:1"]'}, "images"),
        ({"fits_products": "[1]"}, "fits_products"),
    ],
)
def test_what_cannot_be_of_a_product_is_refused_at_its_field(
    typed: dict[str, Any], field: str
) -> None:
    make.shop()

    answer = browser().post(f"{LIST}add/", facts(**typed))

    assert answer.context["adminform"].form.errors.keys() == {field}


def test_an_offer_in_a_country_is_typed_in_its_money_and_its_price_is_remembered() -> None:
    make.shop(currency="EUR")
    client = browser()
    client.post(f"{LIST}add/", facts(**offer()))
    there = Offer.objects.get()
    page = f"{LIST}{there.product_id}/change/"
    assert (there.country, there.currency, there.price_minor) == ("JP", "JPY", 9_800)
    shown = client.get(page).context["inline_admin_formsets"][0].formset.forms[0]

    change = offer(price_minor="8800", list_price_minor="9800", id=str(there.pk))
    change |= {"offers-INITIAL_FORMS": "1", "offers-0-product": str(there.product_id)}
    client.post(page, facts(**change))

    there.refresh_from_db()
    assert str(shown["price_minor"].value()) == "9800"
    assert (there.price_minor, there.list_price_minor) == (8_800, 9_800)
    prices = ProductChange.objects.filter(country="JP").order_by("pk")
    assert list(prices.values_list("price_minor", flat=True)) == [9_800, 8_800]


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"country": "JPN"}, "country"),
        ({"country": "1P"}, "country"),
        ({"currency": "XYZ"}, "currency"),
        ({"price_minor": "98.50"}, "price_minor"),
        ({"price_minor": "NaN"}, "price_minor"),
        ({"list_price_minor": "1"}, "list_price_minor"),
    ],
)
def test_an_offer_that_cannot_be_is_refused_at_its_field(typed: dict[str, str], field: str) -> None:
    make.shop(currency="EUR")

    answer = browser().post(f"{LIST}add/", facts(**offer(**typed)))

    (errors,) = answer.context["inline_admin_formsets"][0].formset.errors
    assert errors.keys() == {field}
    assert not Offer.objects.exists()
