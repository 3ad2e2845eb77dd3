"""How often this shop's own customers make the report call an effect where there is none.

The customers of a campaign are dealt into its arms anew, by other salts. Whatever they
bought, they did not buy it for the arm they fall into now, so each effect found is false.
Imported by commands only: it needs numpy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from uuid import uuid5

import numpy as np
from django.db.models import Q, Sum
from numpy.typing import NDArray

from campaigns.experiments import assignment
from campaigns.experiments.assignment import HOLDOUT
from campaigns.experiments.findings import ArmSums, Code, conclude
from campaigns.models import Campaign
from inference import means, proportions, randomisation
from inference.means import Moments
from inference.proportions import Proportion

WRONG = frozenset({Code.SALES_UP, Code.SALES_DOWN, Code.MIXED})


@dataclass(frozen=True, slots=True)
class FalseCalls:
    """What `n_deals` deals without any effect were called.

    `buyers` and `net` count intervals of 95 % that leave zero out, of each number alone;
    `welch` those of Welch's for net revenue, to compare with.
    """

    n_customers: int
    n_buyers: int
    n_deals: int
    codes: Counter[Code]
    buyers: int
    net: int
    welch: int

    @property
    def n_false(self) -> int:
        return sum(self.codes[code] for code in WRONG)

    @property
    def rate(self) -> float:
        return self.n_false / self.n_deals


def count(campaign: Campaign, now: datetime, *, salts: int) -> FalseCalls:
    """Deal the campaign's customers out `salts` times and count what the report concludes.

    The orders are those that `attribution.attribute` last counted, until `now`.
    """
    known = Q(conversions__ordered_at__lte=now)
    rows = list(
        campaign.deliveries.annotate(
            net=Sum("conversions__net_minor", filter=known, default=0),
            margin=Sum("conversions__margin_minor", filter=known, default=0),
        )
        .order_by("customer__external_id")
        .values_list("customer__external_id", "net", "margin")
    )
    units = [unit for unit, _net, _margin in rows]
    money = np.array([row[1:] for row in rows], dtype=float).reshape(-1, 2)
    weights = {variant.key: variant.weight for variant in campaign.variants.all()}
    codes: Counter[Code] = Counter()
    alone: Counter[str] = Counter()
    for number in range(salts):
        salt = str(uuid5(campaign.salt, str(number)))
        arms = list(_deal(units, money, salt, campaign.holdout_ppm, weights))
        found = conclude(arms, holdout_ppm=campaign.holdout_ppm, weights=weights)
        codes[found.verdict.code] += 1
        if found.sales:
            alone.update(_called_alone(arms))
    return FalseCalls(
        n_customers=len(units),
        n_buyers=int((money[:, 0] > 0).sum()),
        n_deals=salts,
        codes=codes,
        buyers=alone["buyers"],
        net=alone["net"],
        welch=alone["welch"],
    )


def _deal(
    units: list[str],
    money: NDArray[np.float64],
    salt: str,
    holdout_ppm: int,
    weights: dict[str, int],
) -> Iterator[ArmSums]:
    shares = assignment.shares(holdout_ppm, weights)
    buckets = np.array([assignment.bucket(salt, unit) for unit in units])
    arms = np.searchsorted([share.end for share in shares], buckets, side="right")
    for number, share in enumerate(shares):
        net, margin = money[arms == number].T
        yield ArmSums(
            share.arm,
            len(net),
            n_buyers=int((net > 0).sum()),
            net=_moments(net),
            margin=_moments(margin),
        )


def _moments(values: NDArray[np.float64]) -> Moments:
    return Moments(len(values), *(float((values**power).sum()) for power in (1, 2, 3)))


def _called_alone(arms: list[ArmSums]) -> Iterator[str]:
    """Which numbers leave zero out of their own interval of 95 %, without Holm."""
    held_out = next(arm for arm in arms if arm.key == HOLDOUT)
    treated = reduce(add, (arm for arm in arms if arm.key != HOLDOUT))
    rates = Proportion(held_out.n_buyers, held_out.n), Proportion(treated.n_buyers, treated.n)
    intervals = {
        "buyers": proportions.difference(*rates),
        "net": randomisation.difference(held_out.net, treated.net),
        "welch": means.welch(held_out.net, treated.net),
    }
    yield from (name for name, interval in intervals.items() if interval.direction)
