"""Looking at a message before it goes out: as a customer would get it, or by a test to staff."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.utils.translation import gettext as _

from campaigns import cards, writing
from campaigns.channels import email, ways
from campaigns.channels.base import Channel, Message, Outcome
from campaigns.composing import Composer, message_id, unsubscribe_url
from campaigns.models import Campaign, Variant
from campaigns.rendering import locales
from campaigns.rendering.content import Reader, Rendered, Source, compiled
from campaigns.rendering.faults import TemplateError
from campaigns.rendering.message import build, mailable
from campaigns.texting import TextComposer
from privacy.models import Shop, Staff
from privacy.problems import DomainError
from profiles.models import Customer

NO_TOKEN = "0" * 43


def preview(campaign: Campaign, variant: Variant, customer: Customer, now: datetime) -> Rendered:
    """Return the message as `customer` would get it, the name masked.

    Raises DomainError if the template cannot be rendered.
    """
    if campaign.channel in cards.CHANNELS:
        raise DomainError("no_preview", _("The message page shows such a message."), status=409)
    available = writing.languages(campaign)
    if not available:
        raise DomainError("no_message", _("Write the message of a variant."), status=409)
    locale = locales.choose(customer.locale, available, shop_language=Shop.current().language)
    if campaign.channel == ways.SMS:
        return _text_sample(campaign, variant, locale, customer, now)
    return _sample(_composer(campaign, now), variant, locale, customer)


def preview_of(
    campaign: Campaign,
    variant: Variant,
    source: Source,
    customer: Customer | None,
    now: datetime,
) -> Rendered:
    """Return a message that is not kept yet as `customer`, or else anybody, would get it."""
    try:
        contents = {(variant.pk, source.locale): compiled(source)}
    except TemplateError as error:
        raise _as_domain_error(error) from None
    return _sample(Composer(campaign, now=now, contents=contents), variant, source.locale, customer)


def samples(campaign: Campaign, now: datetime) -> list[tuple[Variant, Rendered]]:
    """Return the message of each variant in each language as anybody would get it.

    Raises DomainError if a template cannot be rendered.
    """
    composer = _composer(campaign, now)
    variants = campaign.variants.order_by("key").prefetch_related("templates")
    return [
        (variant, _sample(composer, variant, row.locale, None))
        for variant in variants
        for row in sorted(variant.templates.all(), key=lambda one: one.locale)
    ]


def send_test(
    campaign: Campaign,
    variant: Variant,
    locale: str,
    to: str,
    now: datetime,
    *,
    channel: Channel | None = None,
) -> Rendered:
    """Send the message to a staff address, with the picks anybody would get; returns it.

    Links are not tracked and unsubscribing does nothing. Raises DomainError if `to` is no
    active staff address, the template is faulty or the server does not take the message.
    """
    if campaign.channel in cards.CHANNELS:
        raise DomainError("no_test", _("Such a message cannot be sent to an address."), status=409)
    if not Staff.objects.filter(is_active=True, email__iexact=to).exclude(email="").exists():
        raise DomainError(
            "not_a_staff_address",
            _("A test goes to the address of an active staff account."),
            pointer="/to",
        )
    composer = _composer(campaign, now)
    rendered = _sample(composer, variant, locale, None)
    key = f"test-{uuid4().hex}"
    envelope = composer.envelope(
        mailable(to),
        message_id=message_id(campaign, key),
        unsubscribe_url=unsubscribe_url(NO_TOKEN),
    )
    subject = _("[Test] %(subject)s") % {"subject": rendered.subject}
    content = build(envelope, subject=subject, html=rendered.html, text=rendered.text)
    message = Message(key, envelope.sender_email, envelope.recipient, content, now)
    result = (channel or email.channel()).send_batch([message])[0]
    if result.outcome is not Outcome.SENT:
        raise DomainError(
            "test_not_sent",
            _("The test was not sent (%(code)s).") % {"code": result.code},
            status=502,
        )
    return rendered


def _text_sample(
    campaign: Campaign, variant: Variant, locale: str, customer: Customer, now: datetime
) -> Rendered:
    try:
        composer = TextComposer(campaign, now=now)
        return composer.render(variant.pk, locale, Reader(str(customer.full_name or "")))
    except TemplateError as error:
        raise _as_domain_error(error) from None


def _composer(campaign: Campaign, now: datetime) -> Composer:
    try:
        return Composer(campaign, now=now)
    except TemplateError as error:
        raise _as_domain_error(error) from None


def _sample(
    composer: Composer, variant: Variant, locale: str, customer: Customer | None
) -> Rendered:
    name = str(customer.full_name or "") if customer else ""
    reader = Reader(
        name, composer.sample_picks(customer, locale), "SAMPLE-CODE", composer.sample_occasion()
    )
    try:
        return composer.render(
            variant.pk, locale, reader, unsubscribe_url=unsubscribe_url(NO_TOKEN)
        )
    except KeyError:
        raise DomainError(
            "missing_language",
            _("Variant %(key)s has no text in “%(locale)s”.")
            % {"key": variant.key, "locale": locale},
            pointer="/locale",
        ) from None
    except TemplateError as error:
        raise _as_domain_error(error) from None


def _as_domain_error(error: TemplateError) -> DomainError:
    return DomainError("template_fault", writing.explain(error), pointer=f"/{error.field}")
