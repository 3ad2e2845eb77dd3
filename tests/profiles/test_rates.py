"""Money in other currencies counts at the rate of its day."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from profiles import rates
from profiles.models import CustomerTraits, Rate
from profiles.traits import featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


def put(currency: str, day: date, value: str) -> None:
    rates.put([rates.rate(currency, "EUR", day, Decimal(value))])


def at(day: int) -> datetime:
    return datetime(2026, 1, day, 12, tzinfo=UTC)


def revenue() -> int:
    featuring.build_traits(NOW)
    return CustomerTraits.objects.get().revenue_minor


def test_an_order_counts_at_the_rate_of_its_day_and_not_at_a_later_one() -> None:
    ann = make.customer()
    put("USD", date(2026, 1, 1), "0.9")
    put("USD", date(2026, 1, 10), "0.5")
    make.order(ann, ("tv", "Video", 1, 10_000), at=at(5), currency="USD")
    make.order(ann, ("tv", "Video", 1, 10_000), at=at(15), currency="USD")
    make.order(ann, ("tv", "Video", 1, 333), at=at(15))

    assert revenue() == 9_000 + 5_000 + 333
    assert CustomerTraits.objects.get().category_shares == {"Video": 1.0}


def test_an_order_without_a_rate_of_its_day_is_left_out_until_there_is_one() -> None:
    ann = make.customer()
    put("USD", date(2026, 1, 10), "0.5")
    make.order(ann, ("tv", "", 1, 10_000), at=at(5), currency="USD")
    assert revenue() == 0

    put("USD", date(2026, 1, 1), "0.9")

    assert revenue() == 9_000


def test_currencies_without_decimals_are_converted_by_their_units() -> None:
    put("JPY", date(2026, 1, 1), "0.0062")
    make.order(make.customer(), ("tv", "", 1, 10_000), at=at(5), currency="JPY")

    assert revenue() == 6_200  # 10,000 yen are 62 euros


def test_refunds_are_converted_like_the_order_they_belong_to() -> None:
    put("USD", date(2026, 1, 1), "0.9")
    order = make.order(make.customer(), ("tv", "", 2, 5_000), at=at(5), currency="USD")
    make.refund(order.lines.get(), amount_minor=5_000, at=at(6))

    assert revenue() == 4_500


def test_rates_come_from_a_file_of_rows_and_twice_is_once(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("date,currency,rate\n2026-01-05,usd,0.92\n2026-01-05,GBP,1.15\n")

    for _ in range(2):
        call_command("import_rates", str(path), stdout=io.StringIO())

    assert sorted(Rate.objects.values_list("currency", "rate")) == [
        ("GBP", Decimal("1.15")), ("USD", Decimal("0.92")),
    ]  # fmt: skip


def test_the_history_of_the_european_central_bank_is_crossed_over_the_euro(tmp_path: Path) -> None:
    path = tmp_path / "eurofxref-hist.csv"
    path.write_text("Date,USD,JPY,CYP,\n2026-01-05,1.25,160,N/A,\n2026-01-02,1.20,N/A,N/A,\n")

    call_command("import_rates", str(path), to="USD", stdout=io.StringIO())

    found = {(r.currency, r.valid_from.day): r.rate for r in Rate.objects.all()}
    assert found == {
        ("EUR", 5): Decimal("1.25"), ("JPY", 5): Decimal("0.0078125"), ("EUR", 2): Decimal("1.2"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("date,currency,rate\nyesterday,USD,1\n", "Line 2"),
        ("date,currency,rate\n2026-01-05,USD,much\n", "Line 2"),
        ("date,currency,rate\n2026-01-05,USD,-1\n", "is no rate"),
        ("date,currency,rate\n2026-01-05,XXX,1\n", "not a currency"),
        ("a,b\n1,2\n", "date, currency and rate"),
    ],
)
def test_a_file_of_rates_that_cannot_be_says_why_and_changes_nothing(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)

    with pytest.raises(CommandError, match=told):
        call_command("import_rates", str(path), stdout=io.StringIO())

    assert not Rate.objects.exists()


def test_a_rate_is_entered_in_the_admin(client: Client) -> None:
    client.force_login(make.staff())
    told = {"currency": "usd", "to_currency": "EUR", "valid_from": "2026-01-05", "rate": "0.9"}

    client.post("/admin/profiles/rate/add/", told)
    wrong = client.post("/admin/profiles/rate/add/", told | {"currency": "XXX"})

    assert Rate.objects.get().factor == 900_000_000
    assert "not a currency" in wrong.content.decode()
