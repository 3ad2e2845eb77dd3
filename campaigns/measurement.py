"""What a campaign did and earned, every number with its interval, from sums in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q

from campaigns.attribution import window
from campaigns.experiments import findings, money
from campaigns.experiments.assignment import HOLDOUT
from campaigns.experiments.findings import ArmSums, Findings, Metric, Verdict
from campaigns.models import Campaign, Delivery, Hit
from inference import means, proportions
from inference.estimate import Estimate
from inference.means import Moments
from inference.proportions import Proportion
from privacy.models import Shop
from profiles.money import exponent

# Cubes of minor units exceed 64 bits, so the sums are taken in floating point.
_MONEY = """
SELECT variant_id, SUM(orders), COUNT(CASE WHEN net > 0 THEN 1 END),
       SUM(net), SUM(net * net), SUM(net * net * net),
       SUM(margin), SUM(margin * margin), SUM(margin * margin * margin)
FROM (
    SELECT delivery.variant_id, COUNT(*) AS orders,
           CAST(SUM(conversion.net_minor) AS double precision) AS net,
           CAST(SUM(conversion.margin_minor) AS double precision) AS margin
    FROM campaigns_conversion AS conversion
    JOIN campaigns_delivery AS delivery ON delivery.id = conversion.delivery_id
    WHERE delivery.campaign_id = %s AND conversion.ordered_at <= %s
    GROUP BY delivery.id, delivery.variant_id
) AS customer
GROUP BY variant_id
"""
AIMS: Mapping[str, Metric] = {
    Campaign.Goal.SELL: Metric.NET,
    Campaign.Goal.BRING_BACK: Metric.BUYERS,
    Campaign.Goal.INFORM: Metric.CLICKS,
}
NOTHING_BOUGHT = (0, 0, 0, 0, 0, 0, 0, 0)
_STATES = {
    "n_waiting": (Delivery.State.PLANNED, Delivery.State.CLAIMED, Delivery.State.SENDING),
    "n_sent": (Delivery.State.SENT,),
    "n_failed": (Delivery.State.FAILED,),
    "n_unknown": (Delivery.State.UNKNOWN,),
    "n_skipped": (Delivery.State.SKIPPED,),
}


@dataclass(frozen=True, slots=True)
class ArmReport:
    """One arm: a variant by its key, or `holdout`. Rates are fractions, money minor units.

    `n` customers were assigned. `n_opened` and
    `n_clicked` count people, `…_raw` machines too, per message that went out (sent or unknown). A buyer is a customer whose orders in
    the window bring more than was given back, counted among all assigned.
    """

    key: str
    n: int
    n_waiting: int
    n_sent: int
    n_failed: int
    n_unknown: int
    n_skipped: int
    n_opened: int
    n_opened_raw: int
    n_clicked: int
    n_clicked_raw: int
    n_unsubscribed: int
    n_buyers: int
    n_orders: int
    net_minor: int
    margin_minor: int
    click_rate: Estimate | None
    buyer_rate: Estimate | None
    net_per_customer: Estimate | None


@dataclass(frozen=True, slots=True)
class Point:
    """A mark of a chart: the estimate of a metric for an arm, or between two arms."""

    metric: Metric
    arm: str
    baseline: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Report:
    """A campaign as of a moment. Orders count from `opens` until `closes`, if it is planned.

    `aim` is the number that the campaign's goal is judged by.
    """

    campaign: UUID
    aim: Metric
    currency: str
    as_of: datetime
    opens: datetime | None
    closes: datetime | None
    arms: tuple[ArmReport, ...]
    findings: Findings

    @property
    def verdict(self) -> Verdict:
        return self.findings.verdict

    @property
    def earned(self) -> money.Earned:
        return self.findings.earned

    @property
    def aimed(self) -> tuple[Point, ...]:
        """What the goal is judged by: the effect against the holdout, else each arm's own."""
        effect = (one for one in self.differences if one.metric == self.aim)
        against = tuple(one for one in effect if one.baseline == HOLDOUT)
        return against or tuple(
            one for one in self.rates if one.metric == self.aim and one.arm != HOLDOUT
        )

    @property
    def rates(self) -> tuple[Point, ...]:
        """Each arm's own numbers, for a chart."""
        return tuple(
            Point(metric, arm.key, "", estimate)
            for arm in self.arms
            for metric, estimate in (
                (Metric.CLICKS, arm.click_rate),
                (Metric.BUYERS, arm.buyer_rate),
                (Metric.NET, arm.net_per_customer),
            )
            if estimate is not None
        )

    @property
    def differences(self) -> tuple[Point, ...]:
        """What lies between arms, for a chart with a line at zero."""
        found = self.findings
        return tuple(
            Point(one.metric, one.arm, one.baseline, one.difference)
            for one in (*found.sales, *found.clicks, *found.buyers)
        )


