from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Picture(models.Model):
    """A picture of the library, written anew from what was uploaded and named by its content."""

    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    extension = models.CharField(max_length=4, editable=False)
    name = models.CharField(_("name"), max_length=100)
    alt = models.CharField(
        _("words in its place"),
        max_length=200,
        help_text=_("What it shows, for readers who do not see it."),
    )
    width = models.PositiveIntegerField(editable=False)
    height = models.PositiveIntegerField(editable=False)
    n_bytes = models.PositiveIntegerField(editable=False)
    content = models.BinaryField(editable=False)
    added_at = models.DateTimeField(_("added"), editable=False)
    staff = models.ForeignKey(
        "privacy.Staff", models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        return f"/i/{self.sha256}.{self.extension}"
