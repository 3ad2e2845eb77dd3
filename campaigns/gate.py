"""The last look before a message goes out: who may not be written to any more, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

from campaigns import limits, targeting, triggers
from campaigns.models import SendingRules
from privacy import purposes, topics
from privacy.models import Consent
from profiles.models import Customer
from profiles.models.customer import ADDRESS_TAGS

if TYPE_CHECKING:
    from datetime import datetime

    from django_stubs_ext import StrOrPromise

    from campaigns.models import Campaign, Delivery
    from privacy.models import Subject

# The customer's row is gone, as their delivery's would be: it is another's now.
MERGED: Final = "merged"
REASONS = {
    MERGED: _("The customer is one with another now, who gets the message in their stead."),
    "erased": _("The person was erased."),
    "restricted": _("The person asked to restrict the use of their data."),
    "objected": _("The person objected to marketing."),
    "minor": _("The person is too young to be advertised to."),
    "no_consent": _("There is no consent for this purpose on this channel."),
    "topic": _("The person does not want to hear about the campaign's topic on this channel."),
    "suppressed": _("The address is on the suppression list."),
    "no_address": _("There is no address that can be mailed."),
    "frequency_cap": _("The person has had as many messages as the cap across campaigns allows."),
    "budget_spent": _("The campaign's budget does not pay for another message."),
    "quiet_hours": _("It was quiet hours where the person is; the message waits for their end."),
    "domain_rate": _("The receiving domain gets no more a minute; the message waits its turn."),
    "damaged": _("The person's data, or its key, is damaged; restore it from the backup."),
    "cart_recovered": _("The customer came back to the cart."),
    "bought": _("The customer has bought since."),
    "order_cancelled": _("The order was cancelled or given back."),
    "no_accessory": _("No accessory in stock is known to fit what was bought."),
    "automation_off": _("The automation was switched off."),
    "cancelled": _("The campaign was cancelled."),
    "expired": _("The campaign's time was over before the message's turn came."),
    "bounce_hard": _("The message came back: there is nobody at the address."),
    "bounce_soft": _("The message came back for now: the mailbox is full, or the server away."),
    "bounce_blocked": _("The receiving server refused the sender or the content."),
    "template_error": _("The message could not be rendered for this person."),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What the gate found, by delivery: the rule that bars it, or till when it has to wait."""

    barred: dict[int, str]
    waits: dict[int, datetime]

    def lets(self, delivery: int) -> bool:
        return delivery not in self.barred and delivery not in self.waits


def look(
    campaign: Campaign,
    rows: Sequence[Delivery],
    now: datetime,
    *,
    rules: SendingRules | None = None,
) -> Look:
    """Read every rule anew for deliveries of one campaign; as many queries for many as for one.

    `rules` are the shop's, if they were read a moment ago.
    """
    customers = [row.customer_id for row in rows]
    shut = barred(campaign, customers)
    if not campaign.is_marketing:
        return Look({row.pk: shut[row.customer_id] for row in rows if row.customer_id in shut}, {})
    rules = rules or SendingRules.current()
    capped = limits.capped(rules, campaign, customers, now)
    shut = dict.fromkeys(capped, "frequency_cap") | shut
    waits = limits.quiet(rules, customers, now)
    stopped = triggers.ended(campaign, rows)
    stopped |= {row.pk: shut[row.customer_id] for row in rows if row.customer_id in shut}
    return Look(
        barred=stopped,
        waits={
            row.pk: waits[row.customer_id]
            for row in rows
            if row.customer_id in waits and row.pk not in stopped
        },
    )


def barred(campaign: Campaign, customers: Iterable[int]) -> dict[int, str]:
    """Return, by customer, why those who may not be reached now may not; five queries at most."""
    asked = set(customers)
    shut = asked - targeting.reachable_of(campaign, asked)
    if not shut:
        return {}
    asked_of = Customer.objects.filter(pk__in=shut).select_related("subject")
    known, use = list(asked_of), purposes.find(campaign.purpose)
    minors = set(asked_of.filter(purposes.minor()).values_list("pk", flat=True))
    consented = set(
        Consent.objects.filter(
            subject__in=[customer.subject_id for customer in known],
            purpose=campaign.purpose,
            channel=campaign.channel,
            state__in=purposes.agreeing(campaign.purpose),
        ).values_list("subject_id", flat=True)
    )
    wanting = asked_of.filter(topics.wanted(campaign.topic, campaign.channel))
    wanted = set(wanting.values_list("pk", flat=True)) if campaign.topic_id else shut
    tag = ADDRESS_TAGS.get(campaign.channel)
    at_hand = asked_of.filter(targeting.takes_push(campaign))
    browsers = set(at_hand.values_list("pk", flat=True)) if campaign.channel == "push" else shut
    found = {
        customer.pk: _reason(
            customer.subject,
            is_minor=use.is_marketing and customer.pk in minors,
            is_objecting=use.is_marketing and customer.subject.objected,
            consented=not use.is_declared or customer.subject_id in consented,
            wanted=customer.pk in wanted,
            addressed=customer.pk in browsers
            and (tag is None or getattr(customer, tag) is not None),
        )
        for customer in known
    }
    return {pk: found.get(pk, MERGED) for pk in shut}


def in_words(reason: str) -> StrOrPromise:
    """Return what a delivery's reason means; a mail server's reply as it is."""
    return REASONS.get(reason, reason)


def _reason(
    subject: Subject,
    *,
    is_minor: bool,
    is_objecting: bool,
    consented: bool,
    wanted: bool,
    addressed: bool,
) -> str:
    bars = (
        (subject.erased_at is not None, "erased"),
        (subject.restricted, "restricted"),
        (is_objecting, "objected"),
        (is_minor, "minor"),
        (not consented, "no_consent"),
        (not wanted, "topic"),
        (not addressed, "no_address"),
    )
    return next((reason for barred, reason in bars if barred), "suppressed")
