"""Who looks at the shop right now, and at what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from profiles.models import Customer, Event, Identity

N_RECENT: Final = 20
LOOKED_WITHIN: Final = timedelta(days=30)


@dataclass(frozen=True)
class Visitor:
    """`customer_pk` is None for somebody nobody knows; products newest first."""

    customer_pk: int | None
    recent_product_ids: tuple[str, ...]


def find(*, user_id: str = "", anonymous_id: str = "", now: datetime) -> Visitor:
    """The visitor behind the ids, with what was looked at in the last 30 days.

    A user id counts before an anonymous id. Unknown ids are a visitor nobody knows.
    """
    customer_pk = _customer(user_id, anonymous_id)
    whose = Q(pk__in=[])
    if customer_pk is not None:
        whose = Q(customer=customer_pk)
    elif anonymous_id:
        whose = Q(anonymous_id=anonymous_id, customer__isnull=True)
    looked = Event.objects.filter(whose, happened_at__gte=now - LOOKED_WITHIN)
    products = looked.exclude(product_id="").order_by("-happened_at", "-pk")
    recent = products.values_list("product_id", flat=True)[:N_RECENT]
    return Visitor(customer_pk, tuple(dict.fromkeys(recent)))


def customer_of(*, user_id: str = "", anonymous_id: str = "") -> int | None:
    """Return the customer behind the ids; None for somebody nobody knows."""
    return _customer(user_id, anonymous_id)


def _customer(user_id: str, anonymous_id: str) -> int | None:
    if user_id:
        known = Customer.objects.filter(external_id=user_id)
        return known.values_list("pk", flat=True).first()
    joined = Identity.objects.filter(anonymous_id=anonymous_id)
    return joined.values_list("customer_id", flat=True).first() if anonymous_id else None
