from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Identity(models.Model):
    """An anonymous id that was joined to a customer when that person logged in."""

    anonymous_id = models.CharField(_("anonymous id"), max_length=200, unique=True)
    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="identities")
    joined_at = models.DateTimeField(_("joined at"))

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")

    def __str__(self) -> str:
        return self.anonymous_id
