"""Short messages of on-site and push campaigns: what they must say, and what was approved of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.models import Card, Variant
from campaigns.rendering.links import is_trackable
from privacy.models import Channel
from privacy.problems import Fault

if TYPE_CHECKING:
    from campaigns.models import Campaign

CHANNELS: Final = (Channel.ONSITE, Channel.PUSH)
STARTERS: Final = {
    "en": ("New accessories for what you own", "Picked to fit your devices.", "Have a look"),
    "zh-hans": ("您的设备上新了配件", "为您的设备精选。", "去看看"),
}
TOLD: Final = ("locale", "title", "text", "button", "url", "image_url")


def start(variant: Variant) -> None:
    """Give a new variant a message to begin with in each of the languages."""
    Card.objects.bulk_create(
        Card(
            variant=variant,
            locale=locale,
            title=title,
            text=text,
            button=button,
            url=settings.PUBLIC_URL,
        )
        for locale, (title, text, button) in STARTERS.items()
    )


def faults(campaign: Campaign) -> list[Fault]:
    """Return what keeps the message from being shown or sent, in the staff's language."""
    variants = list(campaign.variants.order_by("key").prefetch_related("cards"))
    found = []
    if campaign.channel == Channel.ONSITE and not campaign.placement:
        found.append(Fault("no_placement", _("Say at which place it is shown."), "/placement"))
    if not variants:
        return [*found, Fault("no_variant", _("Add at least one variant."), "/variants")]
    everywhere = {card.locale for variant in variants for card in variant.cards.all()}
    if not everywhere:
        found.append(Fault("no_message", _("Write the message of a variant."), "/variants"))
    for variant in variants:
        found += _variant_faults(variant, everywhere)
    if not any(variant.weight for variant in variants):
        found.append(Fault("no_weight", _("Give a variant a weight above 0."), "/variants"))
    return found


def _variant_faults(variant: Variant, everywhere: Collection[str]) -> list[Fault]:
    there, place = {card.locale: card for card in variant.cards.all()}, f"/variants/{variant.key}"
    lacking = _("Variant %(key)s has no text in “%(locale)s”.")
    found = [
        Fault("missing_language", lacking % {"key": variant.key, "locale": locale}, place)
        for locale in sorted(set(everywhere) - there.keys())
    ]
    nowhere = _("Variant %(key)s leads nowhere; give it a web address.") % {"key": variant.key}
    found += [
        Fault("no_target", nowhere, place) for card in there.values() if not is_trackable(card.url)
    ]
    return found


def approved(campaign: Campaign) -> list[Any]:
    """Return all that readers will see, for the approval's hash."""
    rows = [
        [variant.key, list(variant.cards.order_by("locale").values_list(*TOLD))]
        for variant in campaign.variants.order_by("key")
    ]
    ends_at = campaign.ends_at.isoformat() if campaign.ends_at else ""
    return [rows, campaign.placement, ends_at, campaign.times_shown]


def by_variant(campaign: Campaign) -> dict[tuple[int, str], Card]:
    cards = Card.objects.filter(variant__campaign=campaign)
    return {(card.variant_id, card.locale): card for card in cards}
