"""A new campaign: a draft with two variants that begin as the same starter."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import cloning, writing
from campaigns.models import Campaign, Variant
from privacy.problems import DomainError

if TYPE_CHECKING:
    from profiles.models import Segment

VARIANTS = "AB"
LETTERS = "ABCDEF"


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


@transaction.atomic
def add_variant(campaign: Campaign) -> Variant:
    """Give the campaign another variant, which begins with the first one's texts.

    Raises DomainError `too_many_variants` where it has as many as there may be.
    """
    taken = list(campaign.variants.order_by("key").values_list("key", flat=True))
    free = [key for key in LETTERS if key not in taken]
    if not free:
        detail = _("A campaign has %(n)d variants at most.") % {"n": len(LETTERS)}
        raise DomainError("too_many_variants", detail, status=409)
    made = Variant.objects.create(campaign=campaign, key=free[0])
    if first := campaign.variants.exclude(pk=made.pk).order_by("key").first():
        cloning.copy_texts([(first, made)])
    return made


@transaction.atomic
def remove_variant(campaign: Campaign, key: str) -> None:
    """Take a variant out with its texts. Raises DomainError `last_variant` for the only one."""
    if campaign.variants.count() <= 1:
        raise DomainError("last_variant", _("A campaign needs a variant."), status=409)
    campaign.variants.filter(key=key).delete()
