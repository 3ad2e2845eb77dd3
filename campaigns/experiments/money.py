"""What a campaign earned beyond what would have come anyway, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from inference import randomisation
from inference.estimate import Estimate
from inference.means import Moments

MICROS = 1_000_000


class Missing(StrEnum):
    """Why there is no return on cost."""

    NO_HOLDOUT = "no_holdout"
    TOO_FEW = "too_few"
    NO_COST = "no_cost"


@dataclass(frozen=True, slots=True)
class Earned:
    """Incremental money of all treated customers, in minor units; empty where not known.

    `roi` is (margin - cost) / cost: 0 pays its cost back, 1 earns it once more.
    """

    cost_minor: int
    revenue: Estimate | None = None
    margin: Estimate | None = None
    profit: Estimate | None = None
    roi: Estimate | None = None
    missing: Missing | None = None


def affordable(minor: int, *, micros: int, exponent: int) -> int:
    """Return how many messages of `micros` each an amount pays for, never more than whole ones.

    `micros` are millionths of the currency and above 0; a negative amount pays for none.
    """
    return int(max(0, minor) * Fraction(MICROS, 10**exponent) // micros)


def cost_minor(n_sent: int, *, micros: int, fixed_minor: int, exponent: int) -> int:
    """Return what the campaign cost, in minor units, rounded half-even.

    `micros` is the price of one message in millionths of the currency, `exponent` the
    currency's decimal places by ISO 4217 (2 for GBP, 0 for JPY).
    """
    return fixed_minor + round(Fraction(n_sent * micros * 10**exponent, MICROS))


def earned(
    *,
    net: tuple[Moments, Moments],
    margin: tuple[Moments, Moments],
    cost_minor: int,
) -> Earned:
    """Return what the treated brought more than the held out would have, for all treated.

    `net` and `margin` are (holdout, treated): money per customer in minor units, everybody
    assigned counted, whether reached or not. The cost is known, so the interval of the
    return is that of the margin.
    """
    n_treated = net[1].n
    more_margin = randomisation.difference(*margin).times(n_treated)
    profit = more_margin.plus(-cost_minor)
    return Earned(
        cost_minor=cost_minor,
        revenue=randomisation.difference(*net).times(n_treated),
        margin=more_margin,
        profit=profit,
        roi=profit.times(1 / cost_minor) if cost_minor > 0 else None,
        missing=None if cost_minor > 0 else Missing.NO_COST,
    )
