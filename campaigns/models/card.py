from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Card(models.Model):
    """A variant's short message in one language, for a place in the shop's pages or for push.

    It names nobody: a page may be seen, and a notification read, by whoever stands by
    (`docs/decisions/0012-a-card-names-nobody.md`).
    """

    variant = models.ForeignKey(
        "campaigns.Variant", models.CASCADE, related_name="cards", verbose_name=_("variant")
    )
    locale = models.CharField(_("language"), max_length=12)
    title = models.CharField(_("title"), max_length=100)
    text = models.CharField(_("text"), max_length=300, blank=True)
    button = models.CharField(_("button"), max_length=40, blank=True)
    url = models.URLField(_("where it leads"), max_length=500)
    image_url = models.URLField(_("image"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("short message")
        verbose_name_plural = _("short messages")
        constraints = [
            models.UniqueConstraint(name="card_once_a_language", fields=["variant", "locale"])
        ]

    def __str__(self) -> str:
        return f"{self.variant_id} {self.locale}"
