"""What readers do with a message: opens, clicks, unsubscriptions; machines kept and marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from campaigns import event_catalogue, feedback, picking, utm
from campaigns.models import Automation, Campaign, Delivery, Hit, Impression, Link
from campaigns.rendering.links import SHORT_MARK
from privacy import consent, preferences, suppression
from privacy.models import Channel, Consent, ConsentEntry, Source, Suppression
from profiles.events import staging, wire
from profiles.models import Cart
from profiles.models.customer import ADDRESS_TAGS
from profiles.models.event import Kind
from profiles.orders import carts

if TYPE_CHECKING:
    from datetime import datetime

SOURCE = "Campaigns"
# Texts and push messages tell of clicks alone.
EVENTS: dict[str, dict[str, str]] = {
    Channel.EMAIL: {Hit.Kind.OPEN: "Email Opened", Hit.Kind.CLICK: "Email Clicked"},
    Channel.SMS: {Hit.Kind.CLICK: "SMS Clicked"},
    Channel.PUSH: {Hit.Kind.CLICK: "Push Clicked"},
    Channel.ONSITE: {Hit.Kind.OPEN: "Promotion Viewed", Hit.Kind.CLICK: "Promotion Clicked"},
}
VIEWED, FOLLOWED = "Recommendation Viewed", "Recommendation Clicked"
TOO_SOON = timedelta(seconds=2)
# A reader opens no three links of a message in ten seconds, and no two in one.
AT_ONCE, MANY = timedelta(seconds=10), 3
TWO_AT_ONCE = timedelta(seconds=1)
# Whoever followed the hidden link made the visits of the half minute around it.
CANARY, CANARY_REACH = "00", timedelta(seconds=30)
SETTLED = timedelta(seconds=45)
TOLD_AT_ONCE = 500
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_LINK_TOKEN = re.compile(r"([A-Za-z0-9_-]{43})\.([0-9a-z]{1,13})")
# In a text message: number of the message, the first signs of its token, number of the link.
_SHORT_TOKEN = re.compile(rf"([0-9a-z]{{1,13}})\.([A-Za-z0-9_-]{{{SHORT_MARK}}})([0-9a-z]{{1,13}})")
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
    purpose: str = ""


def sign_of(visit: Visit, *, sent_at: datetime | None, now: datetime) -> str:
    """Return what shows by itself that a program, not the reader, made the visit; empty for none.

    A HEAD request, a known or missing program name, a fetch ahead (Apple's proxy says
    "Mozilla/5.0" and no more), or a visit within 2 seconds of the sending. Gmail's image
    proxy is let through: it fetches when a person opens.
    """
    agent = visit.user_agent.strip()
    if visit.method == "HEAD":
        return Hit.Sign.METHOD
    if agent == _BARE_MOZILLA or "prefetch" in visit.purpose.lower():
        return Hit.Sign.PREFETCH
    if not agent or _MACHINES.search(agent):
        return Hit.Sign.AGENT
    if sent_at is None or now - sent_at < TOO_SOON:
        return Hit.Sign.TOO_SOON
    return ""


def opened(token: str, visit: Visit, now: datetime) -> None:
    """Record that the message was opened; a token of no message is passed over."""
    if (delivery := find(token)) is not None:
        _hit(delivery, Hit.Kind.OPEN, visit, now)


def clicked(token: str, visit: Visit, now: datetime) -> str:
    """Record a click and return where it leads; raises UnknownLinkError.

    The link that nobody sees leads to the shop.
    """
    if match := _LINK_TOKEN.fullmatch(token):
        delivery, told = find(match[1]), match[2]
    elif match := _SHORT_TOKEN.fullmatch(token):
        delivery, told = _of_text(int(match[1], 36), match[2]), match[3]
    else:
        raise UnknownLinkError
    number = int(told, 36)
    if delivery is None or number >= 2**63:
        raise UnknownLinkError
    if told == CANARY:
        _hit(delivery, Hit.Kind.CLICK, visit, now, is_canary=True)
        return str(settings.PUBLIC_URL)
    link = Link.objects.filter(pk=number, campaign=delivery.campaign_id).first()
    if link is None:
        raise UnknownLinkError
    _hit(delivery, Hit.Kind.CLICK, visit, now, link=link)
    return utm.tagged(link.url, delivery)


def shown(token: str, visit: Visit, now: datetime, *, again: timedelta) -> Delivery | None:
    """Record that a page showed on-site content, once within `again`; None for no such token."""
    delivery = find(token)
    if delivery is None or delivery.campaign.channel != Channel.ONSITE:
        return None
    if not delivery.hits.filter(kind=Hit.Kind.OPEN, at__gt=now - again).exists():
        _hit(delivery, Hit.Kind.OPEN, visit, now)
    return delivery


def back_to_cart(token: str, visit: Visit, now: datetime) -> str:
    """Record a click and return the shop's page that brings the cart back, with a new token.

    Raises UnknownLinkError for a token of no message about a cart, or a cart that is gone.
    """
    delivery = find(token)
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


def preferences_link(delivery: Delivery) -> str:
    """Return the page on which the message's reader chooses purpose by purpose."""
    return preferences.link(delivery.customer.subject_id, delivery.locale)


