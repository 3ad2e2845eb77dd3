from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy import purposes
from privacy.fields import ClearClass, SealedModel, SealedQuerySet, SealedTextField
from privacy.models import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping


class PushSubscriptionQuerySet(SealedQuerySet["PushSubscription"]):
    """Its rows; an endpoint opens only under the purpose `campaign.push`."""

    def live(self) -> PushSubscriptionQuerySet:
        return self.filter(gone_at__isnull=True)

    def for_purpose(self, name: str) -> PushSubscriptionQuerySet:
        """Those of people whom the purpose may use; what it finds may be opened under it."""
        allowed = self.filter(purposes.may_use(name, channel=Channel.PUSH))
        allowed.found_for = name
        return allowed


class PushSubscription(SealedModel):
    """A customer's browser that takes push messages; `target` is its endpoint and keys, as JSON.

    `gone_at`: since then its push service says there is no such browser.
    """

    sealed_label: ClassVar[str] = "push_subscription"
    clear_classes: ClassVar[Mapping[str, ClearClass]] = {"endpoint_tag": ClearClass.TECHNICAL}

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.ForeignKey(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+", editable=False
    )
    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
    endpoint_tag = models.BinaryField(max_length=16, editable=False)
    target = SealedTextField(_("endpoint"))
    made_at = models.DateTimeField(_("subscribed at"))
    gone_at = models.DateTimeField(_("gone at"), null=True, blank=True)

    objects = PushSubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("push subscription")
        verbose_name_plural = _("push subscriptions")
        constraints = [models.UniqueConstraint(name="push_endpoint_once", fields=["endpoint_tag"])]
        indexes = [
            models.Index(
                fields=["customer"],
                name="push_live",
                condition=models.Q(gone_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return str(self.uuid)
