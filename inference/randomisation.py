"""Tell an effect from the luck of the deal, made for money per customer.

Few customers spend most of the money, and a holdout is a tenth of the customers. If the
big spenders all fall into the other arm, the holdout's own variance says nothing of them,
and Welch's interval is far too sure. Here the customers of both arms are dealt out anew, in
thought: under "nobody spends otherwise because of it" every deal was equally likely, so
the differences of all deals say how large one can be by chance. Their mean, variance
and skewness follow exactly from sums; a Pearson III curve with these gives the quantiles.

Source: E. J. G. Pitman, Suppl. JRSS 4 (1937) 119-130; the curve: P. W. Mielke and
K. J. Berry, Permutation Methods (2007), chapter 2. Measured in
`docs/decisions/0002-money-is-compared-by-the-deal.md`.
"""

from __future__ import annotations

from math import sqrt

from inference.distributions import (
    normal_quantile,
    normal_two_sided,
    skewed_normal_score,
    skewed_quantile,
)
from inference.estimate import CONFIDENCE, Estimate
from inference.means import Moments


def difference(control: Moments, treated: Moments, *, confidence: float = CONFIDENCE) -> Estimate:
    """Return treated minus control per unit, in the unit of the values.

    The interval holds every shift, the same for each unit, that the deals do not rule out.
    Needs three units in all, one in each arm; values that are all the same give no width.
    """
    gap = treated.mean - control.mean
    spread, skewness = _deals(control, treated)
    z = normal_quantile(confidence)
    return Estimate(
        gap,
        gap - spread * skewed_quantile(z, skewness),
        gap - spread * skewed_quantile(-z, skewness),
    )


def p_value(control: Moments, treated: Moments) -> float:
    """Return twice the smaller share of deals that differ as much; 1 if all units are alike.

    It is below 0.05 exactly where the 95 % interval of `difference` leaves zero out.
    """
    spread, skewness = _deals(control, treated)
    if spread == 0:
        return 1.0
    gap = (treated.mean - control.mean) / spread
    return normal_two_sided(skewed_normal_score(gap, skewness))


def _deals(control: Moments, treated: Moments) -> tuple[float, float]:
    """Standard deviation and skewness of the difference over all deals, exactly."""
    everybody = control + treated
    spread = sqrt(everybody.variance * (1 / control.n + 1 / treated.n))
    if spread == 0:
        return 0.0, 0.0
    third = everybody.third * (1 / treated.n**2 - 1 / control.n**2)
    return spread, third / spread**3
