"""How many and when: the cap across campaigns, the quiet hours, a campaign's budget."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet

from campaigns.experiments import money
from campaigns.models import Campaign, Delivery, SendingRules
from privacy.models import Channel, Shop
from profiles.models import Customer
from profiles.money import exponent

# What has gone out, or may have.
GONE = (Delivery.State.SENDING, Delivery.State.SENT, Delivery.State.UNKNOWN)


def capped(
    rules: SendingRules, campaign: Campaign, customers: Iterable[int], now: datetime
) -> set[int]:
    """Return the customers who have had as much from other campaigns as the cap allows."""
    if rules.cap_messages is None:
        return set()
    had = over_cap(rules, campaign, now, Delivery.objects.filter(customer__in=list(customers)))
    return set() if had is None else set(had.values_list("customer", flat=True))


def over_cap(
    rules: SendingRules,
    campaign: Campaign,
    now: datetime,
    among: QuerySet[Delivery] | None = None,
) -> QuerySet[Delivery, Any] | None:
    """Return, by `customer`, who has had as much as the cap allows; None without a cap."""
    if rules.cap_messages is None:
        return None
    since = now - timedelta(days=rules.cap_days)
    had = (
        (Delivery.objects.all() if among is None else among)
        .filter(state__in=GONE)
        .filter(Q(intended_at__gt=since) | Q(sent_at__gt=since))
        .exclude(campaign=campaign)
        .exclude(campaign__kind=Campaign.Kind.TRANSACTIONAL)
        .exclude(campaign__channel=Channel.ONSITE)
        .order_by()
        .values("customer")
        .annotate(n=Count("pk"))
    )
    return had.filter(n__gte=rules.cap_messages)


def quiet(rules: SendingRules, customers: Iterable[int], now: datetime) -> dict[int, datetime]:
    """Return, by customer for whom it is quiet now, when the quiet hours end."""
    if rules.quiet_from is None or rules.quiet_until is None:
        return {}
    rows = Customer.objects.filter(pk__in=list(customers)).values_list("pk", "time_zone")
    zones = dict(rows)
    ends = quiet_zones(rules, set(zones.values()), now)
    return {
        customer: end for customer, zone in zones.items() if (end := ends.get(zone)) is not None
    }


def quiet_zones(
    rules: SendingRules, zones: Iterable[str], now: datetime
) -> dict[str, datetime | None]:
    """Return when the quiet hours of each time zone end, None where it is not quiet now."""
    if rules.quiet_from is None or rules.quiet_until is None:
        return {}
    home = Shop.current().time_zone
    return {
        zone: quiet_end(now.astimezone(_zone(zone, home)), rules.quiet_from, rules.quiet_until)
        for zone in zones
    }


def quiet_end(local: datetime, start: time, end: time) -> datetime | None:
    """Return when the quiet hours around `local` end, None outside them.

    They may go over midnight; `local` carries its zone, in which `start` and `end` are read.
    """
    clock = local.time()
    over_midnight = start > end
    within = (clock >= start or clock < end) if over_midnight else start <= clock < end
    if not within:
        return None
    day = local.date() + timedelta(days=1 if over_midnight and clock >= start else 0)
    # In the hour that a clock set back has twice, the end is that of the same turn.
    return datetime.combine(day, end, tzinfo=local.tzinfo).replace(fold=local.fold)


def budgeted(campaign: Campaign) -> int | None:
    """Return how many messages the campaign's budget pays for; None if it has no end."""
    if campaign.budget_minor is None or not campaign.cost_per_message_micros:
        return None
    return money.affordable(
        campaign.budget_minor - campaign.fixed_cost_minor,
        micros=campaign.cost_per_message_micros,
        exponent=exponent(Shop.current().currency),
    )


def room(campaign: Campaign) -> int | None:
    """Return how many more messages the budget pays for; None if it has no end.

    Call it with the campaign's row locked: what others intend meanwhile would not be seen.
    """
    if (allowed := budgeted(campaign)) is None:
        return None
    return max(0, allowed - campaign.deliveries.filter(state__in=GONE).count())


def _zone(name: str, home: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or home)
    except (KeyError, ValueError, OSError):  # what a file or a storefront called a time zone
        return ZoneInfo(home)
