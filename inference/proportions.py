"""Rates: how many of how many."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt

from inference.distributions import normal_quantile, normal_two_sided
from inference.estimate import CONFIDENCE, Estimate

# A rate beyond 38 standard errors has a tail below the smallest float.
FARTHEST_Z = 38.0
FARTHEST_RATIO = 1e6


@dataclass(frozen=True, slots=True)
class Proportion:
    """`hits` of `n` units, at least one unit."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n or self.n == 0:
            raise ValueError(f"{self.hits} of {self.n} is no proportion")

    @property
    def rate(self) -> float:
        return self.hits / self.n


def interval(part: Proportion, *, confidence: float = CONFIDENCE) -> Estimate:
    """Wilson's score interval of a rate, as fractions within 0 and 1.

    Source: E. B. Wilson, JASA 22 (1927) 209-212.
    """
    return Estimate(part.rate, *_score(part, normal_quantile(confidence)))


def difference(
    control: Proportion, treated: Proportion, *, confidence: float = CONFIDENCE
) -> Estimate:
    """Newcombe's hybrid score interval of treated minus control, as fractions.

    0.01 is one percentage point. Source: R. G. Newcombe, Statistics in Medicine 17 (1998)
    873-890, method 10.
    """
    return _difference(control, treated, normal_quantile(confidence))


def p_value(control: Proportion, treated: Proportion) -> float:
    """Return 1 - confidence of the Newcombe interval that just touches zero.

    So it is below 0.05 exactly where the 95 % interval leaves zero out.
    """
    low, high = 0.0, FARTHEST_Z
    while high - low > 1e-12 * FARTHEST_Z:
        z = (low + high) / 2
        if _difference(control, treated, z).direction:
            low = z
        else:
            high = z
    return normal_two_sided(low)


def _score(part: Proportion, z: float) -> tuple[float, float]:
    scale = 1 + z * z / part.n
    centre = (part.rate + z * z / (2 * part.n)) / scale
    half = z / scale * sqrt(part.rate * (1 - part.rate) / part.n + (z / (2 * part.n)) ** 2)
    low = 0.0 if part.hits == 0 else max(centre - half, 0.0)
    return low, 1.0 if part.hits == part.n else min(centre + half, 1.0)


def _difference(control: Proportion, treated: Proportion, z: float) -> Estimate:
    (low_0, high_0), (low_1, high_1) = _score(control, z), _score(treated, z)
    gap = treated.rate - control.rate
    return Estimate(
        gap,
        gap - hypot(treated.rate - low_1, high_0 - control.rate),
        gap + hypot(high_1 - treated.rate, control.rate - low_0),
    )


def ratio(
    control: Proportion, treated: Proportion, *, confidence: float = CONFIDENCE
) -> Estimate | None:
    """Koopman's score interval of treated / control; None where the control has no hit.

    Its ends are the ratios at which the score statistic just reaches the quantile.

    Source: P. A. R. Koopman, Biometrics 40 (1984) 513-517; the restricted estimate in closed
    form: O. Miettinen and M. Nurminen, Statistics in Medicine 4 (1985) 213-226.
    """
    if control.hits == 0:
        return None
    z = normal_quantile(confidence)
    value = treated.rate / control.rate
    if treated.hits == 0:
        return Estimate(0.0, 0.0, _crossing(control, treated, 0.0, FARTHEST_RATIO, -z))
    low = _crossing(control, treated, value / FARTHEST_RATIO, value, z)
    return Estimate(value, low, _crossing(control, treated, value, value * FARTHEST_RATIO, -z))


def _crossing(
    control: Proportion, treated: Proportion, low: float, high: float, level: float
) -> float:
    """Find by halving where the score, which falls with the ratio, passes `level`."""
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        if _ratio_score(control, treated, middle) > level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _ratio_score(control: Proportion, treated: Proportion, ratio: float) -> float:
    """How many standard errors the data lie above `treated = ratio x control`."""
    n = control.n + treated.n
    a = ratio * n
    b = ratio * (treated.n + control.hits) + treated.hits + control.n
    rate = (b - sqrt(max(b * b - 4 * a * (control.hits + treated.hits), 0.0))) / (2 * a)
    other = min(ratio * rate, 1.0)
    variance = other * (1 - other) / treated.n + ratio**2 * rate * (1 - rate) / control.n
    gap = treated.rate - ratio * control.rate
    return gap / sqrt(variance) if variance > 0 else (gap > 0) * 2e9 - 1e9
