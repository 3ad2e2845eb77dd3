"""What readers do with a message: opens, clicks, unsubscriptions; machines kept and marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from campaigns import feedback
from campaigns.models import Automation, Campaign, Delivery, Hit, Link
from privacy import consent, preferences, suppression
from privacy.models import Consent, ConsentEntry, Source, Suppression
from profiles.events import staging, wire
from profiles.models import Cart
from profiles.models.customer import ADDRESS_TAGS
from profiles.models.event import Kind
from profiles.orders import carts

if TYPE_CHECKING:
    from datetime import datetime

SOURCE = "Campaigns"
EVENTS: dict[str, str] = {Hit.Kind.OPEN: "Email Opened", Hit.Kind.CLICK: "Email Clicked"}
TOO_SOON = timedelta(seconds=2)
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_LINK_TOKEN = re.compile(r"([A-Za-z0-9_-]{43})\.([0-9a-z]{1,13})")
_BARE_MOZILLA = "Mozilla/5.0"
_MACHINES = re.compile(
    r"bot\b|bot/|crawl|spider|scan|preview|prefetch|monitor|headless|phantom|curl|wget|python|"
    r"java/|okhttp|go-http|libwww|httpclient|ruby|perl|barracuda|proofpoint|mimecast|safelinks|"
    r"ironport|symantec|trendmicro|fortinet|sophos|forcepoint|zscaler|defender|cloudmark|bingpreview|"
    r"yahoomailproxy|facebookexternalhit|slack|telegram|whatsapp|dataprovider|urlresolver",
    re.IGNORECASE,
)


class UnknownLinkError(LookupError):
    """A link that no message carries."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a request tells about who makes it."""

    method: str
    user_agent: str


def is_machine(visit: Visit, *, sent_at: datetime | None, now: datetime) -> bool:
    """Say whether a program, not the reader, followed the link.

    A HEAD request, a known or missing program name, Apple's prefetching proxy (which says
    "Mozilla/5.0" and no more), or a visit within 2 seconds of the sending. Gmail's image
    proxy is let through: it fetches when a person opens.
    """
    agent = visit.user_agent.strip()
    if visit.method == "HEAD" or not agent or agent == _BARE_MOZILLA:
        return True
    if sent_at is None or now - sent_at < TOO_SOON:
        return True
    return _MACHINES.search(agent) is not None


def opened(token: str, visit: Visit, now: datetime) -> None:
    """Record that the message was opened; a token of no message is passed over."""
    if (delivery := _find(token)) is not None:
        _hit(delivery, Hit.Kind.OPEN, visit, now)


def clicked(token: str, visit: Visit, now: datetime) -> str:
    """Record a click and return where it leads; raises UnknownLinkError."""
    if (match := _LINK_TOKEN.fullmatch(token)) is None:
        raise UnknownLinkError
    delivery = _find(match[1])
    number = int(match[2], 36)
    if delivery is None or number >= 2**63:
        raise UnknownLinkError
    link = Link.objects.filter(pk=number, campaign=delivery.campaign_id).first()
    if link is None:
        raise UnknownLinkError
    _hit(delivery, Hit.Kind.CLICK, visit, now, link=link)
    return link.url


def back_to_cart(token: str, visit: Visit, now: datetime) -> str:
    """Record a click and return the shop's page that brings the cart back, with a new token.

    Raises UnknownLinkError for a token of no message about a cart, or a cart that is gone.
    """
    delivery = _find(token)
    if delivery is None or delivery.campaign.kind != Campaign.Kind.AUTOMATION:
        raise UnknownLinkError
    page = Automation.objects.filter(steps__campaign=delivery.campaign_id).values_list(
        "restore_url"
    )
    found = page.filter(kind=Automation.Kind.CART).first()
    cart = Cart.objects.filter(pk=int(delivery.occurrence or 0), customer=delivery.customer).first()
    if found is None or cart is None:
        raise UnknownLinkError
    _hit(delivery, Hit.Kind.CLICK, visit, now)
    if visit.method == "HEAD":
        return str(found[0]).replace("{token}", "")
    cart_token, _until = carts.issue_token(cart, now=now)
    return str(found[0]).replace("{token}", cart_token)


def language_of(token: str) -> str:
    """Return the language of the token's message, empty if there is none (any more)."""
    delivery = _find(token)
    return delivery.locale if delivery else ""


def preferences_link(token: str) -> str:
    """Return the page on which the token's reader chooses purpose by purpose, empty if gone."""
    delivery = _find(token)
    return preferences.link(delivery.customer.subject_id) if delivery else ""


@transaction.atomic
def unsubscribe(token: str, now: datetime, *, wording: str) -> bool:
    """Withdraw the reader's consent and suppress the address on the channel; safe to repeat.

    Returns False if no message has this token, as after the reader's erasure: then there
    is nothing left to write to. `wording` is the text the reader confirmed.
    """
    delivery = _find(token)
    if delivery is None:
        return False
    campaign, subject = delivery.campaign, delivery.customer.subject
    agreed = Consent.objects.filter(
        subject=subject, purpose=campaign.purpose, channel=campaign.channel
    ).exclude(state=ConsentEntry.State.WITHDRAWN)
    if agreed.exists():
        consent.record(
            subject,
            campaign.purpose,
            campaign.channel,
            ConsentEntry.State.WITHDRAWN,
            wording=wording,
            source=f"campaign:{campaign.uuid}",
            happened_at=now,
            now=now,
        )
    name = ADDRESS_TAGS.get(campaign.channel, "")
    if name and (tag := getattr(delivery.customer, name)) is not None:
        suppression.suppress_tag(
            campaign.channel, bytes(tag), reason=Suppression.Reason.UNSUBSCRIBED, now=now
        )
    if not delivery.hits.filter(kind=Hit.Kind.UNSUBSCRIBE).exists():
        Hit.objects.create(delivery=delivery, kind=Hit.Kind.UNSUBSCRIBE, at=now)
    return True


def _find(token: str) -> Delivery | None:
    if not TOKEN.fullmatch(token):
        return None
    rows = Delivery.objects.select_related("campaign", "customer__subject")
    return rows.filter(token=token).first()


@transaction.atomic
def _hit(
    delivery: Delivery, kind: Hit.Kind, visit: Visit, now: datetime, *, link: Link | None = None
) -> None:
    feedback.arrived(delivery, delivery.intended_at or now)
    machine = is_machine(visit, sent_at=delivery.sent_at, now=now)
    hit = Hit.objects.create(delivery=delivery, kind=kind, link=link, at=now, by_machine=machine)
    if not machine:
        _tell(hit, now)


def _tell(hit: Hit, now: datetime) -> None:
    """Hand what a person did down to the profile, as an event of the source "Campaigns"."""
    source, _ = Source.objects.get_or_create(
        name=SOURCE, defaults={"kind": Source.Kind.SERVER, "created_at": now}
    )
    event = wire.Message(
        kind=Kind.TRACK,
        message_id=f"hit-{hit.pk}",
        name=EVENTS[hit.kind],
        user_id=hit.delivery.customer.external_id,
        anonymous_id="",
        previous_id="",
        product_id="",
        properties={"campaign": str(hit.delivery.campaign.uuid), "linkId": hit.link_id},
        context={},
        happened_at=now,
    )
    staging.write([event], source_id=source.pk, is_confirmed=True, received_at=now)
