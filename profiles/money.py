"""Money as whole minor units: exponents of ISO 4217, rounding half to even at the line."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from django.utils.translation import gettext as _

from privacy.problems import DomainError

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_TWO = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD
    CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
    PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS
    TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
EXPONENTS = {
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_THREE.split(), 3),
}


class UnknownCurrencyError(DomainError):
    """The text is no currency of ISO 4217 that money can be in."""


def exponent(currency: str) -> int:
    """Return how many decimals the currency has: 2 for GBP, 0 for JPY, 3 for KWD.

    Raises UnknownCurrencyError. Source: ISO 4217, list one.
    """
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrencyError(
            "currency_unknown",
            _("%(text)s is not a currency; use a code of ISO 4217 such as GBP, EUR or CNY.")
            % {"text": repr(currency[:8])},
            pointer="/currency",
        ) from None


def to_minor(amount: Decimal, currency: str) -> int:
    """Return an amount in whole minor units, half to even: 2.675 GBP is 268, 2.665 GBP is 266."""
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_EVEN))


def from_minor(minor: int, currency: str) -> Decimal:
    """Return minor units as the amount people write: 268 in GBP is 2.68."""
    return Decimal(minor).scaleb(-exponent(currency))


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Share `amount` out in proportion to `weights`, to the last unit (largest remainder).

    The shares add up to `amount`; with no weight at all the first one takes everything.
    """
    total = sum(weights)
    if not total:
        return [amount if index == 0 else 0 for index in range(len(weights))]
    shares = [amount * weight // total for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda index: (-(amount * weights[index] % total), index)
    )
    for index in by_remainder[: amount - sum(shares)]:
        shares[index] += 1
    return shares
