"""What a campaign says: its contents, the words for their faults, starters to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Brand, Template, Variant
from campaigns.rendering import blocks, locales, markup, starters
from campaigns.rendering.content import Content, Frame, Pick, Reader, Source, compiled
from campaigns.rendering.faults import TemplateError
from privacy.models import Channel, Shop
from privacy.problems import Fault
from profiles import figures
from profiles.models import Customer

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Campaign

SAMPLE = Reader(
    full_name="Ann Example",
    coupon="SAMPLE-CODE",
    picks=[Pick("p1", "Example", "Example", "1.00", "", "https://example.com/", "Example")],
)
EXPLANATIONS = {
    "unknown_variable": gettext_lazy("There is no variable “%(about)s”."),
    "unknown_filter": gettext_lazy("There is no filter “%(about)s”."),
    "endless_loop": gettext_lazy("A loop runs too often."),
    "too_much_output": gettext_lazy("The message grows too long."),
    "too_much_memory": gettext_lazy("The template needs too much memory."),
    "too_deep": gettext_lazy("Blocks are nested too deeply."),
    "too_long": gettext_lazy("The template is longer than %(about)s characters."),
    "wrong_value": gettext_lazy("A filter got a value it cannot take: %(about)s."),
    "forbidden_markup": gettext_lazy("A message must not have this in it: %(about)s."),
    "wrong_mjml": gettext_lazy("This is not valid MJML: %(about)s."),
    "unknown_tag": gettext_lazy("There is no MJML element “%(about)s”."),
    "unknown_block": gettext_lazy("There is no block “%(about)s”."),
    "wrong_block": gettext_lazy("The block's “%(about)s” is no text, or too long a one."),
    "empty_block": gettext_lazy("The block needs its “%(about)s”."),
    "wrong_link": gettext_lazy("The block's “%(about)s” is no web address."),
    "too_many_blocks": gettext_lazy("A message has %(about)s blocks at most."),
    "syntax": gettext_lazy("This is not valid Liquid: %(about)s."),
}


def source_of(template: Template) -> Source:
    return Source(template.locale, template.subject, template.body_html, template.body_text)


def contents(campaign: Campaign) -> dict[tuple[int, str], Content]:
    """Return the compiled messages by variant row and language; raises TemplateError."""
    templates = Template.objects.filter(variant__campaign=campaign)
    return {(row.variant_id, row.locale): compiled(source_of(row)) for row in templates}


def frame(campaign: Campaign, locale: str, *, now: datetime) -> Frame:
    """Return what all readers of the campaign in one language share; today is the shop's day."""
    shop = Shop.current()
    return Frame(
        shop_name=shop.name,
        shop_url=settings.PUBLIC_URL,
        legal_footer=shop.legal_footer,
        campaign_name=campaign.name,
        language=locale,
        today=now.astimezone(ZoneInfo(shop.time_zone)).date().isoformat(),
    )


def languages(campaign: Campaign) -> list[str]:
    """Return the languages that every variant of the campaign has, sorted."""
    texts = {Channel.SMS: "sms_texts", Channel.ONSITE: "cards", Channel.PUSH: "cards"}
    name = texts.get(Channel(campaign.channel), "templates")
    of_each = [
        set(getattr(variant, name).values_list("locale", flat=True))
        for variant in campaign.variants.all()
    ]
    return sorted(set.intersection(*of_each)) if of_each else []


def spoken(campaign: Campaign) -> tuple[dict[str, str], str]:
    """Return the message's language by the customers', and the one for all who are left out."""
    language, available = Shop.current().language, languages(campaign)
    default = locales.choose("", available, shop_language=language)
    heard = Customer.objects.order_by().values_list("locale", flat=True).distinct()
    chosen = {one: locales.choose(one, available, shop_language=language) for one in heard}
    return {one: found for one, found in chosen.items() if found != default}, default


