"""What a customer was sent and did with it, for the customer's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy

from campaigns import gate, limits
from campaigns.models import Delivery, Hit, SignUp
from profiles.identity import joining
from profiles.models import Customer
from profiles.registry import TimelineRows, Told

N_LATEST = 10


def move(survivor: int, absorbed: int) -> dict[str, list[int]]:
    """Move a merged customer's places in campaigns; who had one of their own keeps that one.

    But for one that would still be sent, or was skipped, where the other's went out: nobody gets
    a message twice because they were two.
    """
    _keep_what_went_out(survivor, absorbed)
    people = dict(Customer.objects.filter(pk__in=[survivor, absorbed]).values_list("pk", "subject"))
    SignUp.objects.filter(about=people.get(absorbed)).update(about=people.get(survivor))
    return {
        Delivery._meta.label: joining.move(
            Delivery, survivor, absorbed, once="campaign", beside="occurrence"
        )
    }


def _keep_what_went_out(survivor: int, absorbed: int) -> None:
    same = {"campaign": OuterRef("campaign"), "occurrence": OuterRef("occurrence")}
    went_out = Delivery.objects.filter(customer=absorbed, state__in=limits.GONE, **same)
    unsent = (Delivery.State.PLANNED, Delivery.State.CLAIMED, Delivery.State.SKIPPED)
    Delivery.objects.filter(Exists(went_out), customer=survivor, state__in=unsent).delete()


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


def _sent(customer: Customer) -> QuerySet[Delivery]:
    sent = Delivery.objects.filter(customer=customer, sent_at__isnull=False)
    return sent.select_related("campaign", "variant")


def _told(delivery: Delivery) -> Told:
    url = reverse("admin:campaigns_campaign_change", args=[delivery.campaign_id])
    variant = delivery.variant.key if delivery.variant else ""
    name = f"{delivery.campaign.name} · {variant}" if variant else delivery.campaign.name
    return Told(name, str(delivery.get_state_display()), url)


TIMELINE = TimelineRows(gettext_lazy("Message"), _sent, "sent_at", _told)
