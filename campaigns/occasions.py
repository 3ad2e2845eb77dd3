"""What a message is about beside its reader: the cart that was left, what was bought."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings

from campaigns import picking, triggers, writing
from campaigns.models import Automation, ServiceMessage
from privacy.fields import reveal_columns
from privacy.purposes import purpose
from profiles.models import CartLine, OrderLine
from recommendations import placing
from recommendations.explaining import Reason
from recommendations.models import Product, Scenario

if TYPE_CHECKING:
    from campaigns.models import Campaign, Delivery
    from recommendations.placing import Placed
    from recommendations.serving import Recommended

N_LINES = 10
N_ACCESSORIES = 4
NO_ACCESSORY = "no_accessory"
Kind = Automation.Kind


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a template may say of one delivery's occasion.

    `picks` stand in for the reader's own recommendations; `barred` is why there is no message.
    """

    facts: Mapping[str, object] = field(default_factory=dict)
    picks: Placed | None = None
    barred: str = ""


def of(campaign: Campaign, rows: Sequence[Delivery], now: datetime) -> dict[int, Occasion]:
    """Return the occasion of each delivery; none for a plain campaign's."""
    if not campaign.is_marketing:
        return _calls(campaign, rows, now)
    kind = triggers.kind_of(campaign)
    if kind == Kind.CART:
        return _carts(rows)
    if kind == Kind.ACCESSORY:
        return _purchases(rows, now)
    return {}


def sample(campaign: Campaign) -> Mapping[str, object]:
    """Return made-up facts of the campaign's kind, to check and show its template with."""
    if not campaign.is_marketing:
        return {"data": _Anything()}
    return SAMPLES.get(triggers.kind_of(campaign), {})


class _Anything(dict[str, Any]):
    """Data of which every member is there: what the shop's server sends is not known here."""

    def __missing__(self, key: str) -> _Anything:
        return _Anything()

    def __str__(self) -> str:
        return "…"


def depth(value: object) -> int:
    """Return how many levels of lists and objects are in `value`."""
    if isinstance(value, dict):
        return 1 + max((depth(one) for one in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(one) for one in value), default=0)
    return 0


def new_token() -> str:
    return secrets.token_urlsafe(32)


def _calls(campaign: Campaign, rows: Sequence[Delivery], now: datetime) -> dict[int, Occasion]:
    """What the shop's server said of each message, opened in one audited act."""
    asked = ServiceMessage.objects.filter(delivery__in=[row.pk for row in rows])
    by_pk = dict(asked.values_list("pk", "delivery_id"))
    with purpose(campaign.purpose, actor=f"campaign:{campaign.uuid}", now=now):
        found = reveal_columns(asked, ["data"], campaign.purpose)
    return {
        by_pk[pk]: Occasion({"data": json.loads(columns["data"] or "{}")})
        for pk, columns in found.items()
    }


SAMPLES: dict[str, Mapping[str, object]] = {
    Kind.CART: {
        "cart": {
            "url": "https://example.com/",
            "total": "199.00",
            "lines": [
                {"title": "Example", "quantity": 1, "price": "199.00", "image_url": "", "link": ""}
            ],
        }
    },
    Kind.ACCESSORY: {"purchase": {"titles": ["Example"]}},
}


def restore_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/r/{token}"


def _carts(rows: Sequence[Delivery]) -> dict[int, Occasion]:
    lines: dict[int, list[CartLine]] = {}
    wanted = CartLine.objects.filter(cart__in=triggers.occurrences(rows)).select_related("cart")
    for line in wanted.order_by("pk"):
        lines.setdefault(line.cart_id, []).append(line)
    ids = {line.product_id for some in lines.values() for line in some}
    products = {one.product_id: one for one in Product.objects.filter(product_id__in=ids)}
    return {
        row.pk: Occasion({"cart": _cart(row, lines.get(int(row.occurrence or 0), []), products)})
        for row in rows
    }


def _cart(
    row: Delivery, lines: Sequence[CartLine], products: Mapping[str, Product]
) -> dict[str, Any]:
    def told(line: CartLine) -> dict[str, object]:
        product = products.get(line.product_id)
        title = product.title_in(row.locale) if product else line.title
        return {
            "title": title or line.product_id,
            "quantity": line.quantity,
            "price": writing.price(line.unit_price_minor, line.cart.currency, row.locale),
            "image_url": product.image_url if product else "",
            "link": product.link if product else "",
        }

    cart = lines[0].cart if lines else None
    total = writing.price(cart.total_minor, cart.currency, row.locale) if cart else ""
    return {
        "url": restore_url(row.token or ""),
        "total": total,
        "lines": [told(line) for line in lines[:N_LINES]],
    }


def _purchases(rows: Sequence[Delivery], now: datetime) -> dict[int, Occasion]:
    """What goes with the order, and is known to fit; nothing is sent where nothing does."""
    bought: dict[int, list[OrderLine]] = {}
    lines = OrderLine.objects.filter(order__in=triggers.occurrences(rows)).exclude(product_id="")
    for line in lines.order_by("pk"):
        bought.setdefault(line.order_id, []).append(line)
    ids = {line.product_id for some in bought.values() for line in some}
    products = {one.product_id: one for one in Product.objects.filter(product_id__in=ids)}
    scenario = Scenario.objects.filter(kind=Scenario.Kind.ACCESSORIES, is_active=True).first()
    scenario = scenario or Scenario(kind=Scenario.Kind.ACCESSORIES, fills_up=False, diversity=0)
    asked = []
    for row in rows:
        own = dict.fromkeys(one.product_id for one in bought.get(int(row.occurrence or 0), []))
        asked.append(
            placing.Asked(row.customer_id, tuple(own), n=N_ACCESSORIES, language=row.locale or "en")
        )
    found = {}
    placed = picking.place_at_home(scenario, asked, picking.countries(rows), now=now)
    for row, of, one in zip(rows, asked, placed, strict=True):
        fitting = [item for item in one.items if _fits(item, of.product_ids)]
        titles = [products[id_].title_in(row.locale) for id_ in of.product_ids if id_ in products]
        found[row.pk] = Occasion(
            {"purchase": {"titles": titles}},
            replace(one, items=fitting),
            "" if fitting else NO_ACCESSORY,
        )
    return found


def _fits(item: Recommended, bought: Collection[str]) -> bool:
    return item.reason_code == Reason.FITS and not set(item.based_on).isdisjoint(bought)
