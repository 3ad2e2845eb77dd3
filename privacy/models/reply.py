from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Reply(models.Model):
    """The answer to a request that names an idempotency key, for when it is asked again."""

    key = models.ForeignKey("privacy.ApiKey", models.CASCADE, related_name="+", db_index=False)
    route = models.BinaryField(max_length=32)
    name = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField()

    class Meta:
        verbose_name = _("kept reply")
        verbose_name_plural = _("kept replies")
        constraints = [
            models.UniqueConstraint(fields=["key", "route", "name"], name="reply_once_a_key"),
        ]
        indexes = [models.Index(fields=["asked_at"], name="reply_by_age")]

    def __str__(self) -> str:
        return f"reply {self.pk}"
