"""What a customer was sent and did with it, for the customer's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from campaigns import gate
from campaigns.models import Delivery, Hit
from profiles.identity import joining
from profiles.models import Customer

N_LATEST = 10


def move(survivor: int, absorbed: int) -> dict[str, list[int]]:
    """Move a merged customer's places in campaigns; who had one of their own keeps that one."""
    return {Delivery._meta.label: joining.move(Delivery, survivor, absorbed, once="campaign")}


def of_customer(customer: Customer, now: datetime) -> dict[str, Any]:
    """Return the latest places in campaigns, each with why it was not sent, opened, clicked."""
    rows = list(
        Delivery.objects.filter(customer=customer, due_at__lte=now)
        .select_related("campaign", "variant")
        .order_by("-due_at", "-pk")[:N_LATEST]
    )
    hits = Hit.objects.filter(delivery__in=rows, by_machine=False)
    done = set(hits.values_list("delivery", "kind"))
    return {
        "deliveries": [
            (
                row,
                gate.in_words(row.reason),
                (row.pk, Hit.Kind.OPEN) in done,
                (row.pk, Hit.Kind.CLICK) in done,
            )
            for row in rows
        ]
    }
