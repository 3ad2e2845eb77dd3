"""What sets an automation off, and what ends it before its next message."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import (
    CharField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Cast

from campaigns.models import Automation, Campaign, Delivery, Step
from privacy.models import Consent
from profiles.models import Cart, Customer, Order, OrderLine

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

Kind = Automation.Kind
CONSENT = {"purpose": "campaign.email", "channel": "email"}


def entrants(
    kind: str, audience: QuerySet[Customer], *, after: datetime, until: datetime, delay: timedelta
) -> QuerySet[Any]:
    """Return what set the automation off in (after, until], with when its message is due.

    Columns: `customer`, `language`, `unit` (whom the arms are dealt to), `occurrence` (what the
    message is sent once for), `entry`, `due`.
    """
    return ENTRIES[Kind(kind)](audience, after, until, delay)


def _due(moment: str, delay: timedelta) -> Combinable:
    return ExpressionWrapper(F(moment) + delay, output_field=DateTimeField())


def _welcome(
    audience: QuerySet[Customer], after: datetime, until: datetime, delay: timedelta
) -> QuerySet[Any]:
    """Customers who agreed to e-mail: once in their life."""
    agreed = Consent.objects.filter(state="given", **CONSENT)
    fresh = agreed.filter(since__gt=after, since__lte=until)
    since = agreed.filter(subject=OuterRef("subject")).values("since")[:1]
    return (
        Customer.objects.filter(pk__in=audience.values("pk"), subject__in=fresh.values("subject"))
        .annotate(
            customer=F("pk"),
            language=F("locale"),
            unit=F("external_id"),
            occurrence=Value("", output_field=CharField()),
            entry=Subquery(since),
        )
        .annotate(due=_due("entry", delay))
    )


def _cart(
    audience: QuerySet[Customer], after: datetime, until: datetime, delay: timedelta
) -> QuerySet[Any]:
    """Carts left with something in them: once for each cart, however often it is left."""
    left = Cart.objects.filter(
        state=Cart.State.ABANDONED, abandoned_at__gt=after, abandoned_at__lte=until, n_units__gt=0
    )
    return _of_customers(left, audience, "abandoned_at", delay)


def _accessory(
    audience: QuerySet[Customer], after: datetime, until: datetime, delay: timedelta
) -> QuerySet[Any]:
    """Orders that name their products: once for each order."""
    lines = OrderLine.objects.filter(order=OuterRef("pk")).exclude(product_id="")
    placed = Order.objects.countable().filter(
        Exists(lines), placed_at__gt=after, placed_at__lte=until
    )
    return _of_customers(placed, audience, "placed_at", delay)


def _of_customers(
    rows: QuerySet[Any], audience: QuerySet[Customer], moment: str, delay: timedelta
) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.filter(customer__in=audience.values("pk")).annotate(
        language=F("customer__locale"), unit=F("customer__external_id"),
        occurrence=Cast("pk", CharField()), entry=F(moment), due=_due(moment, delay),
    )  # fmt: skip
    return found


ENTRIES: dict[Kind, Callable[..., QuerySet[Any]]] = {
    Kind.WELCOME: _welcome,
    Kind.CART: _cart,
    Kind.ACCESSORY: _accessory,
}


def kind_of(campaign: Campaign) -> str:
    """Return which automation the campaign is a step of; empty for any other campaign."""
    if campaign.kind != Campaign.Kind.AUTOMATION:
        return ""
    step = Step.objects.select_related("automation").filter(campaign=campaign).first()
    return step.automation.kind if step else ""


def ended(campaign: Campaign, rows: Sequence[Delivery]) -> dict[int, str]:
    """Return, by delivery, why what set it off does not hold any more; two queries at most."""
    kind = kind_of(campaign)
    if kind == Kind.CART:
        return _carts_won_back(rows)
    if kind == Kind.ACCESSORY:
        return _orders_taken_back(rows)
    return {}


def occurrences(rows: Sequence[Delivery]) -> set[int]:
    return {int(row.occurrence) for row in rows if row.occurrence.isdecimal()}


def _carts_won_back(rows: Sequence[Delivery]) -> dict[int, str]:
    """Somebody came back to the cart, or bought: of it or of anything since they left it."""
    left = dict(
        Cart.objects.filter(
            pk__in=occurrences(rows), state=Cart.State.ABANDONED, n_units__gt=0
        ).values_list("pk", "abandoned_at")
    )
    bought = _last_orders({row.customer_id for row in rows})
    found = {}
    for row in rows:
        last, entry = bought.get(row.customer_id), row.entered_at
        if last is not None and entry is not None and last > entry:
            found[row.pk] = "bought"
        elif left.get(int(row.occurrence or 0)) != entry:
            found[row.pk] = "cart_recovered"
    return found


def _last_orders(customers: Collection[int]) -> dict[int | None, datetime]:
    placed = Order.objects.countable().filter(customer__in=customers).order_by("placed_at")
    return dict(placed.values_list("customer", "placed_at"))


def _orders_taken_back(rows: Sequence[Delivery]) -> dict[int, str]:
    standing = Order.objects.countable().filter(pk__in=occurrences(rows))
    kept = set(standing.filter(refunded_minor__lt=F("total_minor")).values_list("pk", flat=True))
    return {row.pk: "order_cancelled" for row in rows if int(row.occurrence or 0) not in kept}
