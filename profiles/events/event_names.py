"""The names of events: which mean something here, and which came in with what.

A name that is not declared is stored like any other; the page of event names shows it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

from profiles.models import EventName

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper
    from django_stubs_ext import StrOrPromise

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
        Declared("Email Opened", _("Opened a message"), ("campaign",)),
        Declared("Email Clicked", _("Followed a link of a message"), ("campaign", "linkId")),
    )
}  # fmt: skip

SEEN: Final = """
SELECT kind, name, count(*), min(received_at), max(received_at), min(id), max(id)
FROM profiles_merging GROUP BY kind, name ORDER BY kind, name
"""
PROPERTIES: Final = "SELECT id, properties FROM profiles_merging WHERE id IN ({})"
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


def note(cursor: CursorWrapper) -> None:
    """Count the batch's events by name, and learn what its first and last of each carry."""
    cursor.execute(SEEN)
    seen = cursor.fetchall()
    ids = sorted({row[5] for row in seen} | {row[6] for row in seen})
    if not ids:
        return
    cursor.execute(PROPERTIES.format(", ".join(["%s"] * len(ids))), ids)
    told = {pk: _members(properties) for pk, properties in cursor.fetchall()}
    names = [(kind, name) for kind, name, *_rest in seen]
    there = EventName.objects.filter(name__in={name for _kind, name in names})
    known = {(kind, name): carries for kind, name, carries in there.values_list(
        "kind", "name", "carries")}  # fmt: skip
    cursor.executemany(
        NOTE,
        [
            (
                kind, name,
                json.dumps(_union(known.get((kind, name), []), told[first] | told[last])),
                n, since, until,
            )
            for kind, name, n, since, until, first, last in seen
        ],
    )  # fmt: skip


def _members(properties: str) -> set[str]:
    return {name[:LONGEST_PROPERTY] for name in json.loads(properties)}


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
            str(one.get_kind_display()), one.name, _meaning(one.name), one.carries,
            _lacks(one.name, one.carries), one.n_events, one.last_at,
        )
        for one in came
    ]  # fmt: skip
    missing = sorted(DECLARED.keys() - {one.name for one in came})
    return lines + [
        Line("", name, DECLARED[name].meaning, list(DECLARED[name].reads), [], 0, None)
        for name in missing
    ]


def _meaning(name: str) -> StrOrPromise:
    return DECLARED[name].meaning if name in DECLARED else ""


def _lacks(name: str, carries: list[str]) -> list[str]:
    """The properties without which events of that name are of no use, and that never came."""
    return sorted(set(DECLARED[name].needs) - set(carries)) if name in DECLARED else []