def report(campaign: Campaign, now: datetime) -> Report:
    """Read a campaign's sums as of `now` and conclude from them; five queries, tens of rows.

    Orders are those that `attribution.attribute` last counted.
    """
    shop, period = Shop.current(), window(campaign)
    variants = {variant.pk: variant for variant in campaign.variants.order_by("key")}
    arms = _arms(campaign, {pk: variant.key for pk, variant in variants.items()}, now)
    cost_minor = money.cost_minor(
        sum(sums.n_sent for sums, _ in arms),
        micros=campaign.cost_per_message_micros,
        fixed_minor=campaign.fixed_cost_minor,
        exponent=exponent(shop.currency),
    )
    return Report(
        campaign=campaign.uuid,
        aim=AIMS[campaign.goal],
        currency=shop.currency,
        as_of=now,
        opens=period.opens if period else None,
        closes=period.closes if period else None,
        arms=tuple(arm for _, arm in arms),
        findings=findings.conclude(
            [sums for sums, _ in arms],
            holdout_ppm=campaign.holdout_ppm,
            weights={variant.key: variant.weight for variant in variants.values()},
            cost_minor=cost_minor,
            decide_on=period.closes if period and now < period.closes else None,
        ),
    )


def _arms(
    campaign: Campaign, keys: Mapping[int, str], now: datetime
) -> list[tuple[ArmSums, ArmReport]]:
    sizes, hits, sums = _sizes(campaign), _hits(campaign, now), _money(campaign, now)
    in_order: Iterable[tuple[int | None, str]] = [*keys.items(), (None, HOLDOUT)]
    return [
        arm(key, sizes.get(pk, {}), hits.get(pk, {}), sums.get(pk, NOTHING_BOUGHT))
        for pk, key in in_order
        if pk is not None or pk in sizes
    ]


def _sizes(campaign: Campaign) -> dict[int | None, dict[str, int]]:
    counts = {name: Count("pk", filter=Q(state__in=states)) for name, states in _STATES.items()}
    rows: Iterable[Any] = (
        campaign.deliveries.order_by().values("variant").annotate(n=Count("pk"), **counts)
    )
    return {row.pop("variant"): row for row in rows}


def _hits(campaign: Campaign, now: datetime) -> dict[int | None, dict[str, int]]:
    def deliveries(**condition: Any) -> Count:
        return Count("delivery", distinct=True, filter=Q(**condition))

    rows: Iterable[Any] = (
        Hit.objects.filter(delivery__campaign=campaign, at__lte=now)
        .order_by()
        .values("delivery__variant")
        .annotate(
            n_opened=deliveries(kind=Hit.Kind.OPEN, by_machine=False),
            n_opened_raw=deliveries(kind=Hit.Kind.OPEN),
            n_clicked=deliveries(kind=Hit.Kind.CLICK, by_machine=False),
            n_clicked_raw=deliveries(kind=Hit.Kind.CLICK),
            n_unsubscribed=deliveries(kind=Hit.Kind.UNSUBSCRIBE),
        )
    )
    return {row.pop("delivery__variant"): row for row in rows}


def _money(campaign: Campaign, now: datetime) -> dict[int | None, tuple[float, ...]]:
    """Orders, buyers, then the sums of net revenue and of margin, their squares and cubes."""
    with connection.cursor() as cursor:
        cursor.execute(_MONEY, [campaign.pk, connection.ops.adapt_datetimefield_value(now)])
        return {variant: tuple(sums) for variant, *sums in cursor.fetchall()}


def arm(
    key: str, sizes: Mapping[str, int], hits: Mapping[str, int], sums: tuple[float, ...]
) -> tuple[ArmSums, ArmReport]:
    """Return one arm's sums and what a report says of it; `sums` as `_money` reads them."""
    n, n_clicked = sizes.get("n", 0), hits.get("n_clicked", 0)
    n_orders, n_buyers, *totals = sums
    net, margin = Moments(n, *totals[:3]), Moments(n, *totals[3:])
    # A click may come before the result of its message is written.
    n_out = max(sizes.get("n_sent", 0) + sizes.get("n_unknown", 0), n_clicked)
    clicked = Proportion(n_clicked, n_out) if n_out else None
    bought = Proportion(int(n_buyers), n) if n else None
    # Of nothing but zeros the interval would be as narrow as if it were sure.
    is_telling = n >= findings.MIN_CUSTOMERS and n_buyers > 0
    return (
        ArmSums(
            key=key,
            n=n,
            n_sent=n_out,
            n_clicked=n_clicked,
            n_buyers=int(n_buyers),
            net=net,
            margin=margin,
        ),
        ArmReport(
            key=key,
            n=n,
            **{name: sizes.get(name, 0) for name in _STATES},
            n_opened=hits.get("n_opened", 0),
            n_opened_raw=hits.get("n_opened_raw", 0),
            n_clicked=n_clicked,
            n_clicked_raw=hits.get("n_clicked_raw", 0),
            n_unsubscribed=hits.get("n_unsubscribed", 0),
            n_buyers=int(n_buyers),
            n_orders=int(n_orders),
            net_minor=round(net.total),
            margin_minor=round(margin.total),
            click_rate=proportions.interval(clicked) if clicked else None,
            buyer_rate=proportions.interval(bought) if bought else None,
            net_per_customer=means.interval(net) if is_telling else None,
        ),
    )