def faults(
    campaign: Campaign, *, now: datetime, facts: Mapping[str, object] | None = None
) -> list[Fault]:
    """Return everything that keeps the campaign from being sent, in the staff's language.

    `facts` are made-up ones of the campaign's occasion, if it has one.
    """
    variants = list(campaign.variants.order_by("key").prefetch_related("templates"))
    if not variants:
        return [Fault("no_variant", _("Add at least one variant."), "/variants")]
    found = [
        fault
        for variant in variants
        for fault in _variant_faults(campaign, variant, now, facts or {})
    ]
    everywhere = {row.locale for variant in variants for row in variant.templates.all()}
    for variant in variants:
        missing = everywhere - {row.locale for row in variant.templates.all()}
        found += [
            Fault(
                "missing_language",
                _("Variant %(key)s has no text in “%(locale)s”.")
                % {"key": variant.key, "locale": locale},
                f"/variants/{variant.key}",
            )
            for locale in sorted(missing)
        ]
    if not everywhere:
        found.append(Fault("no_message", _("Write the message of a variant."), "/variants"))
    if not Shop.current().sender_email:
        found.append(Fault("no_sender", _("Set the shop's sender e-mail."), "/shop/sender_email"))
    if not any(variant.weight for variant in variants):
        found.append(Fault("no_weight", _("Give a variant a weight above 0."), "/variants"))
    return found


def _variant_faults(
    campaign: Campaign, variant: Variant, now: datetime, facts: Mapping[str, object]
) -> list[Fault]:
    found = []
    for row in variant.templates.all():
        pointer = f"/variants/{variant.key}/templates/{row.locale}"
        try:
            check(source_of(row), frame(campaign, row.locale, now=now), facts)
        except TemplateError as error:
            found.append(Fault(error.code, explain(error), f"{pointer}/{error.field}"))
        if campaign.is_marketing and "unsubscribe_url" not in row.body_html:
            found.append(
                Fault(
                    "no_unsubscribe_link",
                    _("Put a link to {{ unsubscribe_url }} into the message."),
                    f"{pointer}/body_html",
                )
            )
    return found


def check(source: Source, shared: Frame, facts: Mapping[str, object] | None = None) -> None:
    """Render `source` for a reader with and one without a name and picks; raises TemplateError."""
    content, occasion = compiled(source), facts or {}
    for reader in (replace(SAMPLE, occasion=occasion), Reader(occasion=occasion)):
        content.render(shared, reader, unsubscribe_url="https://example.com/")


def explain(error: TemplateError) -> str:
    """Return what is wrong with a template, in the language of the staff."""
    text = str(EXPLANATIONS[error.code]) % {"about": error.about}
    if error.line is None:
        return text
    return _("Line %(line)s: %(text)s") % {"line": error.line, "text": text}


def start_from(variant: Variant, name: str) -> list[Template]:
    """Give `variant` the starter's message in each of the starter's languages."""
    begun = starter_drafts(name)
    for template in begun:
        template.variant = variant
    return Template.objects.bulk_create(begun)


def starter_drafts(name: str) -> list[Template]:
    """Return the starter's messages in the shop's look, not stored; KeyError if there is none."""
    look = brand()
    return [
        Template(
            locale=starter.locale,
            subject=starter.subject,
            blocks=[*starter.blocks],
            body_html=html_of(starter.blocks, look, starter.locale)
            if starter.blocks
            else starter.body_html,
        )
        for starter in starters.load(name)
    ]


def html_of(message: Sequence[blocks.Block], look: blocks.Brand, locale: str) -> str:
    """Return the HTML of a message's blocks; raises TemplateError."""
    return markup.to_html(blocks.compiled(message, look, language=locale))


def brand() -> blocks.Brand:
    """Return how the shop's messages look."""
    kept = Brand.current()
    return blocks.Brand(**{field.name: getattr(kept, field.name) for field in fields(blocks.Brand)})


@lru_cache(maxsize=4096)
def price(minor: int | None, currency: str, language: str) -> str:
    """Return money as a reader of `language` writes it; empty where there is no price."""
    return "" if minor is None else figures.money(minor, currency, language)
