from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Source(models.Model):
    """Where data comes in: a website, an app, a server, a file."""

    class Kind(models.TextChoices):
        WEBSITE = "website", _("Website")
        APP = "app", _("App")
        SERVER = "server", _("Server")
        FILE = "file", _("File")

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    is_test = models.BooleanField(_("test source"), default=False)
    identity_generation = models.PositiveSmallIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")

    def __str__(self) -> str:
        return self.name
