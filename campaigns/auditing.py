"""The fairness audits of campaigns: who is in the audience, and who of it gets a message."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy

from campaigns import targeting
from campaigns.models import Campaign, Delivery
from privacy import fairness_audits
from privacy.fairness.selection import selection_rates
from privacy.fairness_audits import Audit, Audited
from profiles.auditing import counted
from profiles.models import Customer

NEWEST = 5


def of_audiences(attribute: str, as_of: datetime) -> list[Audited]:
    """Of the customers who could be reached, whom the campaign chose."""
    found = []
    for campaign in _newest():
        chosen = Exists(Delivery.objects.filter(campaign=campaign, customer=OuterRef("pk")))
        reachable = targeting.reachable(campaign)
        everybody = Customer.objects.filter(Q(chosen) | Q(pk__in=reachable.values("pk")))
        groups = counted(everybody, attribute, as_of, hits=Q(chosen))
        found.append(Audited(campaign.name, selection_rates(groups)))
    return found


def of_arms(attribute: str, as_of: datetime) -> list[Audited]:
    """Of the audience, who was dealt a message and not the holdout."""
    return [
        Audited(
            campaign.name,
            selection_rates(
                counted(
                    Delivery.objects.filter(campaign=campaign),
                    attribute,
                    as_of,
                    hits=~Q(state=Delivery.State.HOLDOUT),
                    prefix="customer__",
                )
            ),
        )
        for campaign in _newest()
        if campaign.holdout_ppm
    ]


def _newest() -> list[Campaign]:
    return list(
        Campaign.objects.plans().filter(planned_at__isnull=False).order_by("-planned_at")[:NEWEST]
    )


def declare() -> None:
    fairness_audits.enter(
        Audit(
            "campaigns.audience",
            gettext_lazy("Audiences of campaigns"),
            gettext_lazy("Of those who may be written to, is every group as likely to be chosen?"),
            of_audiences,
        )
    )
    fairness_audits.enter(
        Audit(
            "campaigns.arms",
            gettext_lazy("Messages and holdout"),
            gettext_lazy("Is every group of the audience as likely to get a message?"),
            of_arms,
        )
    )
