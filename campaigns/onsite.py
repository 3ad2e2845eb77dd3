"""On-site content: which campaign a page shows at a place, decided for the visitor at each request.

A customer gets their place in a campaign, a variant or the holdout, at the first page on which
they are in its audience; it stays theirs. Whether it may be shown is asked at every page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Q

from campaigns import delivery, gate, planning, targeting, tracking
from campaigns.composing import click_url
from campaigns.models import Campaign, Card, Delivery, Hit, Link
from campaigns.rendering.locales import normalize
from campaigns.tracking import Visit
from privacy.models import Channel

if TYPE_CHECKING:
    from datetime import datetime

AT_A_PLACE: Final = 10
NOT_IN_IT: Final = timedelta(minutes=1)
SEEN_AGAIN: Final = timedelta(seconds=30)
TRIED_FOR: Final = timedelta(minutes=30)
NO_TOKEN: Final = "0" * 43
State = Delivery.State


@dataclass(frozen=True, slots=True)
class Decision:
    """What to show at a place; `token` is what the page reports it by."""

    placement: str
    campaign: str
    variant: str
    token: str
    link: str
    card: Card


def live(placements: Iterable[str], now: datetime) -> dict[str, list[Campaign]]:
    """Return the campaigns that run at each place, the one that began first first; two queries."""
    rows = (
        Campaign.objects.plans()
        .filter(channel=Channel.ONSITE, status=Campaign.Status.SENDING)
        .filter(Q(ends_at=None) | Q(ends_at__gt=now), placement__in=set(placements))
        .select_related("segment", "topic")
        .prefetch_related("variants__cards", "also", "excluded")
        .order_by("planned_at", "pk")
    )
    found: dict[str, list[Campaign]] = {}
    for campaign in rows:
        found.setdefault(campaign.placement, []).append(campaign)
    return {place: some[:AT_A_PLACE] for place, some in found.items()}


def decide(
    placements: Sequence[str], customer: int | None, language: str, now: datetime
) -> list[Decision]:
    """Return what a visitor sees at each place that has something for them.

    Whom nobody knows sees nothing: no segment holds them, and no holdout could be counted.
    """
    if customer is None:
        return []
    tried, running = _tried(customer), live(placements, now)
    campaigns = [campaign for some in running.values() for campaign in some]
    rows = _places(campaigns, customer) if campaigns else {}
    found = []
    for place in dict.fromkeys(placements):
        if tried is not None and tried.placement == place:
            found.append(tried)
            continue
        for campaign in running.get(place, []):
            row = rows.get(campaign.pk) or _enter(campaign, customer, language, now)
            if row is None or not _may_show(campaign, row, customer):
                continue
            found.append(_decision(campaign, row, language))
            break
    return found


def try_out(card: Card, customer: int) -> None:
    """Show a card at its place to one customer alone for half an hour; nothing of it is counted."""
    cache.set(_trial(customer), card.pk, TRIED_FOR.total_seconds())


def _tried(customer: int) -> Decision | None:
    """Return the card that the customer tries out, as it is saved now."""
    if (pk := cache.get(_trial(customer))) is None:
        return None
    card = Card.objects.select_related("variant__campaign").filter(pk=pk).first()
    if card is None:
        return None
    campaign, key = card.variant.campaign, card.variant.key
    return Decision(campaign.placement, str(campaign.uuid), key, NO_TOKEN, card.url, card)


def _trial(customer: int) -> str:
    return f"onsite:trial:{customer}"


def _places(campaigns: Sequence[Campaign], customer: int) -> dict[int, Delivery]:
    """Return the customer's places by campaign, each with how often it was shown; one query."""
    shown = Count("hits", filter=Q(hits__kind=Hit.Kind.OPEN, hits__by_machine=False))
    rows = Delivery.objects.filter(campaign__in=campaigns, customer=customer)
    return {row.campaign_id: row for row in rows.annotate(n_shown=shown)}


def _may_show(campaign: Campaign, row: Delivery, customer: int) -> bool:
    if row.state != State.SENT:
        return False
    n_shown: int = getattr(row, "n_shown", 0)
    if campaign.times_shown is not None and n_shown >= campaign.times_shown:
        return False
    return not gate.barred(campaign, [customer])


def _enter(campaign: Campaign, customer: int, language: str, now: datetime) -> Delivery | None:
    """Give the customer a place if they are in the audience; a no is remembered for a minute."""
    name = f"onsite:{campaign.pk}:{customer}"
    if cache.get(name):
        return None
    audience = targeting.audience(campaign, now).filter(pk=customer)
    with transaction.atomic():
        planning.insert(audience, delivery.cut(campaign, due_at=now, spoken=({}, language)))
        mine = Delivery.objects.filter(campaign=campaign, customer=customer)
        mine.filter(state=State.PLANNED).update(state=State.SENT, sent_at=now)
        mine.filter(entered_at=None).update(entered_at=now)
    row = mine.first()
    if row is None:
        cache.set(name, 1, NOT_IN_IT.total_seconds())
    return row


def _decision(campaign: Campaign, row: Delivery, language: str) -> Decision:
    variant = next(one for one in campaign.variants.all() if one.pk == row.variant_id)
    cards = {card.locale: card for card in variant.cards.all()}
    card = _spoken(cards, language, row.locale)
    link, _is_new = Link.objects.get_or_create(campaign=campaign, url=card.url)
    token = row.token or ""
    return Decision(
        campaign.placement,
        str(campaign.uuid),
        variant.key,
        token,
        click_url(token, link.pk),
        card,
    )


def _spoken(cards: Mapping[str, Card], language: str, planned: str) -> Card:
    wanted = normalize(language)
    for code in (wanted, wanted.split("-")[0], planned):
        if code in cards:
            return cards[code]
    return next(cards[code] for code in sorted(cards))


def seen(token: str, visit: Visit, now: datetime) -> bool:
    """Count that a page showed what the token stands for; twice in half a minute is once.

    Returns False for a token of nothing that is shown on pages.
    """
    found = tracking.shown(token, visit, now, again=SEEN_AGAIN)
    return found is not None
