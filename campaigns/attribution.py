"""Which orders count for a campaign: those of its customers within its window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import F, QuerySet

from campaigns.models import Campaign, Conversion
from privacy.models import Channel, Shop
from profiles.models import Order
from profiles.models.order import COUNTABLE

REFUNDS_COME_IN = timedelta(days=60)

# A line of a product with a known cost earns its price less that cost, goods given back
# aside; the rest of the order earns the shop's margin rate, in ten-thousandths.
_COUNT = f"""
INSERT INTO campaigns_conversion (delivery_id, order_id, net_minor, margin_minor, ordered_at)
WITH counted AS (
    SELECT delivery.id AS delivery_id, sale.id AS order_id, sale.placed_at,
           sale.total_minor - sale.refunded_minor AS net
    FROM campaigns_delivery AS delivery
    JOIN profiles_order AS sale ON sale.customer_id = delivery.customer_id
    WHERE delivery.campaign_id = %(campaign)s
      AND sale.placed_at >= %(opens)s AND sale.placed_at < %(closes)s
      AND sale.placed_at <= %(now)s
      AND (%(by_visit)s = 0 OR sale.placed_at >= delivery.entered_at)
      AND sale.currency = %(currency)s AND {COUNTABLE.format("sale")}
), costed AS (
    SELECT line.order_id,
           CAST(SUM(line.total_minor - line.refunded_minor) AS bigint) AS net,
           CAST(SUM(product.cost_minor * (line.quantity - line.refunded_quantity)) AS bigint)
               AS cost
    FROM counted
    JOIN profiles_orderline AS line ON line.order_id = counted.order_id
    JOIN recommendations_product AS product ON product.product_id = line.product_id
    WHERE product.cost_minor IS NOT NULL
    GROUP BY line.order_id
)
SELECT counted.delivery_id, counted.order_id, counted.net,
       COALESCE(costed.net - costed.cost, 0)
       + ((counted.net - COALESCE(costed.net, 0)) * %(margin_rate)s + 5000) / 10000,
       counted.placed_at
FROM counted LEFT JOIN costed ON costed.order_id = counted.order_id
WHERE true
ON CONFLICT (delivery_id, order_id) DO UPDATE
SET net_minor = excluded.net_minor, margin_minor = excluded.margin_minor,
    ordered_at = excluded.ordered_at
WHERE campaigns_conversion.net_minor <> excluded.net_minor
   OR campaigns_conversion.margin_minor <> excluded.margin_minor
   OR campaigns_conversion.ordered_at <> excluded.ordered_at
"""  # noqa: S608 -- words of our own  # nosec B608


@dataclass(frozen=True, slots=True)
class Window:
    """From `opens` until, not including, `closes`."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class Attributed:
    """What a count changed; orders in another currency cannot be summed and are left out."""

    n_written: int
    n_removed: int
    n_other_currency: int


def window(campaign: Campaign) -> Window | None:
    """Return when orders count, the same for everybody in the campaign; None before the plan.

    It opens when the first message may go, not when one's own went: a holdout has no such
    moment, and an arm whose time starts later would meet other days of the season.
    """
    if campaign.planned_at is None:
        return None
    opens = max(campaign.planned_at, campaign.starts_at or campaign.planned_at)
    return Window(opens, opens + timedelta(days=campaign.attribution_days))


def unsettled(now: datetime) -> list[Campaign]:
    """Return the campaigns whose counts can still change: window open, or refunds coming in."""
    planned = (
        Campaign.objects.plans()
        .filter(planned_at__isnull=False, planned_at__lte=now)
        .order_by("pk")
    )
    return [
        campaign
        for campaign in planned
        if (period := window(campaign)) and period.closes + REFUNDS_COME_IN > now
    ]


@transaction.atomic
def attribute(campaign: Campaign, now: datetime) -> Attributed:
    """Count the orders until `now` of everybody in the campaign, the holdout included.

    Counting again changes only what changed: a late refund lowers its conversion, a
    cancelled or marked order, or one that moved to another customer, takes it away.
    """
    period, shop = window(campaign), Shop.current()
    if period is None:
        return Attributed(0, 0, 0)
    inside = Order.objects.countable().filter(
        placed_at__gte=period.opens, placed_at__lt=period.closes, placed_at__lte=now
    )
    n_removed = _stale(campaign, inside.filter(currency=shop.currency)).delete()[0]
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "campaign": campaign.pk,
                "opens": adapt(period.opens),
                "closes": adapt(period.closes),
                "now": adapt(now),
                # Whom a page reached counts from their first visit on, the holdout alike.
                "by_visit": int(campaign.channel == Channel.ONSITE),
                "currency": shop.currency,
                "margin_rate": int(Decimal(shop.margin_rate) * 10_000),
            },
        )
        n_written = cursor.rowcount
    members = campaign.deliveries.values("customer")
    foreign = inside.exclude(currency=shop.currency).filter(customer__in=members)
    return Attributed(n_written, n_removed, foreign.count())


def _stale(campaign: Campaign, counting: QuerySet[Order]) -> QuerySet[Conversion]:
    """Conversions whose order does not count any more, or is another customer's now."""
    mine = Conversion.objects.filter(delivery__campaign=campaign)
    sound = mine.filter(order__in=counting, order__customer=F("delivery__customer"))
    return mine.exclude(pk__in=sound.values("pk"))
