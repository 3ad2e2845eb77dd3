"""Before approval: whom a campaign reaches after every rule, what that can show, and whether it is fair."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, Count, Exists, F, OuterRef, Q, Sum, Value, When

from campaigns import limits, local_time, targeting
from campaigns.experiments import money, sizing
from campaigns.experiments.assignment import PARTS
from campaigns.models import Campaign, Delivery, SendingRules
from privacy import purposes, topics
from privacy.fairness.selection import selection_rates
from privacy.models import Channel, Consent, Shop
from privacy.purposes import purpose
from profiles.auditing import counted
from profiles.models import Order
from profiles.models.customer import ADDRESS_TAGS
from profiles.money import exponent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from privacy.fairness.findings import Finding

N_OTHERS: Final = 8
AUDIT: Final = "fairness.audit"
Status = Campaign.Status
# Campaigns that have yet to send, or still do.
AHEAD: Final = (
    *(Status.APPROVED, Status.SCHEDULED, Status.PLANNING, Status.PLANNED),
    *(Status.SENDING, Status.PAUSED),
)
BARS: Final = ("objected", "minor", "no_consent", "topic", "no_address", "suppressed")


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of the audience another campaign that is ahead reaches too."""

    campaign: Campaign
    n: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What the audience can show. Rates are fractions, money is in minor units.

    `rate` is the share who bought in as long a time before, `rise` the smallest that the campaign
    shows in four of five cases; None where none would be shown. `forgone_minor` is what the
    holdout would have bought more if the campaign had just that effect.
    """

    days: int
    n_holdout: int
    n_treated: int
    n_buyers: int
    rate: float
    rise: float | None
    per_buyer_minor: int
    forgone_minor: int
    saved_minor: int


@dataclass(frozen=True, slots=True)
class Reach:
    """Customers of a campaign as of now, rule by rule; each is counted at the first that bars.

    `n_excluded` are in a segment that is left out. Of the audience `n_holdout` gets nothing on
    purpose; the cap and the budget then keep messages back. `n_waiting` fall into quiet hours
    at the start, and wait for their end.
    """

    n_named: int
    n_excluded: int
    barred: Mapping[str, int]
    n_audience: int
    n_holdout: int
    n_capped: int
    n_unpaid: int
    n_waiting: int
    starts_at: datetime

    @property
    def n_messages(self) -> int:
        return self.n_audience - self.n_holdout - self.n_capped - self.n_unpaid


def reach(campaign: Campaign, now: datetime) -> Reach:
    """Count whom every rule of the gate lets through at the campaign's start, in one statement."""
    starts_at = max(campaign.goes_at or campaign.starts_at or now, now)
    named = targeting.named(campaign, now)
    n_named = named.count()
    rules = SendingRules.current()
    rows = (
        targeting.members(campaign, now)
        .order_by()
        .annotate(bar=_first_bar(campaign, rules, starts_at))
        .values_list("bar", "time_zone")
        .annotate(n=Count("pk"))
    )
    by_bar: dict[str, int] = {}
    zones: dict[str, int] = {}
    for bar, zone, n in rows:
        by_bar[bar] = by_bar.get(bar, 0) + n
        if not bar:
            zones[zone] = zones.get(zone, 0) + n
    n_capped, n_free = by_bar.pop("frequency_cap", 0), by_bar.pop("", 0)
    barred: dict[str, int] = {bar: by_bar[bar] for bar in BARS if bar in by_bar}
    n_audience = n_capped + n_free
    n_members = n_audience + sum(barred.values())
    part = 1 - campaign.holdout_ppm / PARTS
    n_holdout, n_capped = round(n_audience * (1 - part)), round(n_capped * part)
    paid = limits.budgeted(campaign)
    wanted = n_audience - n_holdout - n_capped
    quiet = limits.quiet_zones(rules, zones, starts_at)
    if (local := local_time.dues(campaign, starts_at)) is not None:
        for zone in zones:
            at = local.by_place.get(zone, local.at_home)
            quiet |= limits.quiet_zones(rules, [zone], at)
    return Reach(
        n_named=n_named,
        n_excluded=n_named - n_members,
        barred=barred,
        n_audience=n_audience,
        n_holdout=n_holdout,
        n_capped=n_capped,
        n_unpaid=0 if paid is None else max(0, wanted - paid),
        n_waiting=round(sum(n for zone, n in zones.items() if quiet.get(zone)) * part),
        starts_at=starts_at,
    )


