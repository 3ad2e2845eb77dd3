from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Subject(models.Model):
    """A person the shop holds data on, opaque: what may be done with it stands here.

    `minor_until` is the day from which they may consent themselves, kept while it is ahead.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    restricted = models.BooleanField(_("processing restricted"), default=False)
    objected = models.BooleanField(_("objected to marketing"), default=False)
    no_profiling = models.BooleanField(_("no profiling"), default=False)
    minor_until = models.DateField(_("minor until"), null=True, blank=True)
    erased_at = models.DateTimeField(_("erased at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("subject")
        verbose_name_plural = _("subjects")

    def __str__(self) -> str:
        return str(self.uuid)
