"""A new campaign: a draft with two variants that begin as the same starter."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import cards, cloning, texting, writing
from campaigns.models import Campaign, Variant
from campaigns.rendering import starters
from privacy.models import Channel
from privacy.problems import DomainError

if TYPE_CHECKING:
    from profiles.models import Segment

VARIANTS = "AB"
LETTERS = "ABCDEF"
PURPOSES = {
    Channel.EMAIL.value: "campaign.email",
    Channel.SMS.value: "campaign.sms",
    Channel.PUSH.value: "campaign.push",
    Channel.ONSITE.value: "campaign.onsite",
}


@transaction.atomic
def draft(name: str, segment: Segment, *, starter: str, now: datetime, **facts: Any) -> Campaign:
    """Make a campaign that nobody has approved yet; `facts` are columns of it."""
    channel = facts.get("channel", Channel.EMAIL.value)
    made = Campaign.objects.create(
        name=name, segment=segment, purpose=PURPOSES[channel], created_at=now, **facts
    )
    write(made, starter)
    return made


def write(campaign: Campaign, starter: str = "") -> None:
    """Give a new campaign its variants, each with a message to begin with.

    For e-mail it is the starter's, the first starter's if none is named.
    """
    for key in VARIANTS:
        variant = Variant.objects.create(campaign=campaign, key=key)
        if campaign.channel == Channel.SMS:
            texting.start(variant)
        elif campaign.channel in cards.CHANNELS:
            cards.start(variant)
        else:
            writing.start_from(variant, starter or starters.names()[0])


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
