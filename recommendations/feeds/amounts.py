"""Amounts as feeds write them: 15.00 USD, USD 15, 1.299,00 EUR."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple

from profiles.money import EXPONENTS, to_minor
from recommendations.feeds.faults import Fault, RowError

MOST: Final = Decimal(10) ** 10
AMOUNT: Final = re.compile(r"(?:([A-Za-z]{3})\s*)?(-?\d[\d.,' \u00a0]*)\s*([A-Za-z]{3})?")


class Price(NamedTuple):
    minor: int
    currency: str


def price(text: str, field: str, *, currency: str) -> Price:
    """Read an amount; without a currency of its own it is in `currency`.

    Raises RowError: `price_invalid`, `price_negative`, `price_too_large`, `currency_unknown`,
    `currency_missing`.
    """
    found = AMOUNT.fullmatch(text.strip())
    if found is None or (found[1] and found[3]):
        raise RowError(Fault("price_invalid", field, text))
    name = (found[1] or found[3] or currency).upper()
    if not name:
        raise RowError(Fault("currency_missing", field, text))
    if name not in EXPONENTS:
        raise RowError(Fault("currency_unknown", field, text))
    amount = _number(found[2], text, field, EXPONENTS[name])
    if amount < 0:
        raise RowError(Fault("price_negative", field, text))
    if amount > MOST:
        raise RowError(Fault("price_too_large", field, text))
    return Price(to_minor(amount, name), name)


def _number(digits: str, text: str, field: str, exponent: int) -> Decimal:
    """Read 1,299.00 and 1.299,00: the last mark parts the fraction if it can be one."""
    plain = re.sub(r"['\s\u00a0]", "", digits)
    marks = [sign for sign in plain if sign in ".,"]
    if not marks:
        return Decimal(plain)
    whole, last, fraction = plain.rpartition(marks[-1])
    groups = re.split(r"[.,]", whole.removeprefix("-"))
    is_grouped = len(groups) == 1 or all(len(group) == 3 for group in groups[1:])  # noqa: PLR2004
    # 1,299 without another mark is one thousand, unless the mark is the point of 1.299 KWD.
    is_thousands = len(fraction) == 3 and (  # noqa: PLR2004
        (len(marks) > 1 and set(marks) == {last}) or (last == "," and exponent != 3)  # noqa: PLR2004
    )
    if is_thousands and is_grouped:
        return Decimal(whole.replace(".", "").replace(",", "") + fraction)
    if not fraction or not is_grouped or (len(marks) > 1 and last in marks[:-1]):
        raise RowError(Fault("price_invalid", field, text))
    return Decimal(f"{whole.replace('.', '').replace(',', '')}.{fraction}")
