from __future__ import annotations

from datetime import date

import pytest

from profiles import figures


@pytest.mark.parametrize(
    ("minor", "currency", "language", "written"),
    [
        (123_456, "EUR", "en", "€1,234.56"),
        (123_456, "CNY", "zh-hans", "¥1,234.56"),
        (1_234, "JPY", "en", "¥1,234"),
        (-250, "GBP", "en", "-£2.50"),
        (12_345, "KWD", "en", "KWD12.345"),
    ],
)
def test_money_is_written_as_its_readers_write_it(
    minor: int, currency: str, language: str, written: str
) -> None:
    assert figures.money(minor, currency, language) == written


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [(123_456, "RSD", "RSD1,234.56"), (5, "IQD", "IQD0.005"), (1_050, "COP", "COP10.50")],
)
def test_money_has_the_decimals_of_iso_4217_and_not_those_that_cldr_shows(
    minor: int, currency: str, written: str
) -> None:
    assert figures.money(minor, currency, "en") == written


def test_an_estimate_between_two_minor_units_is_rounded_to_one() -> None:
    assert figures.money(-1_234.567, "EUR", "en") == "-€12.35"


def test_a_language_nobody_knows_is_read_as_english() -> None:
    assert figures.money(199, "EUR", "xx-yy") == "€1.99"


def test_shares_counts_and_days_have_the_languages_form() -> None:
    assert figures.percent(0.1234, "en") == "12.3%"
    assert figures.number(1_234_567, "de") == "1.234.567"
    assert figures.day(date(2026, 3, 2), "zh-hans") == "2026年3月2日"