@transaction.atomic
def unsubscribe(token: str, now: datetime, *, wording: str) -> bool:
    """Withdraw the reader's consent and suppress the address on the channel; safe to repeat.

    Returns False if no message has this token, as after the reader's erasure: then there
    is nothing left to write to. `wording` is the text the reader confirmed.
    """
    delivery = find(token)
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
            campaign.channel,
            bytes(tag),
            reason=Suppression.Reason.UNSUBSCRIBED,
            now=now,
            source="unsubscribe link",
        )
    if not delivery.hits.filter(kind=Hit.Kind.UNSUBSCRIBE).exists():
        Hit.objects.create(delivery=delivery, kind=Hit.Kind.UNSUBSCRIBE, at=now)
        event_catalogue.tell_one(event_catalogue.UNSUBSCRIBED, delivery, now)
    return True


def refuse_topic(token: str, now: datetime) -> bool:
    """Take the message's topic off its channel and leave the reader's others; safe to repeat.

    Returns False if there is no such message, or it has no topic.
    """
    delivery = find(token)
    if delivery is None or delivery.campaign.topic is None:
        return False
    preferences.refuse_topic(
        delivery.customer.subject,
        delivery.campaign.topic,
        delivery.campaign.channel,
        source=f"campaign:{delivery.campaign.uuid}",
        locale=delivery.locale,
        now=now,
    )
    return True


def find(token: str) -> Delivery | None:
    """Return the message that bears the token, None if there is none (any more)."""
    if not TOKEN.fullmatch(token):
        return None
    rows = Delivery.objects.select_related("campaign__topic", "variant", "customer__subject")
    return rows.filter(token=token).first()


def _of_text(pk: int, mark: str) -> Delivery | None:
    """Return the text message of a number whose token begins with `mark`."""
    if pk >= 2**63:
        return None
    rows = Delivery.objects.select_related("campaign__topic", "variant", "customer__subject")
    found = rows.filter(pk=pk, campaign__channel=Channel.SMS).first()
    token = (found and found.token) or ""
    return found if compare_digest(token[:SHORT_MARK], mark) else None


@transaction.atomic
def _hit(
    delivery: Delivery,
    kind: Hit.Kind,
    visit: Visit,
    now: datetime,
    *,
    link: Link | None = None,
    is_canary: bool = False,
) -> None:
    feedback.arrived(delivery, delivery.intended_at or now)
    sign = Hit.Sign.CANARY if is_canary else sign_of(visit, sent_at=_sent_at(delivery), now=now)
    sign = sign or _company(delivery, link, now)
    Hit.objects.create(
        delivery=delivery,
        kind=kind,
        link=link,
        at=now,
        by_machine=bool(sign),
        sign=sign,
        waits=not sign,
    )
    if sign in {Hit.Sign.CANARY, Hit.Sign.MANY_LINKS}:
        # What came just before it came from the same machine.
        near = CANARY_REACH if sign == Hit.Sign.CANARY else AT_ONCE
        taken = delivery.hits.filter(at__gte=now - near, by_machine=False)
        taken.exclude(kind=Hit.Kind.UNSUBSCRIBE).update(by_machine=True, sign=sign, waits=False)


