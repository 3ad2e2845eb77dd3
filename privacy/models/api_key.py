from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self, now: datetime) -> ApiKeyQuerySet:
        """Keys that open a door at `now`: neither revoked nor expired."""
        unexpired = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now)
        return self.filter(unexpired, revoked_at__isnull=True)


class ApiKey(models.Model):
    """A key of a source; only its prefix and SHA-256 digest are stored."""

    class Kind(models.TextChoices):
        WRITE = "wk", _("Publishable (browser)")
        APP = "ak", _("App")
        SECRET = "sk", _("Secret (server)")

    source = models.ForeignKey("privacy.Source", models.PROTECT, related_name="keys")
    kind = models.CharField(_("kind"), max_length=2, choices=Kind.choices)
    is_test = models.BooleanField(_("test key"), default=False)
    prefix = models.CharField(_("prefix"), max_length=20)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list, blank=True)
    origins = models.JSONField(_("allowed origins"), default=list, blank=True)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    replaces = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="successors",
        verbose_name=_("replaces"),
    )
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.prefix}…"

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)
