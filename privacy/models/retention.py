from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class RetentionPeriod(models.Model):
    """How long this shop keeps what a schedule names, where it is not the default."""

    schedule = models.CharField(_("what"), max_length=64, unique=True)
    days = models.PositiveIntegerField(
        _("days"), null=True, blank=True, help_text=_("Empty: kept without a limit.")
    )

    class Meta:
        verbose_name = _("retention period")
        verbose_name_plural = _("retention periods")

    def __str__(self) -> str:
        return self.schedule
