"""What links of a campaign are marked with when a reader follows them to the shop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings

from campaigns.models import SendingRules
from campaigns.rendering.marking import marked, word
from privacy.models import ApiKey, Shop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from campaigns.models import Campaign, Delivery

# Pages of this installation's own, which are no page of the shop.
OWN: Final = ("/c/", "/f/", "/i/", "/o/", "/p/", "/privacy/", "/r/", "/s/", "/u/", "/y/")


def defaults(campaign: Campaign, variant: str) -> dict[str, str]:
    """Return the marks that follow from names: shop, channel, campaign, variant."""
    return {
        "utm_source": word(Shop.current().name) or "candor",
        "utm_medium": campaign.channel,
        "utm_campaign": word(campaign.name),
        "utm_content": word(variant),
    }


def values(campaign: Campaign, variant: str) -> Mapping[str, str]:
    """Return the campaign's marks: what staff set, else the defaults."""
    named = defaults(campaign, variant)
    return {name: getattr(campaign, name) or default for name, default in named.items()}


def hosts() -> set[str]:
    """Return the shop's domains: as set, else the origins of its browser keys; and our own."""
    told = SendingRules.current().shop_domains.lower().split()
    if not told:
        keys = ApiKey.objects.filter(kind=ApiKey.Kind.WRITE, revoked_at=None)
        told = [
            urlsplit(origin).hostname or ""
            for origins in keys.values_list("origins", flat=True)
            for origin in origins
        ]
    found = {one.removeprefix("https://").removeprefix("http://").strip("/") for one in told}
    return (found | {urlsplit(settings.PUBLIC_URL).hostname or ""}) - {""}


def tagged(url: str, delivery: Delivery) -> str:
    """Return a followed link with the campaign's marks, if it leads to the shop."""
    campaign = delivery.campaign
    if not (campaign.adds_utm and campaign.is_marketing):
        return url
    here = urlsplit(settings.PUBLIC_URL)
    there = urlsplit(url)
    if there.netloc == here.netloc and there.path.startswith(OWN):
        return url
    variant = delivery.variant.key if delivery.variant else ""
    return marked(url, values(campaign, variant), hosts())
