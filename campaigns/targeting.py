"""Who a campaign is for: the segment's members that may be written to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from campaigns.experiments.assignment import PARTS
from campaigns.models import Campaign, PushSubscription
from privacy import purposes, topics
from privacy.models import Channel, Consent
from privacy.problems import Fault
from profiles import segmentation
from profiles.bulk import Among, planned_for_many
from profiles.models import Customer

if TYPE_CHECKING:
    from datetime import datetime

    from profiles.models import CustomerQuerySet

PROFILES: Final = "profile.build"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Customers of a campaign, counted now; members = reachable + without consent + suppressed.

    `n_suppressed` counts every other bar: a suppressed or missing address, an objection, an age.
    `n_holdout` of the reachable will get no message.
    """

    n_members: int
    n_reachable: int
    n_without_consent: int
    n_suppressed: int
    n_holdout: int

    @property
    def n_messages(self) -> int:
        return self.n_reachable - self.n_holdout


def named(campaign: Campaign, as_of: datetime) -> CustomerQuerySet:
    """Return the customers in any of the campaign's segments, those to be left out too."""
    rules = [campaign.segment.rule, *(one.rule for one in campaign.also.all())]
    return Customer.objects.for_purpose(PROFILES).filter(_in_any(rules, as_of))


def members(campaign: Campaign, as_of: datetime) -> CustomerQuerySet:
    """Return the customers of the campaign's segments, may they be written to or not."""
    found = named(campaign, as_of)
    excluded = [one.rule for one in campaign.excluded.all()]
    return found.filter(~_in_any(excluded, as_of)) if excluded else found


def _in_any(rules: Iterable[Any], as_of: datetime) -> Q:
    return reduce(or_, (segmentation.condition_of(rule, as_of) for rule in rules))


def reachable(campaign: Campaign) -> CustomerQuerySet:
    """Return everybody whom the campaign's purpose allows to reach, who wants its topic."""
    allowed = Customer.objects.for_purpose(campaign.purpose, channel=campaign.channel)
    return allowed.filter(topics.wanted(campaign.topic, campaign.channel), takes_push(campaign))


def reachable_of(campaign: Campaign, customers: Collection[int]) -> set[int]:
    """Return those of the customers whom `reachable` allows.

    The statement is made once for a purpose and channel; the database answers it anew.
    """
    if campaign.topic_id:  # whether a topic is by choice may change
        sql, params = _statement(campaign)
    else:
        sql, params = _statement_for(campaign.purpose, campaign.channel)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, Among.parameter(customers)])
        return {pk for (pk,) in cursor.fetchall()}


def _statement(campaign: Campaign) -> tuple[str, tuple[Any, ...]]:
    """Return what asks for the reachable among some, and its parameters but for these, the last."""
    asked = reachable(campaign).filter(Among("pk", ())).values_list("pk")
    sql, params = asked.query.sql_with_params()
    return sql, params[:-1]


@lru_cache(maxsize=32)
def _statement_for(purpose: str, channel: str) -> tuple[str, tuple[Any, ...]]:
    return _statement(Campaign(purpose=purpose, channel=channel))


def takes_push(campaign: Campaign) -> Q:
    """Return the condition that a customer has a browser for push, if that is the channel."""
    if campaign.channel != Channel.PUSH:
        return Q()
    browsers = PushSubscription.objects.filter(customer=OuterRef("pk"), gone_at__isnull=True)
    return Q(Exists(browsers))


def audience(campaign: Campaign, as_of: datetime) -> CustomerQuerySet:
    """Return the members whom the campaign's purpose allows to reach on its channel."""
    allowed = members(campaign, as_of).for_purpose(campaign.purpose, channel=campaign.channel)
    return allowed.filter(topics.wanted(campaign.topic, campaign.channel), takes_push(campaign))


def users_of(segments: Collection[int]) -> list[str]:
    """Return the campaigns that need one of these segments: by name, automations' steps too.

    One that is over needs its own segment, for its report, and no longer those beside it.
    """
    over = (Campaign.Status.FINISHED, Campaign.Status.CANCELLED, Campaign.Status.EXPIRED)
    beside = Q(also__in=segments) | Q(excluded__in=segments)
    using = Campaign.objects.filter(Q(segment__in=segments) | (beside & ~Q(status__in=over)))
    return list(using.order_by("name").values_list("name", flat=True).distinct())


def faults(campaign: Campaign) -> list[Fault]:
    """Return what keeps the campaign from having an audience, in the staff's language."""
    named = [("segment", campaign.segment), *(("also", one) for one in campaign.also.all())]
    named += [("excluded", one) for one in campaign.excluded.all()]
    return [
        Fault(found.code, found.detail, f"/{field}{found.pointer}")
        for field, segment in named
        if (found := segmentation.unreadable(segment))
    ]


@planned_for_many()
def estimate(campaign: Campaign, as_of: datetime) -> Estimate:
    """Count the audience and what keeps the other members out of it."""
    everybody = members(campaign, as_of)
    n_members, n_reachable = everybody.count(), audience(campaign, as_of).count()
    consented = Consent.objects.filter(
        purpose=campaign.purpose,
        channel=campaign.channel,
        state__in=purposes.agreeing(campaign.purpose),
    )
    n_consented = everybody.filter(subject__in=consented.values("subject")).count()
    return Estimate(
        n_members=n_members,
        n_reachable=n_reachable,
        n_without_consent=n_members - n_consented,
        n_suppressed=n_consented - n_reachable,
        n_holdout=round(n_reachable * campaign.holdout_ppm / PARTS),
    )
