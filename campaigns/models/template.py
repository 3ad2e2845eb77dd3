from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Template(models.Model):
    """The message of one variant in one language, in Liquid.

    `body_html` is what goes out. It is compiled from `blocks` or from `mjml` whenever those are
    saved; where both are empty it is written by hand.
    """

    variant = models.ForeignKey("campaigns.Variant", models.CASCADE, related_name="templates")
    locale = models.CharField(_("language"), max_length=12)
    subject = models.CharField(_("subject line"), max_length=200)
    blocks = models.JSONField(_("blocks"), default=list, blank=True)
    mjml = models.TextField(_("MJML"), blank=True)
    body_html = models.TextField(_("body (HTML)"))
    body_text = models.TextField(_("body (plain text)"), blank=True)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        constraints = [
            models.UniqueConstraint(name="template_once_per_language", fields=["variant", "locale"])
        ]

    def __str__(self) -> str:
        return f"{self.variant_id} {self.locale}"
