"""Who a campaign is for: the segment's members that may be written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.experiments.assignment import PARTS
from privacy import purposes
from privacy.models import Consent
from privacy.problems import Fault
from profiles import segmentation

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Campaign
    from profiles.models import CustomerQuerySet


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


def members(campaign: Campaign, as_of: datetime) -> CustomerQuerySet:
    """Return the customers of the campaign's segment, may they be written to or not."""
    return segmentation.members(campaign.segment.rule, as_of)


def audience(campaign: Campaign, as_of: datetime) -> CustomerQuerySet:
    """Return the members whom the campaign's purpose allows to reach on its channel."""
    return members(campaign, as_of).for_purpose(campaign.purpose, channel=campaign.channel)


def faults(campaign: Campaign) -> list[Fault]:
    """Return what keeps the campaign from having an audience, in the staff's language."""
    found = segmentation.unreadable(campaign.segment)
    return [Fault(found.code, found.detail, f"/segment{found.pointer}")] if found else []


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
