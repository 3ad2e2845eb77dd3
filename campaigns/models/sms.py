from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class SmsText(models.Model):
    """A variant's text message in one language.

    `template_id` names it at a gateway that sends registered texts alone, which then fills in
    `parameters`, each a piece of Liquid, by itself; `text` is what people here read of it.
    """

    variant = models.ForeignKey(
        "campaigns.Variant", models.CASCADE, related_name="sms_texts", verbose_name=_("variant")
    )
    locale = models.CharField(_("language"), max_length=12)
    text = models.TextField(_("text"), max_length=1600)
    template_id = models.CharField(_("registered text"), max_length=64, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)

    class Meta:
        verbose_name = _("text message")
        verbose_name_plural = _("text messages")
        constraints = [
            models.UniqueConstraint(name="sms_text_once_a_language", fields=["variant", "locale"])
        ]

    def __str__(self) -> str:
        return f"{self.variant_id} {self.locale}"
