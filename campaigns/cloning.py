"""A campaign as the pattern of the next one."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Card, SmsText, Template, Variant
from privacy.models import Staff

COPIED = (
    *(
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
    texts, short, short_messages = [], [], []
    for variant in campaign.variants.order_by("key").prefetch_related(
        "templates", "sms_texts", "cards"
    ):
        copy = Variant.objects.create(campaign=made, key=variant.key, weight=variant.weight)
        texts += [
            Template(
                variant=copy,
                locale=text.locale,
                subject=text.subject,
                blocks=text.blocks,
                mjml=text.mjml,
                body_html=text.body_html,
                body_text=text.body_text,
            )
            for text in variant.templates.all()
        ]
        short += [
            SmsText(
                variant=copy,
                locale=text.locale,
                text=text.text,
                template_id=text.template_id,
                parameters=text.parameters,
            )
            for text in variant.sms_texts.all()
        ]
        for card in variant.cards.all():
            card.pk, card.variant = None, copy
            short_messages.append(card)
    Template.objects.bulk_create(texts)
    Card.objects.bulk_create(short_messages)
    SmsText.objects.bulk_create(short)
    return made


def _free_name(name: str) -> str:
    """Return `name` with the first number that makes it free, within the column."""
    taken = set(Campaign.objects.values_list("name", flat=True))
    longest = Campaign._meta.get_field("name").max_length or len(name)
    for n in range(2, len(taken) + 3):
        mark = _(" (copy %(n)s)") % {"n": n - 1}
        if (found := name[: longest - len(mark)] + mark) not in taken:
            return found
    raise AssertionError("more names are taken than there are campaigns")
