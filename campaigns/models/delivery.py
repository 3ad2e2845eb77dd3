from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import models
from django.db.models.functions import Mod
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, now: datetime, campaigns: Iterable[int]) -> DeliveryQuerySet:
        """Messages of these campaigns whose time has come and that nobody has taken."""
        return self.filter(
            state=Delivery.State.PLANNED, due_at__lte=now, campaign_id__in=list(campaigns)
        )

    def in_first_part(self) -> DeliveryQuerySet:
        """Of campaigns that go to a part first, that part: evenly spread over the plan."""
        return self.annotate(hundredth=Mod("pk", 100)).filter(
            hundredth__lt=models.F("campaign__first_percent")
        )

    def held(self, token: UUID, *states: Delivery.State) -> DeliveryQuerySet:
        """Rows that the claim `token` still holds in one of `states`."""
        return self.filter(claim_token=token, state__in=states)

    def lost(self, now: datetime) -> DeliveryQuerySet:
        """Rows whose worker stopped renewing its lease."""
        return self.filter(
            state__in=[Delivery.State.CLAIMED, Delivery.State.SENDING], lease_until__lt=now
        )

    def counted(self, campaigns: Iterable[int]) -> dict[int, dict[str, int]]:
        """Return by campaign how many deliveries are in each state, states without any left out."""
        mine = self.filter(campaign_id__in=list(campaigns)).order_by()
        found: dict[int, dict[str, int]] = {}
        for campaign, state, n in mine.values_list("campaign_id", "state").annotate(
            n=models.Count("pk")
        ):
            found.setdefault(campaign, {})[state] = n
        return found

    def reasons(self) -> list[tuple[str, int]]:
        """Return what kept messages back and how often, the most frequent first."""
        counted = self.exclude(reason="").order_by().values_list("reason")
        return list(counted.annotate(n=models.Count("pk")).order_by("-n", "reason"))

    def open(self) -> DeliveryQuerySet:
        """Messages that are still to go out or on their way."""
        return self.filter(
            state__in=[
                Delivery.State.PLANNED,
                Delivery.State.CLAIMED,
                Delivery.State.SENDING,
            ]
        )


class Delivery(models.Model):
    """One customer's place in a campaign: a variant's message, or the holdout.

    A message goes planned -> claimed -> sending -> sent, failed or unknown, or is skipped
    with the reason. Whom an automation reaches for several carts or orders has a row for each,
    told apart by `occurrence`; `entered_at` is when that came about. `unknown` may have arrived, so it is never sent again. `intended_at` is when
    the last try to send it was committed, before its first byte went out. The random
    `token` is what stands in the message's links.
    """

    class State(models.TextChoices):
        HOLDOUT = "holdout", _("Holdout")
        PLANNED = "planned", _("Planned")
        CLAIMED = "claimed", _("Claimed")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown")
        SKIPPED = "skipped", _("Skipped")

    # Two indexes begin with it.
    campaign = models.ForeignKey(
        "campaigns.Campaign", models.CASCADE, related_name="deliveries", db_index=False
    )
    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
    variant = models.ForeignKey(
        "campaigns.Variant", models.PROTECT, null=True, blank=True, related_name="+"
    )
    occurrence = models.CharField(max_length=64, blank=True, db_default="", default="")
    entered_at = models.DateTimeField(_("entered at"), null=True, blank=True, editable=False)
    bucket = models.PositiveIntegerField(_("bucket"))
    locale = models.CharField(_("language"), max_length=12, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices)
    due_at = models.DateTimeField(_("due at"))
    token = models.CharField(max_length=43, null=True, unique=True, editable=False)
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    n_attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    reason = models.CharField(_("reason"), max_length=60, blank=True)
    intended_at = models.DateTimeField(null=True, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(
                name="delivery_once_per_occurrence", fields=["campaign", "customer", "occurrence"]
            ),
            models.CheckConstraint(
                name="delivery_holdout_has_no_variant",
                condition=models.Q(state="holdout") ^ models.Q(variant__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"],
                name="delivery_due",
                condition=models.Q(state="planned"),
            ),
            models.Index(fields=["campaign", "state", "id"], name="delivery_by_state"),
            models.Index(
                fields=["lease_until"],
                name="delivery_leased",
                condition=models.Q(state__in=["claimed", "sending"]),
            ),
            models.Index(
                fields=["claim_token"],
                name="delivery_of_claim",
                condition=models.Q(claim_token__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"
