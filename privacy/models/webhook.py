from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def ready(self, now: datetime) -> WebhookQuerySet:
        """Those that may be sent to: enabled, and not resting after failures."""
        rested = models.Q(resting_until__isnull=True) | models.Q(resting_until__lte=now)
        return self.filter(rested, state=Webhook.State.ENABLED)


class Webhook(models.Model):
    """An address of the shop's that is told of events. Its secret is derived, never stored.

    `generation` counts secrets; the one before it signs too until `rotated_until`. `n_failures`
    are those in a row, since `failing_since`.
    """

    class State(models.TextChoices):
        ENABLED = "enabled", _("Enabled")
        DISABLED = "disabled", _("Disabled")
        GONE = "gone", _("Disabled: it answered that it is gone")
        FAILING = "failing", _("Disabled: it failed for days")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=100, unique=True)
    url = models.CharField(_("address"), max_length=1000)
    event_types = models.JSONField(_("events"), default=list)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.ENABLED)
    generation = models.PositiveSmallIntegerField(default=1, editable=False)
    rotated_until = models.DateTimeField(null=True, blank=True, editable=False)
    n_failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)
    resting_until = models.DateTimeField(null=True, blank=True, editable=False)
    disabled_at = models.DateTimeField(_("disabled at"), null=True, blank=True, editable=False)
    told_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"))

    objects = WebhookQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.name

    @property
    def is_enabled(self) -> bool:
        return self.state == self.State.ENABLED


class WebhookMessage(models.Model):
    """A fact that webhooks are told of, written in the transaction that made it one.

    `data` holds ids only; `subject` is whom it is about. Every attempt and every webhook gets
    the same id and the same body.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    type = models.CharField(_("event"), max_length=64)
    data = models.JSONField(_("data"), default=dict)
    subject = models.ForeignKey(
        "privacy.Subject", models.CASCADE, to_field="uuid", null=True, related_name="+"
    )
    occurred_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        indexes = [models.Index(fields=["occurred_at"], name="webhook_message_by_age")]

    def __str__(self) -> str:
        return f"{self.type} {self.wire_id}"

    @property
    def wire_id(self) -> str:
        return f"msg_{self.uuid.hex}"

    @property
    def envelope(self) -> dict[str, Any]:
        at = self.occurred_at.isoformat().replace("+00:00", "Z")
        return {"type": self.type, "timestamp": at, "data": self.data}


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def due(self, now: datetime) -> WebhookDeliveryQuerySet:
        return self.filter(state=WebhookDelivery.State.WAITING, due_at__lte=now)

    def held(self, token: UUID) -> WebhookDeliveryQuerySet:
        """Rows that the claim `token` still holds."""
        return self.filter(state=WebhookDelivery.State.SENDING, claim_token=token)

    def lost(self, now: datetime) -> WebhookDeliveryQuerySet:
        """Rows whose worker died over them."""
        return self.filter(state=WebhookDelivery.State.SENDING, lease_until__lt=now)


class WebhookDelivery(models.Model):
    """One message on its way to one webhook, and how the last attempt went.

    It goes waiting -> sending -> delivered, waiting again, or failed; from both ends a replay
    puts it back to waiting. A worker that dies over it leaves it to the next, so that a receiver
    may get a message twice, under one id.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENDING = "sending", _("Being sent")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Failed")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    message = models.ForeignKey("privacy.WebhookMessage", models.CASCADE, related_name="deliveries")
    webhook = models.ForeignKey(
        "privacy.Webhook", models.CASCADE, related_name="deliveries", db_index=False
    )
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField(_("due at"))
    n_attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    status = models.PositiveSmallIntegerField(_("reply"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        permissions = [("replay_webhookdelivery", "Can send webhook messages again")]
        constraints = [
            models.UniqueConstraint(name="webhook_delivery_once", fields=["message", "webhook"]),
            models.CheckConstraint(
                name="webhook_delivery_sending_has_claim",
                condition=~models.Q(state="sending")
                | models.Q(claim_token__isnull=False, lease_until__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["webhook", "due_at", "id"],
                name="webhook_delivery_due",
                condition=models.Q(state="waiting"),
            ),
            models.Index(
                fields=["webhook", "lease_until"],
                name="webhook_delivery_leased",
                condition=models.Q(state="sending"),
            ),
            models.Index(fields=["webhook", "state", "-id"], name="webhook_delivery_by_state"),
            models.Index(fields=["webhook", "-id"], name="webhook_delivery_newest"),
        ]

    def __str__(self) -> str:
        return f"webhook delivery {self.pk}"


class WebhookAttempt(models.Model):
    """One try: what came back, or why nothing did. Of the reply only its status is kept."""

    delivery = models.ForeignKey("privacy.WebhookDelivery", models.CASCADE, related_name="attempts")
    at = models.DateTimeField(_("at"))
    status = models.PositiveSmallIntegerField(_("reply"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    n_ms = models.PositiveIntegerField(_("milliseconds"))

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")

    def __str__(self) -> str:
        return f"webhook attempt {self.pk}"
