from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import money


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("GBP", "2.665", 266),
        ("GBP", "2.675", 268),
        ("GBP", "-2.665", -266),
        ("GBP", "0.001", 0),
        ("JPY", "1234", 1234),
        ("JPY", "0.5", 0),
        ("JPY", "1.5", 2),
        ("KWD", "1.2345", 1234),
        ("CNY", "19.9", 1990),
    ],
)
def test_amounts_are_rounded_half_to_even_by_the_currencys_exponent(
    currency: str, amount: str, minor: int
) -> None:
    assert money.to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize("text", ["", "gbp", "GBPX", "XXX", "BTC"])
def test_what_is_no_currency_is_refused(text: str) -> None:
    with pytest.raises(money.UnknownCurrencyError, match="ISO 4217") as caught:
        money.exponent(text)
    assert caught.value.code == "currency_unknown"


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(money.EXPONENTS)))
def test_minor_units_come_back_from_the_amount_people_write(minor: int, currency: str) -> None:
    assert money.to_minor(money.from_minor(minor, currency), currency) == minor


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_shares_add_up_and_are_at_most_a_unit_from_their_part(
    amount: int, weights: list[int]
) -> None:
    shares = money.spread(amount, weights)

    assert sum(shares) == amount
    if total := sum(weights):
        assert all(
            abs(share - Decimal(amount * weight) / total) < 1
            for share, weight in zip(shares, weights, strict=True)
        )
