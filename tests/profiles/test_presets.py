"""Exports of other programs come in as those programs write them; the samples are made up."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from privacy.purposes import purpose
from profiles.files import presets, tables
from profiles.importing import uploads
from profiles.models import Customer, Order, OrderLine, Upload
from tests.make import NOW

pytestmark = pytest.mark.django_db
FOLDER = Path(__file__).parents[1] / "data" / "presets"
PEOPLE = {
    "shopify": ("shopify_customers.csv", ["7001", "7002"]),
    "woocommerce": ("woocommerce_customers.csv", ["42", "43"]),
    "klaviyo": ("klaviyo_profiles.csv", ["7001", "01HABC0000000000000000002"]),
    "mautic": ("mautic_contacts.csv", ["11", "12"]),
}


def load(command: str, name: str, **options: Any) -> Upload:
    call_command(command, str(FOLDER / name), stdout=io.StringIO(), **options)
    return Upload.objects.latest("pk")


def orders(preset: str, currency: str) -> Upload:
    options = {"format": preset, "currency": currency, "timezone": "UTC"}
    return load("import_orders", f"{preset}_orders.csv", **options)


@pytest.mark.parametrize("preset", PEOPLE)
def test_people_of_an_export_come_in_with_name_address_and_place(preset: str) -> None:
    name, ids = PEOPLE[preset]

    upload = load("import_customers", name, format=preset)

    assert upload.summary["counts"] == {"rows": 2, "added": 2}
    ann = Customer.objects.get(email="ann.lee@example.com", phone="+441134960001")
    joerg = Customer.objects.get(email="joerg.weiss@example.de")
    assert [ann.external_id, joerg.external_id] == ids
    assert (ann.city, joerg.city) == ("Leeds", "Köln")
    assert joerg.full_name
    with purpose("import", actor="test", now=NOW):
        assert joerg.full_name.reveal() == "Jörg Weiß"


@pytest.mark.parametrize(
    ("kind", "name", "preset"),
    [("customers", name, preset) for preset, (name, _ids) in PEOPLE.items()]
    + [("orders", f"{preset}_orders.csv", preset) for preset in ("shopify", "woocommerce")],
)
def test_an_export_is_known_by_its_columns(kind: str, name: str, preset: str) -> None:
    content = (FOLDER / name).read_bytes()

    found = uploads.preview(io.BytesIO(content), kind, n_bytes=len(content))

    assert (found.format, found.problems) == (preset, [])
    assert not any("example.com" in value for row in found.rows for value in row)


def test_orders_of_shopify_add_up_to_the_subtotals_it_wrote() -> None:
    load("import_customers", "shopify_customers.csv", format="shopify")

    upload = orders("shopify", "GBP")

    first, second = Order.objects.order_by("number")
    assert first.customer == Customer.objects.get(external_id="7001")
    assert (first.total_minor, first.discount_minor, first.status) == (22980, 2000, "fulfilled")
    assert (first.placed_at.isoformat(), first.country) == ("2026-01-05T10:30:00+00:00", "GB")
    assert (second.customer, second.total_minor, second.status) == (None, 5900, "placed")
    products = OrderLine.objects.values_list("product_id", "quantity")
    assert sorted(products) == [("CB-1", 2), ("HP-200", 1), ("Smart plug", 1)]
    assert upload.summary["buckets"]["GBP"]["set_aside:cancelled"] == [1, 5900]
    assert upload.summary["balanced"]


def test_orders_of_woocommerce_take_the_coupon_off_each_item() -> None:
    load("import_customers", "woocommerce_customers.csv", format="woocommerce")

    orders("woocommerce", "EUR")

    first, second = Order.objects.order_by("number")
    assert (first.total_minor, first.discount_minor, first.status) == (9000, 1000, "fulfilled")
    assert first.customer == Customer.objects.get(external_id="42")
    assert second.customer == Customer.objects.get(external_id="43")  # by the address
    assert sorted(first.lines.values_list("product_id", "total_minor")) == [
        ("502", 4500), ("HP-200", 4500),
    ]  # fmt: skip


def test_an_export_brought_in_twice_adds_nothing_twice() -> None:
    for _ in range(2):
        load("import_customers", "shopify_customers.csv", format="shopify")
        orders("shopify", "GBP")

    assert (Customer.objects.count(), Order.objects.count(), OrderLine.objects.count()) == (2, 2, 3)


def test_reading_an_export_goes_on_in_the_middle_of_an_order_with_what_its_first_row_says() -> None:
    content = (FOLDER / "shopify_orders.csv").read_bytes()
    table = tables.table(io.BytesIO(content), n_bytes=len(content))

    number, row = next(
        presets.PresetTable(table, presets.PRESETS["orders", "shopify"]).rows(after=2)
    )

    assert number == 3
    assert isinstance(row, list)
    told = dict(zip(presets.ORDER_FIELDS, row, strict=True))
    assert (told["currency"], told["status"], told["discount"]) == ("GBP", "fulfilled", "4.00")


def test_orders_of_any_file_find_their_customer_by_address(tmp_path: Path) -> None:
    load("import_customers", "shopify_customers.csv", format="shopify")
    path = tmp_path / "orders.csv"
    path.write_text("nr,sku,n,price,at,mail\nA1,p1,1,5,2026-01-05,Ann.Lee@example.com\n")

    call_command(
        "import_orders", str(path), currency="EUR", timezone="UTC", stdout=io.StringIO(),
        map=["order=nr", "product=sku", "quantity=n", "price=price", "placed_at=at",
             "customer_email=mail"],
    )  # fmt: skip

    assert Order.objects.get().customer == Customer.objects.get(external_id="7001")
