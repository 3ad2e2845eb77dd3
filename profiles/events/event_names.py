"""The names of events: which mean something here, and which came in with what.

A name that is not declared is stored like any other; the page of event names shows it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from django.db import connection
from django.utils.translation import gettext_lazy as _

from profiles.models import EventName

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from profiles.arrivals import Arrival

MOST_PROPERTIES: Final = 60
LONGEST_PROPERTY: Final = 60


@dataclass(frozen=True)
class Declared:
    """A name with a meaning here; `reads` are the properties that are looked at."""

    name: str
    meaning: StrOrPromise
    reads: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


_PRODUCT: Final = ("product_id",)
_ORDER: Final = (
    "order_id", "currency", "tax", "shipping", "discount", "coupon", "products",
)  # fmt: skip
DECLARED: Final = {
    one.name: one
    for one in (
        Declared("Product Viewed", _("Looked at a product"), _PRODUCT, _PRODUCT),
        Declared("Product Clicked", _("Followed a link to a product"), _PRODUCT, _PRODUCT),
        Declared(
            "Product Added", _("Put a product into the cart"),
            (*_PRODUCT, "cart_id", "quantity", "price"), _PRODUCT,
        ),
        Declared(
            "Product Removed", _("Took a product out of the cart"),
            (*_PRODUCT, "cart_id", "quantity"), _PRODUCT,
        ),
        Declared("Cart Viewed", _("Looked at the cart"), ("cart_id", "products")),
        Declared("Checkout Started", _("Began to check out"), ("cart_id", "products")),
        Declared("Order Completed", _("Ordered"), _ORDER, ("order_id",)),
        Declared("Order Updated", _("An order was changed"), _ORDER, ("order_id",)),
        Declared("Order Cancelled", _("An order was cancelled"), ("order_id",), ("order_id",)),
        Declared(
            "Order Refunded", _("Money was given back"),
            ("order_id", "refund_id", "products", "total"), ("order_id",),
        ),
        Declared(
            "Recommendation Viewed", _("Was shown a recommended product"),
            ("recommendationId", "product_id", "position"), ("recommendationId",),
        ),
        Declared(
            "Recommendation Clicked", _("Followed a recommended product"),
            ("recommendationId", "product_id", "position"), ("recommendationId",),
        ),
        Declared("Promotion Viewed", _("Saw content of a campaign"), ("campaign",)),
        Declared("Promotion Clicked", _("Followed content of a campaign"), ("campaign", "linkId")),
        Declared("Email Opened", _("Opened a message"), ("campaign",)),
        Declared("Email Clicked", _("Followed a link of a message"), ("campaign", "linkId")),
        Declared("SMS Clicked", _("Followed a link of a text message"), ("campaign", "linkId")),
        Declared("Push Clicked", _("Followed a push message"), ("campaign", "linkId")),
    )
}  # fmt: skip

NOTE: Final = """
INSERT INTO profiles_eventname AS kept (kind, name, carries, n_events, first_at, last_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (kind, name) DO UPDATE SET carries = excluded.carries,
    n_events = kept.n_events + excluded.n_events,
    first_at = CASE WHEN excluded.first_at < kept.first_at THEN excluded.first_at
        ELSE kept.first_at END,
    last_at = CASE WHEN excluded.last_at > kept.last_at THEN excluded.last_at
        ELSE kept.last_at END
"""


@dataclass
class Seen:
    """Events of one name in a batch: how many, since when until when, the first and the last."""

    n_events: int
    first_at: datetime
    last_at: datetime
    first: Arrival
    last: Arrival


def note(arrived: Sequence[Arrival]) -> None:
    """Count the batch's events by name, and learn what its first and last of each carry."""
    seen: dict[tuple[str, str], Seen] = {}
    for one in arrived:
        at = one.parcel.received_at
        if (there := seen.get((one.kind, one.name))) is None:
            seen[one.kind, one.name] = Seen(1, at, at, one, one)
            continue
        there.n_events += 1
        there.last = one
        if at != there.last_at:
            there.first_at, there.last_at = min(at, there.first_at), max(at, there.last_at)
    named = EventName.objects.filter(name__in={name for _kind, name in seen})
    known = {(kind, name): carries for kind, name, carries in named.values_list(
        "kind", "name", "carries")}  # fmt: skip
    time = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(
            NOTE,
            [
                (
                    *key,
                    json.dumps(_union(known.get(key, []), _members(one.first, one.last))),
                    one.n_events, time(one.first_at), time(one.last_at),
                )
                for key, one in sorted(seen.items(), key=itemgetter(0))
            ],
        )  # fmt: skip


def _members(*arrived: Arrival) -> set[str]:
    """What they carry; the product's id however its property is spelt."""
    told = {name[:LONGEST_PROPERTY] for one in arrived for name in one.facts}
    return told | {"product_id" for one in arrived if one.product_id}


def _union(known: list[str], told: set[str]) -> list[str]:
    """What was known stays; names made up for each event do not fill the list without end."""
    fresh = sorted(told - set(known))
    return known + fresh[: max(0, MOST_PROPERTIES - len(known))]


@dataclass(frozen=True)
class Line:
    """A row of the page: a name that came in, is declared, or both."""

    kind: str
    name: str
    meaning: StrOrPromise
    carries: list[str]
    lacks: list[str]
    n_events: int
    last_at: datetime | None


def overview() -> list[Line]:
    """Every name that came in, newest first, then those with a meaning that never did."""
    came = list(EventName.objects.order_by("-last_at", "name"))
    lines = [
        Line(
            str(one.get_kind_display()), one.name, meaning(one.name), one.carries,
            _lacks(one.name, one.carries), one.n_events, one.last_at,
        )
        for one in came
    ]  # fmt: skip
    missing = sorted(DECLARED.keys() - {one.name for one in came})
    return lines + [
        Line("", name, DECLARED[name].meaning, list(DECLARED[name].reads), [], 0, None)
        for name in missing
    ]


def meaning(name: str) -> StrOrPromise:
    """What an event of a declared name says; empty for any other."""
    return DECLARED[name].meaning if name in DECLARED else ""


def _lacks(name: str, carries: list[str]) -> list[str]:
    """The properties without which events of that name are of no use, and that never came."""
    return sorted(set(DECLARED[name].needs) - set(carries)) if name in DECLARED else []
