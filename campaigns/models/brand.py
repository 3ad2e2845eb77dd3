from __future__ import annotations

from uuid import uuid4

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

COLOUR = RegexValidator(r"\A#[0-9a-fA-F]{6}\Z", _("A colour looks like #1f5eff."))


class Picture(models.Model):
    """A picture of the image library; whoever gets a message loads it by its uuid."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=100)
    alt = models.CharField(
        _("text instead of it"),
        max_length=200,
        blank=True,
        help_text=_("For readers who do not see it, or whose mail program does not load it."),
    )
    media_type = models.CharField(_("type"), max_length=20, editable=False)
    content = models.BinaryField(editable=False)
    width = models.PositiveIntegerField(_("width"), editable=False)
    height = models.PositiveIntegerField(_("height"), editable=False)
    n_bytes = models.PositiveIntegerField(_("size"), editable=False)
    created_at = models.DateTimeField(_("created at"), editable=False)

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")

    def __str__(self) -> str:
        return self.name


class Brand(models.Model):
    """How the shop's messages look; one row, which lacks until somebody sets it."""

    logo = models.ForeignKey(
        "campaigns.Picture",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("logo"),
        help_text=_("From the pictures; without one the shop's name stands at the top."),
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
        return cls.objects.select_related("logo").filter(pk=1).first() or cls(pk=1)
