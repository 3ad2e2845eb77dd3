"""A campaign as the pattern of the next one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Card, SmsText, Template, Variant
from privacy.models import Staff

COPIED = (
    *(
        "goal",
        "segment_id",
        "purpose",
        "channel",
        "topic_id",
        "holdout_ppm",
        "attribution_days",
        "first_percent",
    ),
    "local_time",
    *("cost_per_message_micros", "fixed_cost_minor", "budget_minor", "offer_minor"),
    *("adds_utm", "utm_source", "utm_medium", "utm_content", "placement", "times_shown"),
)


@transaction.atomic
def clone(campaign: Campaign, *, staff: Staff, now: datetime) -> Campaign:
    """Make a draft with the same audience, cost and message, a new salt and no times."""
    facts = {name: getattr(campaign, name) for name in COPIED}
    made = Campaign.objects.create(
        name=_free_name(campaign.name), created_by=staff, created_at=now, **facts
    )
    made.also.set(campaign.also.all())
    made.excluded.set(campaign.excluded.all())
    pairs = []
    for variant in campaign.variants.order_by("key"):
        copy = Variant.objects.create(campaign=made, key=variant.key, weight=variant.weight)
        pairs.append((variant, copy))
    copy_texts(pairs)
    return made


def copy_texts(pairs: Sequence[tuple[Variant, Variant]]) -> None:
    """Give the second of each pair what the first one says, in each language."""
    copies = {variant.pk: copy for variant, copy in pairs}
    of_these = {"variant__in": copies.keys()}
    Template.objects.bulk_create(
        Template(
            variant=copies[text.variant_id],
            locale=text.locale,
            subject=text.subject,
            blocks=text.blocks,
            mjml=text.mjml,
            body_html=text.body_html,
            body_text=text.body_text,
        )
        for text in Template.objects.filter(**of_these).order_by("pk")
    )
    SmsText.objects.bulk_create(
        SmsText(
            variant=copies[text.variant_id],
            locale=text.locale,
            text=text.text,
            template_id=text.template_id,
            parameters=text.parameters,
        )
        for text in SmsText.objects.filter(**of_these).order_by("pk")
    )
    cards = list(Card.objects.filter(**of_these).order_by("pk"))
    for card in cards:
        card.pk, card.variant = None, copies[card.variant_id]
    Card.objects.bulk_create(cards)


def _free_name(name: str) -> str:
    """Return `name` with the first number that makes it free, within the column."""
    taken = set(Campaign.objects.values_list("name", flat=True))
    longest = Campaign._meta.get_field("name").max_length or len(name)
    for n in range(2, len(taken) + 3):
        mark = _(" (copy %(n)s)") % {"n": n - 1}
        if (found := name[: longest - len(mark)] + mark) not in taken:
            return found
    raise AssertionError("more names are taken than there are campaigns")
