"""How far the shares of groups have moved; plain arithmetic, for any process."""

from __future__ import annotations

import math
from collections.abc import Mapping

STABLE = 0.1
MOVED = 0.25  # from here on the groups no longer describe the customers
LEAST_SHARE = 0.0001  # an empty group would make the index infinite


def stability_index(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return the population stability index of two sets of shares in 0-1: 0 is no change.

    Below 0.1 is usually called stable, from 0.25 on a shift.

    Source: N. Siddiqi, Credit Risk Scorecards (2006), chapter 8.
    """
    total = 0.0
    for group in before.keys() | after.keys():
        was = max(before.get(group, 0.0), LEAST_SHARE)
        now = max(after.get(group, 0.0), LEAST_SHARE)
        total += (now - was) * math.log(now / was)
    return total
