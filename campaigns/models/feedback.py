from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.bounces.codes import Kind


class Feedback(models.Model):
    """What became known of a message after it was handed over: by a provider, or by mail.

    `key` names the notice, so that one told twice counts once.
    """

    class Kinds(models.TextChoices):
        DELIVERED = Kind.DELIVERED.value, _("Delivered")
        HARD = Kind.HARD.value, _("Bounced: no such address")
        SOFT = Kind.SOFT.value, _("Bounced: not now")
        BLOCKED = Kind.BLOCKED.value, _("Refused for its sender or content")
        COMPLAINT = Kind.COMPLAINT.value, _("Marked as spam")
        UNSUBSCRIBE = Kind.UNSUBSCRIBE.value, _("Unsubscribed")

    delivery = models.ForeignKey("campaigns.Delivery", models.CASCADE, related_name="feedback")
    kind = models.CharField(_("kind"), max_length=11, choices=Kinds.choices)
    code = models.CharField(_("code"), max_length=40, blank=True)
    source = models.CharField(_("source"), max_length=40)
    key = models.CharField(max_length=64, unique=True, editable=False)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        indexes = [
            models.Index(fields=["delivery", "kind"], name="feedback_of_delivery"),
            models.Index(fields=["at"], name="feedback_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of delivery {self.delivery_id}"


class Mailbox(models.Model):
    """How far the bounce mailbox is read: its newest message that has had its effect."""

    name = models.CharField(_("name"), max_length=255, unique=True)
    uid_validity = models.BigIntegerField(default=0, editable=False)
    last_uid = models.BigIntegerField(default=0, editable=False)
    n_reports = models.PositiveBigIntegerField(_("reports"), default=0, editable=False)
    n_automatic = models.PositiveBigIntegerField(_("automatic replies"), default=0, editable=False)
    n_replies = models.PositiveBigIntegerField(_("replies"), default=0, editable=False)
    n_unmatched = models.PositiveBigIntegerField(
        _("reports about no message of ours"), default=0, editable=False
    )
    read_at = models.DateTimeField(_("read at"), null=True, blank=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=60, blank=True, editable=False)

    class Meta:
        verbose_name = _("bounce mailbox")
        verbose_name_plural = _("bounce mailboxes")

    def __str__(self) -> str:
        return self.name
