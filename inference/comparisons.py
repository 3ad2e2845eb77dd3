"""Several questions to the same data: each asked more strictly, so that all hold together."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given.

    Calling all below 0.05 makes one false call or more in at most 5 %, however the
    questions hang together. Source: S. Holm, Scand. J. Statistics 6 (1979) 65-70.
    """
    adjusted, worst = [0.0] * len(p_values), 0.0
    for passed, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, p_values[index] * (len(p_values) - passed)))
        adjusted[index] = worst
    return adjusted


def holm_confidences(p_values: Sequence[float], *, confidence: float) -> list[float]:
    """Return the confidence at which Holm tests each, so that interval and verdict agree.

    An interval of that confidence leaves zero out exactly where `holm` calls. After the
    first that does not pass, all that follow keep its level.
    """
    alpha, levels, passing = 1 - confidence, [0.0] * len(p_values), True
    level = alpha
    for passed, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if passing:
            level = alpha / (len(p_values) - passed)
            passing = p_values[index] < level
        levels[index] = 1 - level
    return levels
