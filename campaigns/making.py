"""A new campaign: a draft with two variants that begin as the same starter."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from campaigns import writing
from campaigns.models import Campaign, Variant

if TYPE_CHECKING:
    from profiles.models import Segment

VARIANTS = "AB"


@transaction.atomic
def draft(
    name: str,
    segment: Segment,
    *,
    starter: str,
    holdout_ppm: int,
    starts_at: datetime | None = None,
    latest_start: datetime | None = None,
    local_time: bool = False,
    now: datetime,
) -> Campaign:
    """Make a campaign that nobody has approved yet."""
    made = Campaign.objects.create(
        name=name,
        segment=segment,
        holdout_ppm=holdout_ppm,
        starts_at=starts_at,
        latest_start=latest_start,
        local_time=local_time,
        created_at=now,
    )
    write(made, starter)
    return made


def write(campaign: Campaign, starter: str) -> None:
    """Give a new campaign its variants, each with the starter's message."""
    for key in VARIANTS:
        writing.start_from(Variant.objects.create(campaign=campaign, key=key), starter)
