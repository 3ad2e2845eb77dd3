"""Money, shares, counts and days as the readers of a language write them.

Babel is loaded by the first figure shown and not by the start of every process.
"""

from __future__ import annotations

from copy import copy
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from django.utils.translation import to_locale

from profiles.money import exponent

if TYPE_CHECKING:
    from babel import Locale
    from babel.numbers import NumberPattern


def money(minor: float, currency: str, language: str) -> str:
    """Return minor units as an amount: 123456 in EUR is €1,234.56. Raises UnknownCurrencyError.

    Decimals are those of ISO 4217: what CLDR would round away is money all the same.
    """
    amount = Decimal(str(minor)).scaleb(-exponent(currency))
    pattern = _money_pattern(language, exponent(currency))
    written = pattern.apply(amount, _locale(language), currency=currency, currency_digits=False)
    return str(written)


def percent(rate: float, language: str, pattern: str = "#,##0.0%") -> str:
    """Return a rate in 0-1 as percent."""
    from babel.numbers import format_percent  # noqa: PLC0415

    return str(format_percent(rate, pattern, locale=_locale(language)))


def number(value: float, language: str, pattern: str | None = None) -> str:
    from babel.numbers import format_decimal  # noqa: PLC0415

    return str(format_decimal(value, pattern, locale=_locale(language)))


def country(code: str, language: str) -> str:
    """Return what a language calls the country of an ISO code; the code where it is none."""
    return str(_locale(language).territories.get(code, code))


def day(of: date, language: str) -> str:
    """Return a date with its month in words, such as 2 March 2026."""
    from babel.dates import format_date  # noqa: PLC0415

    return str(format_date(of, "long", locale=_locale(language)))


@lru_cache(maxsize=256)
def _money_pattern(language: str, n_decimals: int) -> NumberPattern:
    """Return how a language writes money, with that many decimals."""
    pattern: NumberPattern = copy(_locale(language).currency_formats["standard"])
    pattern.frac_prec = (n_decimals, n_decimals)
    return pattern


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    """Return the conventions of a language code such as zh-hans; English for an unknown one."""
    from babel.core import Locale, UnknownLocaleError  # noqa: PLC0415

    try:
        return Locale.parse(to_locale(language))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en")