def _first_bar(campaign: Campaign, rules: SendingRules, at: datetime) -> Case:
    """The first rule of the gate that bars a customer, in its order; empty if none does."""
    consented = Consent.objects.filter(
        subject=OuterRef("subject"),
        purpose=campaign.purpose,
        channel=campaign.channel,
        state__in=purposes.agreeing(campaign.purpose),
    )
    whens = [When(subject__objected=True, then=Value("objected"))]
    whens.append(When(purposes.minor(), then=Value("minor")))
    if purposes.find(campaign.purpose).is_declared:
        whens.append(When(~Exists(consented), then=Value("no_consent")))
    if campaign.topic is not None:
        unwanted = ~topics.wanted(campaign.topic, campaign.channel)
        whens.append(When(unwanted, then=Value("topic")))
    if (tag := ADDRESS_TAGS.get(campaign.channel)) is not None:
        whens.append(When(**{f"{tag}__isnull": True}, then=Value("no_address")))
    if campaign.channel == Channel.PUSH:
        whens.append(When(~targeting.takes_push(campaign), then=Value("no_address")))
    whens.append(
        When(~Q(pk__in=targeting.reachable(campaign).values("pk")), then=Value("suppressed"))
    )
    if (capped := limits.over_cap(rules, campaign, at)) is not None:
        whens.append(When(pk__in=capped.values("customer"), then=Value("frequency_cap")))
    return Case(*whens, default=Value(""))


def overlaps(campaign: Campaign, now: datetime) -> list[Overlap]:
    """Return the campaigns that are ahead and share customers with this one, most first."""
    others = list(
        Campaign.objects.plans()
        .filter(status__in=AHEAD)
        .exclude(pk=campaign.pk)
        .select_related("segment")
        .prefetch_related("also", "excluded")
        .order_by("goes_at", "starts_at", "pk")[:N_OTHERS]
    )
    counts = {
        f"with_{other.pk}": Count("pk", filter=_reached_by(other, now))
        for other in others
        if other.planned_at or not targeting.faults(other)
    }
    if not counts:
        return []
    row = targeting.audience(campaign, now).aggregate(**counts)
    found = [Overlap(other, row.get(f"with_{other.pk}", 0)) for other in others]
    return sorted((one for one in found if one.n), key=lambda one: -one.n)


def _reached_by(other: Campaign, now: datetime) -> Q:
    if other.planned_at is not None:
        return Q(pk__in=Delivery.objects.filter(campaign=other).values("customer"))
    return Q(pk__in=targeting.audience(other, now).values("pk"))


def effect(campaign: Campaign, found: Reach, now: datetime) -> Effect:
    """Return the smallest effect on buyers that this audience shows, and what the holdout costs.

    The rate is that of the same customers in as many days before; money is of orders in the
    shop's currency.
    """
    shop, days = Shop.current(), campaign.attribution_days
    bought = Order.objects.countable().filter(
        customer__in=targeting.audience(campaign, now).values("pk"),
        placed_at__gte=now - timedelta(days=days),
        placed_at__lt=now,
        currency=shop.currency,
    )
    told = bought.aggregate(
        buyers=Count("customer", distinct=True),
        net=Sum(F("total_minor") - F("refunded_minor"), default=0),
    )
    n_buyers, n_treated = told["buyers"], found.n_audience - found.n_holdout
    rate = n_buyers / found.n_audience if found.n_audience else 0.0
    rise = sizing.smallest_rise(found.n_holdout, n_treated, rate)
    per_buyer = round(told["net"] / n_buyers) if n_buyers else 0
    return Effect(
        days=days,
        n_holdout=found.n_holdout,
        n_treated=n_treated,
        n_buyers=n_buyers,
        rate=rate,
        rise=rise,
        per_buyer_minor=per_buyer,
        forgone_minor=round((rise or 0) * found.n_holdout * per_buyer),
        saved_minor=money.cost_minor(
            found.n_holdout,
            micros=campaign.cost_per_message_micros,
            fixed_minor=0,
            exponent=exponent(shop.currency),
        ),
    )


def fairness(campaign: Campaign, attribute: str, now: datetime, *, actor: str) -> list[Finding]:
    """Compare how many of each group that may be written to are in the audience.

    Opens the purpose of fairness audits: nothing but the figures of groups leaves it.
    """
    with purpose(AUDIT, actor=actor, now=now, reason=f"campaign {campaign.pk}: {attribute}"):
        groups: Any = counted(
            targeting.reachable(campaign),
            attribute,
            now,
            hits=Q(pk__in=targeting.members(campaign, now).values("pk")),
        )
    return selection_rates(groups)
