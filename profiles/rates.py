"""Exchange rates: brought in by file, applied to an order at the rate of its day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from privacy.problems import DomainError
from profiles import changes, money
from profiles.files.reading import BadRow, Table
from profiles.models import Order, Rate

BILLION: Final = 10**9
DAY_NAMES: Final = ("date", "day", "valid_from", "日期")
WRITTEN_AT_ONCE: Final = 2_000


class RateError(DomainError):
    """A rate or a file of rates that cannot be; the text says what to do."""


def rate(currency: str, to_currency: str, valid_from: dt.date, value: Decimal) -> Rate:
    """Return an unsaved rate. Raises UnknownCurrencyError or RateError."""
    shift = money.exponent(to_currency) - money.exponent(currency)
    if not value.is_finite() or not 0 < value < Decimal(10) ** 9:
        raise RateError(
            "rate_invalid",
            _("%(value)s is no rate; write how many %(to)s one %(from)s is worth, such as 1.0825.")
            % {"value": value, "to": to_currency, "from": currency},
            pointer="/rate",
        )
    factor = int((value.scaleb(shift) * BILLION).to_integral_value())
    return Rate(
        currency=currency,
        to_currency=to_currency,
        valid_from=valid_from,
        rate=value,
        factor=max(factor, 1),
    )


@transaction.atomic
def put(rates: Sequence[Rate]) -> int:
    """Store rates, each in the place of one of the same day; marks the buyers they concern."""
    wanted = {(one.currency, one.to_currency, one.valid_from): one for one in rates}
    Rate.objects.bulk_create(
        wanted.values(),
        batch_size=WRITTEN_AT_ONCE,
        update_conflicts=True,
        unique_fields=["currency", "to_currency", "valid_from"],
        update_fields=["rate", "factor"],
    )
    for currency in sorted({one.currency for one in wanted.values()}):
        since = min(one.valid_from for one in wanted.values() if one.currency == currency)
        begin = dt.datetime.combine(since, dt.time.min, dt.UTC) - dt.timedelta(days=1)
        orders = Order.objects.filter(currency=currency, placed_at__gte=begin)
        buyers = orders.exclude(customer=None).values_list("customer", flat=True)
        changes.mark(set(buyers))
    return len(wanted)


def read(table: Table, *, to_currency: str) -> Iterator[Rate]:
    """Yield the rates of a file: a row each (date, currency, rate), or a column each currency.

    In a file with a column each, such as that of the European Central Bank, a number says how
    much of the column's currency one euro is worth; other currencies are crossed over the euro.
    Raises RateError naming the line.
    """
    names = [name.strip().lower() for name in table.columns]
    if {"currency", "rate"} <= set(names):
        yield from _long(table, names, to_currency)
    else:
        yield from _wide(table, to_currency)


def _long(table: Table, names: Sequence[str], to_currency: str) -> Iterator[Rate]:
    day = next((names.index(name) for name in DAY_NAMES if name in names), -1)
    if day < 0:
        raise RateError("columns_missing", _("The file needs the columns date, currency and rate."))
    currency, value = names.index("currency"), names.index("rate")
    for line, row in table.rows():
        if isinstance(row, BadRow):
            raise _wrong(line)
        amount = _decimal(row[value], line)
        yield rate(row[currency].strip().upper(), to_currency, _day(row[day], line), amount)


def _wide(table: Table, to_currency: str) -> Iterator[Rate]:
    currencies = [(at, name) for at, name in enumerate(table.columns) if name in money.EXPONENTS]
    if not currencies:
        raise RateError("columns_missing", _("The file needs the columns date, currency and rate."))
    for line, row in table.rows():
        if isinstance(row, BadRow):
            raise _wrong(line)
        told = {name: row[at].strip() for at, name in currencies}
        per_euro = {
            name: _decimal(text, line)
            for name, text in told.items()
            if text and text.upper() != "N/A"
        } | {"EUR": Decimal(1)}
        if to_currency not in per_euro:
            continue
        day = _day(row[0], line)
        for name, value in per_euro.items():
            if name != to_currency and value > 0:
                crossed = (per_euro[to_currency] / value).quantize(Decimal("1e-10"))
                yield rate(name, to_currency, day, crossed)


def _day(text: str, line: int) -> dt.date:
    try:
        return dt.date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise _wrong(line) from None


def _decimal(text: str, line: int) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise _wrong(line) from None


def _wrong(line: int) -> RateError:
    return RateError(
        "rate_unreadable",
        _("Line %(line)d is no rate; it needs a day written 2026-01-05 and a number.")
        % {"line": line},
    )
