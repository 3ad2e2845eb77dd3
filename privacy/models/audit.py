from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """One opening, refusal or decision about personal data; holds subject ids, never values."""

    class Outcome(models.TextChoices):
        ALLOWED = "allowed", _("Allowed")
        REFUSED = "refused", _("Refused")

    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=100)
    action = models.CharField(_("action"), max_length=40)
    purpose = models.CharField(_("purpose"), max_length=64, blank=True)
    subjects = models.JSONField(_("subjects"), default=list)
    n_subjects = models.PositiveIntegerField(_("number of subjects"), default=0)
    fields = models.JSONField(_("fields"), default=list)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    outcome = models.CharField(_("outcome"), max_length=7, choices=Outcome.choices)
    previous_hash = models.BinaryField(max_length=32, unique=True)
    hash = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("access log")

    def __str__(self) -> str:
        return f"{self.pk} {self.action} {self.outcome}"
