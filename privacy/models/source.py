from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime


class Source(models.Model):
    """Where data comes in: a website, an app, a server, a file.

    `identity_generation` counts the secrets with which the shop's server vouches for a user id;
    the one before it vouches too until `identity_rotated_until`.
    """

    class Kind(models.TextChoices):
        WEBSITE = "website", _("Website")
        APP = "app", _("App")
        SERVER = "server", _("Server")
        FILE = "file", _("File")

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    is_test = models.BooleanField(_("test source"), default=False)
    identity_generation = models.PositiveSmallIntegerField(default=1, editable=False)
    identity_rotated_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")

    def __str__(self) -> str:
        return self.name

    def vouches_by_two(self, now: datetime) -> bool:
        """Whether the identity secret before the newest one still holds at `now`."""
        return self.identity_rotated_until is not None and now < self.identity_rotated_until
