"""What an automation earned: customers who entered, against those of them who were held out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, FloatField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Cast, Coalesce

from campaigns import measurement
from campaigns.experiments import findings, money
from campaigns.experiments.assignment import HOLDOUT
from campaigns.measurement import Report
from campaigns.models import Automation, Campaign, Delivery, Hit
from privacy.models import Shop
from profiles.models import Order
from profiles.money import exponent


def report(automation: Automation, now: datetime) -> Report | None:
    """Compare who entered as of `now`; None before anybody could.

    A customer counts once, from their first entry on for the attribution window, whatever was
    sent to them (intention to treat). Margin is the shop's rate of net revenue.
    """
    step = automation.steps.select_related("campaign").order_by("position").first()
    if step is None or automation.since is None:
        return None
    shop, campaign = Shop.current(), step.campaign
    sums = {row.pop("arm"): row for row in _sums(campaign, shop, now)}
    reach = _reach(automation, now)
    arms = []
    for key, is_held_out in (("A", False), (HOLDOUT, True)):
        if is_held_out not in sums and not sums:
            continue
        row = sums.get(is_held_out, {})
        net = tuple(float(row.get(name) or 0) for name in ("total", "squares", "cubes"))
        rate = float(shop.margin_rate)
        margin = tuple(total * rate**power for power, total in enumerate(net, start=1))
        bought = (row.get("n_orders") or 0, row.get("n_buyers") or 0, *net, *margin)
        told = {} if is_held_out else reach
        arms.append(measurement.arm(key, {"n": row.get("n", 0), **told}, told, bought))
    n_sent = sum(one.n_sent for one, _told in arms)
    return Report(
        campaign=automation.uuid,
        aim=findings.Metric.NET,
        currency=shop.currency,
        as_of=now,
        opens=automation.since,
        closes=None,
        arms=tuple(told for _sums_of, told in arms),
        findings=findings.conclude(
            [one for one, _told in arms],
            holdout_ppm=automation.holdout_ppm,
            weights={"A": 1},
            cost_minor=money.cost_minor(
                n_sent,
                micros=campaign.cost_per_message_micros,
                fixed_minor=0,
                exponent=exponent(shop.currency),
            ),
        ),
    )


def _firsts(campaign: Campaign, now: datetime) -> QuerySet[Delivery]:
    """Each customer's first entry."""
    earlier = Delivery.objects.filter(
        Q(entered_at__lt=OuterRef("entered_at"))
        | Q(entered_at=OuterRef("entered_at"), pk__lt=OuterRef("pk")),
        campaign=campaign,
        customer=OuterRef("customer"),
    )
    return Delivery.objects.filter(~Exists(earlier), campaign=campaign, entered_at__lte=now)


def _sums(campaign: Campaign, shop: Shop, now: datetime) -> list[dict[str, Any]]:
    """Orders, buyers, net revenue with its squares and cubes, of each arm; one query."""
    orders = (
        Order.objects.countable()
        .filter(
            customer=OuterRef("customer"),
            currency=shop.currency,
            placed_at__gt=OuterRef("entered_at"),
            placed_at__lte=now,
            placed_at__lt=OuterRef("entered_at") + timedelta(days=campaign.attribution_days),
        )
        .order_by()
        .values("customer")
    )
    net = orders.annotate(net=Sum(F("total_minor") - F("refunded_minor"))).values("net")
    n_orders = orders.annotate(n=Count("pk")).values("n")
    people = _firsts(campaign, now).annotate(
        net=Coalesce(Cast(Subquery(net), FloatField()), 0.0),
        orders=Coalesce(Subquery(n_orders), 0),
        arm=Q(variant__isnull=True),
    )
    rows: Iterable[Any] = (
        people.order_by()
        .values("arm")
        .annotate(
            n=Count("pk"),
            n_orders=Sum("orders"),
            n_buyers=Count("pk", filter=Q(net__gt=0)),
            total=Sum("net"),
            squares=Sum(F("net") * F("net")),
            cubes=Sum(F("net") * F("net") * F("net")),
        )
    )
    return list(rows)


def _reach(automation: Automation, now: datetime) -> dict[str, int]:
    """How many customers had a message, opened and clicked one."""
    mine = Delivery.objects.filter(campaign__step__automation=automation)
    sent = mine.filter(state=Delivery.State.SENT, sent_at__lte=now)
    hits = Hit.objects.filter(delivery__in=mine, at__lte=now)

    def people(**condition: Any) -> int:
        return hits.filter(**condition).values("delivery__customer").distinct().count()

    return {
        "n_sent": sent.values("customer").distinct().count(),
        "n_opened": people(kind=Hit.Kind.OPEN),
        "n_clicked": people(kind=Hit.Kind.CLICK, by_machine=False),
        "n_unsubscribed": people(kind=Hit.Kind.UNSUBSCRIBE),
    }
