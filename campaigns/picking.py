"""The recommended products of messages: chosen for a batch at once, and noted by position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from campaigns.models import Hit, Impression
from profiles.models import Customer
from recommendations import offers, placing
from recommendations.models import Product, Scenario
from recommendations.placing import Asked, Placed

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Campaign, Delivery
    from campaigns.rendering.content import Rendered

N_PICKS = 4
PLACEMENT = "email"
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Pulled:
    """How many readers followed a product of a campaign's messages, by the position it had."""

    title: str
    n_people: int
    positions: str


def scenario() -> Scenario:
    """The shop's placement for messages; without one, the usual rules hold."""
    of_kind = Scenario.objects.filter(kind=Scenario.Kind.EMAIL, is_active=True)
    default = Scenario(placement=PLACEMENT, kind=Scenario.Kind.EMAIL)
    return of_kind.order_by("placement").first() or default


def choose(rows: Sequence[Delivery], now: datetime) -> dict[int, Placed]:
    """Return the products for each delivery's reader, by the rules of the placement."""
    if not rows:
        return {}
    asked = [Asked(row.customer_id, n=N_PICKS, language=row.locale or "en") for row in rows]
    placed = place_at_home(scenario(), asked, countries(rows), now=now)
    return {row.pk: one for row, one in zip(rows, placed, strict=True)}


def place_at_home(
    scenario: Scenario, asked: Sequence[Asked], home: Mapping[int, str], *, now: datetime
) -> list[Placed]:
    """Return a list for each; what is sold out in the country of a reader is left out.

    `home` has the countries by customer. As many queries as for one, for each country that has
    a stock of its own.
    """
    own = offers.with_own_stock(home.values())
    at: dict[str, list[int]] = {}
    for n, one in enumerate(asked):
        country = home.get(one.customer_pk or 0, "")
        at.setdefault(country if country in own else "", []).append(n)
    found: dict[int, Placed] = {}
    for country, places in sorted(at.items()):
        some = [asked[n] for n in places]
        made = placing.place_many(scenario, some, now=now, country=country)
        found |= dict(zip(places, made, strict=True))
    return [found[n] for n in range(len(asked))]


def countries(rows: Iterable[Delivery]) -> dict[int, str]:
    """Return the countries of readers by customer, where they are known."""
    people = Customer.objects.filter(pk__in={row.customer_id for row in rows}).exclude(country="")
    return {pk: country.upper() for pk, country in people.values_list("pk", "country")}


def sample(customer: Customer | None, locale: str, now: datetime) -> Placed:
    """Return the products that a customer, or else anybody, would be shown."""
    asked = Asked(customer.pk if customer else None, n=N_PICKS, language=locale)
    there = customer.country.upper() if customer else ""
    placed = placing.place(scenario(), asked, now=now, country=there)
    return replace(placed, items=offers.priced(placed.items, there))


def at_home(placed: Mapping[int, Placed], rows: Sequence[Delivery]) -> dict[int, Placed]:
    """Return the products of deliveries as they cost, and where they are bought, in readers' countries."""
    if not placed:
        return {}
    mine = [row for row in rows if row.pk in placed]
    home = countries(mine)
    there = {row.pk: home.get(row.customer_id, "") for row in mine}
    priced = offers.priced_each({pk: one.items for pk, one in placed.items()}, there)
    return {pk: replace(one, items=priced[pk]) for pk, one in placed.items()}


def note(
    placed: Mapping[int, Placed], messages: Mapping[int, Rendered], numbers: Mapping[str, int]
) -> None:
    """Keep what each message shows, in one statement; a message composed anew is noted anew.

    A product with a link is noted if the message holds the link: a template may show fewer.
    """
    found = []
    for delivery, message in messages.items():
        if (chosen := placed.get(delivery)) is None:
            continue
        items = [
            [item.product_id, numbers.get(item.link)]
            for item in chosen.items
            if not item.link or escape(item.link) in message.html or item.link in message.text
        ]
        if items:
            impression = Impression(
                delivery_id=delivery, placement=chosen.placement, run=chosen.run, items=items
            )
            found.append(impression)
    if found:
        Impression.objects.bulk_create(
            found,
            update_conflicts=True,
            unique_fields=["delivery"],
            update_fields=["recommendation_id", "placement", "run", "items"],
        )


def of_hits(hits: Iterable[Hit]) -> dict[int, Impression]:
    """Return what the messages of visits showed, by delivery; one query."""
    there = Impression.objects.filter(delivery__in={hit.delivery_id for hit in hits})
    return {one.delivery_id: one for one in there}


def n_shown(campaign: Campaign) -> int:
    """Return how many messages of the campaign show products."""
    return Impression.objects.filter(delivery__campaign=campaign).count()


def pulled(campaign: Campaign) -> list[Pulled]:
    """Return the products of the messages that readers followed most, and from which places."""
    clicks = Hit.objects.filter(
        delivery__campaign=campaign,
        delivery__impression__isnull=False,
        kind=Hit.Kind.CLICK,
        by_machine=False,
        link__isnull=False,
    )
    people: dict[str, set[int]] = {}
    places: dict[str, set[int]] = {}
    rows = clicks.values_list("delivery_id", "link_id", "delivery__impression__items")
    for delivery, link, items in rows.iterator():
        for at, (product, number) in enumerate(items, 1):
            if number == link:
                people.setdefault(product, set()).add(delivery)
                places.setdefault(product, set()).add(at)
                break
    most = sorted(people, key=lambda product: (-len(people[product]), product))[:MOST_SHOWN]
    titles = dict(Product.objects.filter(product_id__in=most).values_list("product_id", "title"))
    return [
        Pulled(
            titles.get(product) or product,
            len(people[product]),
            ", ".join(map(str, sorted(places[product]))),
        )
        for product in most
    ]
