from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from profiles.money import UnknownCurrencyError
from profiles.orders.formats import ONLINE_RETAIL, ImportOptionError, OrderOptions
from profiles.orders.parsing import Line, LineParser, RejectedError, SetAside
from tests.make import NOW

FIELDS = (
    "order", "product", "quantity", "price", "placed_at", "customer", "title", "category",
    "discount", "currency", "country", "status",
)  # fmt: skip
GOOD = {
    "order": "o-1",
    "product": "p-1",
    "quantity": "2",
    "price": "9.99",
    "placed_at": "2026-02-01 10:00:00",
    "customer": "c-1",
}


def parse(row: dict[str, str] | None = None, **options: Any) -> Line | SetAside:
    mapping = {"columns": {name: name for name in FIELDS}, "currency": "EUR", "time_zone": "UTC"}
    parser = LineParser(
        OrderOptions(**(mapping | options)),
        {name: at for at, name in enumerate(FIELDS)},
        now=NOW,
        adapt=lambda moment: moment,
        categories={"p-9": "Audio"},
    )
    values = GOOD | (row or {})
    return parser.parse([values.get(name, "") for name in FIELDS])


def line(row: dict[str, str] | None = None, **options: Any) -> Line:
    found = parse(row, **options)
    assert isinstance(found, Line)
    return found


def rejected(row: dict[str, str], **options: Any) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        parse(row, **options)
    return caught.value


def test_a_plain_sale_is_kept_as_it_stands() -> None:
    found = line({"title": " Headphones ", "category": "Audio", "discount": "1.98"})

    assert found == Line(
        kind="sale",
        number="o-1",
        customer="c-1",
        product="p-1",
        title="Headphones",
        category="Audio",
        quantity=2,
        price="9.99",
        unit_price_minor=999,
        discount_minor=198,
        total_minor=1800,
        currency="EUR",
        placed_at=datetime(2026, 2, 1, 10, tzinfo=UTC),
        country="",
        status="fulfilled",
    )


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"quantity": "two"}, "quantity_unreadable"),
        ({"quantity": ""}, "quantity_unreadable"),
        ({"quantity": "1.5"}, "quantity_unreadable"),
        ({"quantity": "1_0"}, "quantity_unreadable"),
        ({"quantity": "0"}, "quantity_zero"),
        ({"quantity": "1000001"}, "quantity_absurd"),
        ({"price": "NaN"}, "price_unreadable"),
        ({"price": "inf"}, "price_unreadable"),
        ({"price": "1e5"}, "price_unreadable"),
        ({"price": "9,99"}, "price_unreadable"),
        ({"price": "-1"}, "price_negative"),
        ({"price": "100000001"}, "price_absurd"),
        ({"discount": "much"}, "discount_unreadable"),
        ({"discount": "20.00"}, "discount_absurd"),
        ({"discount": "-1"}, "discount_absurd"),
        ({"placed_at": "yesterday"}, "date_unreadable"),
        ({"placed_at": "2026-02-30"}, "date_unreadable"),
        ({"placed_at": "2026-03-02 09:00:01"}, "date_in_future"),
        ({"placed_at": "0001-01-01"}, "date_absurd"),
        ({"currency": "GBX"}, "currency_unknown"),
        ({"status": "lost"}, "status_unknown"),
        ({"order": " "}, "order_missing"),
        ({"product": ""}, "product_missing"),
        ({"product": "p" * 101}, "id_too_long"),
        ({"customer": "c" * 101}, "customer_too_long"),
        ({"customer": "ann@example.com"}, "customer_is_personal"),
        ({"customer": "+49 151 1234567"}, "customer_is_personal"),
        ({"customer": "13800138000"}, "customer_is_personal"),
        ({"customer": "web: +49 151 1234567"}, "customer_is_personal"),
        ({"order": "ann@example.com"}, "id_is_personal"),
        ({"order": "2026/+49 151 1234567"}, "id_is_personal"),
        ({"product": "for ann@example.com"}, "id_is_personal"),
        ({"quantity": "-2", "discount": "-50"}, "refund_not_negative"),
    ],
)
def test_what_cannot_be_right_is_rejected_with_a_code(row: dict[str, str], code: str) -> None:
    assert rejected(row).code == code


def test_an_id_of_plain_digits_is_no_telephone_number() -> None:
    found = line({"order": "13800138000", "product": "8613800138000"})

    assert (found.number, found.product) == ("13800138000", "8613800138000")


def test_no_text_of_a_line_carries_a_person() -> None:
    told = "ann@example.com +49 151 23456789"

    found = line({"title": told, "category": told, "country": told})

    assert {found.title, found.category, found.country} == {"[email] [phone]"}


def test_a_rejected_row_has_its_amount_where_that_can_be_read() -> None:
    assert rejected({"placed_at": "2030-01-01"}).amount == ("EUR", 1998)
    assert rejected({"price": "NaN"}).amount is None


