"""Before a campaign: the smallest effect that its audience and holdout can show."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from inference.distributions import normal_quantile

POWER = 0.8
# The report tests two numbers of sales by Holm; one that moves alone is tested at 1 - 0.05 / 2.
CONFIDENCE = 0.975
NEAR = 1e-9


def smallest_rise(
    n_control: int,
    n_treated: int,
    rate: float,
    *,
    confidence: float = CONFIDENCE,
    power: float = POWER,
) -> float | None:
    """Return the smallest rise of a rate, as a fraction, that is found with the given power.

    `rate` is what the control is expected to have; 0.01 is one percentage point. None where an
    arm is empty, or no rise at all would be found. For one look at the end, as the report
    takes.

    Source: J. L. Fleiss, B. Levin, M. C. Paik, Statistical Methods for Rates and Proportions
    (2003), formula 4.14 solved for the difference, without continuity correction.
    """
    if not (n_control and n_treated and 0 <= rate < 1):
        return None
    z_test, z_power = normal_quantile(confidence), NormalDist().inv_cdf(power)

    def is_found(rise: float) -> bool:
        treated = rate + rise
        pooled = (n_control * rate + n_treated * treated) / (n_control + n_treated)
        alike = sqrt(pooled * (1 - pooled) * (1 / n_control + 1 / n_treated))
        apart = sqrt(rate * (1 - rate) / n_control + treated * (1 - treated) / n_treated)
        return rise >= z_test * alike + z_power * apart

    low, high = 0.0, 1 - rate
    if not is_found(high):
        return None
    while high - low > NEAR:
        middle = (low + high) / 2
        low, high = (low, middle) if is_found(middle) else (middle, high)
    return high
