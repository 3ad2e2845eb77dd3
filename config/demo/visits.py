"""How the demo shop's people come to it: on which device, by which campaign, and their carts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from profiles.models import Cart
from profiles.orders import carts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from config.demo.people import DemoCustomer
    from config.demo.year import Look, Purchase

AGENTS: Final = {
    "mobile": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/18.6 Mobile/15E148 Safari",
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/142.0.0.0 Mobile Safari/537.36",
    ),
    "desktop": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.6 Safari/605.1.15",
    ),
    "tablet": ("Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) Version/18.6 Safari/604.1",),
}
HABIT: Final = 0.85
TAGGED: Final = 0.4
# What the address of a visit names as `utm_source`.
SOURCES: Final = {"en": ("google", "instagram", "youtube"), "zh": ("baidu", "wechat", "bilibili")}
CART_DAYS: Final = 14
DAYS_BACK: Final = 32
IN_THE_SHOP: Final = 20
LAST_HOUR: Final = timedelta(minutes=50)
Context = dict[str, Any]


class Visitors:
    """Everybody's habits of coming, the same for the same seed."""

    def __init__(self, everybody: Sequence[DemoCustomer], seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        self._usual = [self._habits(person) for person in everybody]
        self._everybody = everybody
        self._visits: dict[tuple[int, date], Context] = {}
        # Alike visits share a context, as those of one request do.
        self._contexts: dict[tuple[str, str], Context] = {}

    def context(self, look: Look) -> Context:
        """What the browser says of the visit that the look belongs to."""
        visit = (look.customer, look.at.date())
        if (known := self._visits.get(visit)) is None:
            known = self._visits[visit] = self._new_visit(look.customer)
        return known

    def _habits(self, person: DemoCustomer) -> tuple[str, str]:
        draw = self._chance.random()
        rest = (1 - person.taste.mobile) * 0.85
        device = "mobile" if draw < person.taste.mobile else "tablet"
        if person.taste.mobile <= draw < person.taste.mobile + rest:
            device = "desktop"
        sources = SOURCES["zh" if person.locale.startswith("zh") else "en"]
        if self._chance.random() < person.taste.reads_mail:
            return device, "newsletter"
        return device, sources[int(self._chance.choice(3, p=person.taste.sources))]

    def _new_visit(self, customer: int) -> Context:
        device, source = self._usual[customer]
        agents = AGENTS[device]
        agent = agents[customer % len(agents)]
        if self._chance.random() > HABIT:
            agent = AGENTS["mobile" if device == "desktop" else "desktop"][customer % 2]
        named = source if self._chance.random() < TAGGED else ""
        if (known := self._contexts.get((agent, named))) is None:
            known = {"userAgent": agent} | ({"campaign": {"source": named}} if named else {})
            self._contexts[agent, named] = known
        return known


def cart_of(look: Look, now: datetime) -> str:
    """The cart that something of the last two weeks was put into; one a visit, else none."""
    if look.cart or look.name != "Product Added" or look.at < now - timedelta(days=CART_DAYS):
        return look.cart
    return f"cart-{look.at:%m%d}-{look.customer}"


def of_the_last_hour(looks: Sequence[Look], now: datetime) -> list[Look]:
    """Who is in the shop right now: some with a new cart, some back at one of the last days."""
    added = [one for one in looks if now - timedelta(days=3) < one.at and cart_of(one, now)]
    chosen = list({one.customer: one for one in added}.values())[:IN_THE_SHOP]
    times = [now - LAST_HOUR * (len(chosen) - n) / len(chosen) for n in range(len(chosen))]
    return [
        replace(one, at=at) if n % 2 else replace(one, at=at, cart=cart_of(one, now))
        for n, (one, at) in enumerate(zip(chosen, times, strict=True))
    ]


def days(now: datetime) -> Iterator[datetime]:
    """When what happened until then came in; what came before these days came at once."""
    for back in reversed(range(DAYS_BACK)):
        yield now - timedelta(days=back, hours=1)
    yield now


def close_bought(purchases: Sequence[Purchase], names: Sequence[str], until: datetime) -> None:
    """Close the carts of those who bought before `until`, when they bought; `names` are ids."""
    first = until - timedelta(days=CART_DAYS + 1)
    bought: dict[str, list[datetime]] = {}
    for one in purchases:
        if first <= one.at < until:
            bought.setdefault(names[one.customer], []).append(one.at)
    waiting = Cart.objects.exclude(state=Cart.State.ORDERED).select_related("customer")
    closed = []
    for cart in waiting.filter(customer__external_id__in=bought).order_by("pk"):
        later = [at for at in bought[cart.customer.external_id] if at >= cart.changed_at]  # type: ignore[union-attr]
        if later:
            carts.order(cart, at=min(later))
            closed.append(cart)
    carts.save(closed)