def _sent_at(delivery: Delivery) -> datetime | None:
    """When the message left; what a page shows is seen at once, and nothing hurries ahead of it."""
    if delivery.campaign.channel == Channel.ONSITE and delivery.sent_at is not None:
        return delivery.sent_at - TOO_SOON
    return delivery.sent_at


def _company(delivery: Delivery, link: Link | None, now: datetime) -> str:
    """Return what the visits just before this one say of it."""
    recent = list(
        delivery.hits.filter(at__gte=now - CANARY_REACH, kind=Hit.Kind.CLICK).order_by("at")
    )
    if any(hit.sign == Hit.Sign.CANARY for hit in recent):
        return Hit.Sign.CANARY
    if link is None:
        return ""
    others = {hit.link_id: hit.at for hit in recent if hit.at >= now - AT_ONCE} | {link.pk: now}
    at_once = [at for at in others.values() if at >= now - TWO_AT_ONCE]
    if len(others) >= MANY or len(at_once) > 1:
        return Hit.Sign.MANY_LINKS
    return ""


def tell(now: datetime, *, limit: int = TOLD_AT_ONCE) -> int:
    """Hand what people did, and no machine since proved to be, down to the profile.

    Each becomes an event of the source "Campaigns", and one more if it saw or followed
    recommended products. Returns how many were told.
    """
    with transaction.atomic():
        due = Hit.objects.filter(waits=True, at__lte=now - SETTLED).order_by("at", "pk")
        locked = due.select_for_update(skip_locked=True, of=("self",))
        hits = list(locked.select_related("delivery__customer", "delivery__campaign")[:limit])
        if hits:
            source, _ = Source.objects.get_or_create(
                name=SOURCE, defaults={"kind": Source.Kind.SERVER, "created_at": now}
            )
            shown = picking.of_hits(hits)
            events = [event for hit in hits for event in _events(hit, shown.get(hit.delivery_id))]
            staging.write(events, source_id=source.pk, is_confirmed=True, received_at=now)
            Hit.objects.filter(pk__in=[hit.pk for hit in hits]).update(waits=False)
            _announce(hits, now)
    return len(hits)


def _announce(hits: Sequence[Hit], now: datetime) -> None:
    hits = [hit for hit in hits if hit.delivery.campaign.channel != Channel.ONSITE]
    opened = {hit.delivery_id: "" for hit in hits if hit.kind == Hit.Kind.OPEN}
    clicked = {hit.delivery_id: "" for hit in hits if hit.kind == Hit.Kind.CLICK}
    told = {event_catalogue.OPENED: opened, event_catalogue.CLICKED: clicked}
    event_catalogue.tell(told, now)


def _events(hit: Hit, shown: Impression | None) -> Iterator[wire.Message]:
    told = {"campaign": str(hit.delivery.campaign.uuid), "linkId": hit.link_id}
    if name := EVENTS[hit.delivery.campaign.channel].get(hit.kind):
        yield _event(hit, f"hit-{hit.pk}", name, told)
    if shown is None:
        return
    told = {"recommendationId": str(shown.recommendation_id)}
    if hit.kind == Hit.Kind.OPEN:
        yield _event(hit, f"viewed-{hit.pk}", VIEWED, told)
    elif position := shown.position_of(hit.link_id):
        product_id = shown.items[position - 1][0]
        told |= {"product_id": product_id, "position": position}
        yield _event(hit, f"followed-{hit.pk}", FOLLOWED, told, product_id)


def _event(
    hit: Hit, message_id: str, name: str, properties: dict[str, Any], product_id: str = ""
) -> wire.Message:
    return wire.Message(
        kind=Kind.TRACK,
        message_id=message_id,
        name=name,
        user_id=hit.delivery.customer.external_id,
        anonymous_id="",
        previous_id="",
        product_id=product_id,
        properties=properties,
        context={},
        happened_at=hit.at,
    )
