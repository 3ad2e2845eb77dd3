from __future__ import annotations

from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

COLOUR = RegexValidator(r"\A#[0-9a-fA-F]{6}\Z", _("A colour looks like #1f5eff."))
HTTPS = URLValidator(["https"])


class Brand(models.Model):
    """How the shop's messages look; one row, which lacks until somebody sets it."""

    logo_url = models.URLField(
        _("logo"),
        blank=True,
        max_length=500,
        validators=[HTTPS],
        help_text=_("Its address; without one the shop's name stands at the top."),
    )
    accent = models.CharField(
        _("colour of buttons"), max_length=7, default="#1f5eff", validators=[COLOUR]
    )
    on_accent = models.CharField(
        _("colour of their text"), max_length=7, default="#ffffff", validators=[COLOUR]
    )
    ink = models.CharField(
        _("colour of headings"), max_length=7, default="#0f1b33", validators=[COLOUR]
    )
    soft = models.CharField(
        _("colour of text"), max_length=7, default="#4a5871", validators=[COLOUR]
    )
    page = models.CharField(
        _("colour around the message"), max_length=7, default="#f2f4f8", validators=[COLOUR]
    )
    card = models.CharField(
        _("colour behind the message"), max_length=7, default="#ffffff", validators=[COLOUR]
    )

    class Meta:
        verbose_name = _("brand kit")
        verbose_name_plural = _("brand kit")
        constraints = [
            models.CheckConstraint(name="brand_is_the_only_row", condition=models.Q(pk=1))
        ]

    def __str__(self) -> str:
        return gettext("Brand kit")

    @classmethod
    def current(cls) -> Brand:
        """Return the shop's brand, or an unsaved one of plain colours."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)
