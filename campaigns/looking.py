"""Looking at a message before it goes out: as a customer would get it, or by a test to staff."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import uuid4

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from campaigns import cards, onsite, pushing, targeting, texting, writing
from campaigns.channels import email, ways
from campaigns.channels.base import Channel, Message, Outcome
from campaigns.composing import Composer, message_id, unsubscribe_url
from campaigns.models import Campaign, Card, Variant
from campaigns.rendering import card as card_look
from campaigns.rendering import locales
from campaigns.rendering.content import Reader, Rendered, Source, compiled
from campaigns.rendering.faults import TemplateError
from campaigns.rendering.message import build, mailable
from campaigns.texting import TextComposer
from privacy import audit, throttling
from privacy.models import Shop, Staff
from privacy.problems import DomainError
from privacy.throttling import Limit
from profiles.models import Customer

NO_TOKEN = "0" * 43
A_HOUR: Final = Limit("test", 30, 3_600)  # tests to one address, by whatever channel


def preview(campaign: Campaign, variant: Variant, customer: Customer, now: datetime) -> Rendered:
    """Return the message as `customer` would get it, the name masked.

    Raises DomainError if the template cannot be rendered.
    """
    available = writing.languages(campaign)
    if not available:
        raise DomainError("no_message", _("Write the message of a variant."), status=409)
    locale = locales.choose(customer.locale, available, shop_language=Shop.current().language)
    if campaign.channel in cards.CHANNELS:
        return _card_sample(campaign, _card(variant, locale))
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
    variants = campaign.variants.order_by("key")
    if campaign.channel in cards.CHANNELS:
        return [
            (variant, _card_sample(campaign, card))
            for variant in variants.prefetch_related("cards")
            for card in sorted(variant.cards.all(), key=lambda one: one.locale)
        ]
    if campaign.channel == ways.SMS:
        return _text_samples(campaign, now)
    composer = _composer(campaign, now)
    return [
        (variant, _sample(composer, variant, row.locale, None))
        for variant in variants.prefetch_related("templates")
        for row in sorted(variant.templates.all(), key=lambda one: one.locale)
    ]


def send_test(
    campaign: Campaign,
    variant: Variant,
    locale: str,
    to: str,
    now: datetime,
    *,
    actor: str,
    channel: Channel | None = None,
) -> Rendered:
    """Send the message to a staff address, with the picks anybody would get; returns it.

    A text goes to the telephone, a push message to the browsers, and on-site content is shown for
    half an hour, to the customer who has that address. Links are not tracked and unsubscribing
    does nothing. Each test is audited. Raises DomainError if `to` is no active staff address, it
    had 30 tests within the hour, no customer who may get such messages has it, the template is
    faulty, the channel is not set up or the server does not take the message.
    """
    if not Staff.objects.filter(is_active=True, email__iexact=to).exclude(email="").exists():
        raise DomainError(
            "not_a_staff_address",
            _("A test goes to the address of an active staff account."),
            pointer="/to",
        )
    throttling.take([(A_HOUR, to.casefold())], now=now)
    try:
        shown = _tested(campaign, variant, locale, to, now, channel=channel)
    except ImproperlyConfigured as error:
        detail = _("This channel is not set up as it should be: %(why)s.") % {"why": error}
        raise DomainError("channel_not_set_up", detail, status=409) from None
    audit.append("campaign.tested", actor=actor, at=now, reason=f"campaign {campaign.uuid}")
    return shown


def _tested(
    campaign: Campaign,
    variant: Variant,
    locale: str,
    to: str,
    now: datetime,
    *,
    channel: Channel | None,
) -> Rendered:
    if campaign.channel in cards.CHANNELS:
        return _try_card(campaign, _card(variant, locale), to, now, channel)
    if campaign.channel == ways.SMS:
        return _try_text(campaign, variant, locale, to, now, channel=channel)
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
    _hand_over(message, channel or email.channel())
    return rendered


def _hand_over(message: Message, channel: Channel) -> None:
    result = channel.send_batch([message])[0]
    if result.outcome is not Outcome.SENT:
        raise DomainError(
            "test_not_sent",
            _("The test was not sent (%(code)s).") % {"code": result.code},
            status=502,
        )


def _card(variant: Variant, locale: str) -> Card:
    card = variant.cards.filter(locale=locale).first()
    if card is None:
        raise _no_text(variant, locale)
    return card


def _card_sample(campaign: Campaign, card: Card) -> Rendered:
    """Return a card as what the page or the browser is told of it looks."""
    if campaign.channel == ways.PUSH:
        told = pushing.told(card, card.url, str(campaign.uuid))
        return card_look.sample(told | {"text": told["body"]}, card.locale)
    shown = {name: getattr(card, name) for name in ("title", "text", "button", "url")}
    return card_look.sample(shown | {"image": card.image_url}, card.locale)


def _try_card(
    campaign: Campaign, card: Card, to: str, now: datetime, channel: Channel | None
) -> Rendered:
    person = _test_customer(campaign, to)
    if campaign.channel == ways.PUSH:
        key = f"test-{uuid4().hex[:20]}"
        message = pushing.PushComposer(campaign, now=now).test(card, person.pk, key)
        _hand_over(message, channel or ways.way(ways.PUSH))
    elif not campaign.placement:
        detail = _("Say at which place it is shown.")
        raise DomainError("no_placement", detail, status=409, pointer="/placement")
    else:
        onsite.try_out(card, person.pk)
    return _card_sample(campaign, card)


def _try_text(
    campaign: Campaign,
    variant: Variant,
    locale: str,
    to: str,
    now: datetime,
    *,
    channel: Channel | None,
) -> Rendered:
    if (row := variant.sms_texts.filter(locale=locale).first()) is None:
        raise _no_text(variant, locale)
    if texting.lacks_registered_text(row):
        raise DomainError("no_registered_text", str(texting.UNREGISTERED), status=409)
    person, key = _test_customer(campaign, to), f"test-{uuid4().hex}"
    try:
        message = TextComposer(campaign, now=now).test(variant.pk, locale, person.pk, key)
    except TemplateError as error:
        raise _as_domain_error(error) from None
    if message is None:
        raise _nobody_to_test()
    _hand_over(message, channel or ways.way(ways.SMS))
    return Rendered(locale, "", "", message.content.decode())


def _test_customer(campaign: Campaign, to: str) -> Customer:
    there = targeting.reachable(campaign).filter(email=to).order_by("pk")
    person: Customer | None = there.first()
    if person is None:
        raise _nobody_to_test()
    return person


def _nobody_to_test() -> DomainError:
    detail = _("No customer who may get such messages has this address: become one in the shop.")
    return DomainError("no_test_customer", detail, status=409, pointer="/to")


def _no_text(variant: Variant, locale: str) -> DomainError:
    return DomainError(
        "missing_language",
        _("Variant %(key)s has no text in “%(locale)s”.") % {"key": variant.key, "locale": locale},
        pointer="/locale",
    )


def _text_sample(
    campaign: Campaign, variant: Variant, locale: str, customer: Customer, now: datetime
) -> Rendered:
    try:
        composer = TextComposer(campaign, now=now)
        return composer.render(variant.pk, locale, Reader(str(customer.full_name or "")))
    except TemplateError as error:
        raise _as_domain_error(error) from None


def _text_samples(campaign: Campaign, now: datetime) -> list[tuple[Variant, Rendered]]:
    try:
        composer = TextComposer(campaign, now=now)
        return [
            (variant, composer.sample(variant.pk, row.locale))
            for variant in campaign.variants.order_by("key").prefetch_related("sms_texts")
            for row in sorted(variant.sms_texts.all(), key=lambda one: one.locale)
        ]
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
        raise _no_text(variant, locale) from None
    except TemplateError as error:
        raise _as_domain_error(error) from None


def _as_domain_error(error: TemplateError) -> DomainError:
    return DomainError("template_fault", writing.explain(error), pointer=f"/{error.field}")