def test_a_time_without_an_offset_is_the_shops() -> None:
    summer, winter = "2025-07-01 00:30:00", "2025-12-01 00:30:00"

    assert line({"placed_at": summer}, time_zone="Europe/London").placed_at == datetime(
        2025, 6, 30, 23, 30, tzinfo=UTC
    )
    assert line({"placed_at": winter}, time_zone="Europe/London").placed_at == datetime(
        2025, 12, 1, 0, 30, tzinfo=UTC
    )
    assert line({"placed_at": f"{summer}+08:00"}, time_zone="Europe/London").placed_at == datetime(
        2025, 6, 30, 16, 30, tzinfo=UTC
    )


def test_other_ways_to_write_numbers_and_days_are_read_when_they_are_named() -> None:
    found = line(
        {"price": "9,99", "placed_at": "01/12/2025 07:45"},
        decimal_comma=True,
        date_format="%d/%m/%Y %H:%M",
    )

    assert (found.unit_price_minor, found.placed_at.month) == (999, 12)


def test_the_price_in_the_key_of_a_line_does_not_depend_on_needless_zeros() -> None:
    assert line({"price": "2.1"}).price == line({"price": "+2.100"}).price == "2.1"
    assert line({"price": "100"}).price == "100"


def test_the_amount_is_rounded_once_at_the_line() -> None:
    found = line({"price": "0.125", "quantity": "5"})

    assert (found.unit_price_minor, found.total_minor) == (12, 62)


def test_currencies_without_decimals_have_none() -> None:
    assert line({"price": "1980", "currency": "jpy"}).total_minor == 3960


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"price": "0"}, "free_of_charge"),
        ({"price": "0.00", "customer": ""}, "stock_adjustment"),
        ({"price": "0", "quantity": "-3"}, "stock_adjustment"),
        ({"status": "Canceled"}, "cancelled"),
    ],
)
def test_what_is_no_sale_is_set_aside_with_a_reason(row: dict[str, str], reason: str) -> None:
    found = parse(row)

    assert isinstance(found, SetAside)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("POST", "postage"), ("dot", "postage"), ("C2", "postage"), ("m", "manual"),
        ("D", "discount"), ("ADJUST2", "adjustment"), ("B", "bad_debt"), ("S", "sample"),
        ("BANK CHARGES", "fee"), ("AMAZONFEE", "fee"), ("TEST001", "test"),
        ("gift_0001_30", "voucher"),
    ],
)  # fmt: skip
def test_codes_of_the_online_retailer_that_are_no_goods_are_known(code: str, reason: str) -> None:
    row = {"Invoice": "489434", "StockCode": code, "Quantity": "1", "Price": "5.0",
           "InvoiceDate": "2009-12-01 07:45:00", "Customer ID": "13085.0"}  # fmt: skip
    parser = online_retail(row)

    assert parser == SetAside(reason, "GBP", 500)


@pytest.mark.parametrize("code", ["PADS", "SP1002", "DCGS0058", "85123A", "15056BL"])
def test_odd_codes_of_goods_stay_goods(code: str) -> None:
    row = {"Invoice": "C489434", "StockCode": code.lower(), "Quantity": "-1", "Price": "5.0",
           "InvoiceDate": "2009-12-01 07:45:00", "Customer ID": "13085.0"}  # fmt: skip
    found = online_retail(row)

    assert isinstance(found, Line)
    assert (found.kind, found.product, found.customer) == ("refund", code, "13085")


def online_retail(row: dict[str, str]) -> Line | SetAside:
    parser = LineParser(
        OrderOptions(currency="GBP", time_zone="Europe/London", format=ONLINE_RETAIL),
        {name: at for at, name in enumerate(row)},
        now=NOW,
        adapt=lambda moment: moment,
        categories={},
    )
    return parser.parse(list(row.values()))


def test_options_that_cannot_be_name_what_can() -> None:
    columns = {name: name for name in ("order", "product", "quantity", "price", "placed_at")}
    with pytest.raises(ImportOptionError, match=r"colour cannot be mapped; .* order, product"):
        OrderOptions("EUR", "UTC", columns=columns | {"colour": "x"})
    with pytest.raises(ImportOptionError, match=r"hold price \(--map"):
        OrderOptions("EUR", "UTC", columns=columns | {"price": ""})
    with pytest.raises(ImportOptionError, match=r"Mars/Olympus .* Europe/London"):
        OrderOptions("EUR", "Mars/Olympus", columns=columns)
    with pytest.raises(ImportOptionError, match=r"excel .* online-retail, csv"):
        OrderOptions("EUR", "UTC", format="excel", columns=columns)
    with pytest.raises(UnknownCurrencyError):
        OrderOptions("EURO", "UTC", columns=columns)
