from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Template(models.Model):
    """The message of one variant in one language, in Liquid.

    `body_html` is what is sent. It follows from `blocks` or from `mjml` where one is given.
    """

    variant = models.ForeignKey("campaigns.Variant", models.CASCADE, related_name="templates")
    locale = models.CharField(_("language"), max_length=12)
    subject = models.CharField(_("subject line"), max_length=200)
    blocks = models.JSONField(_("blocks"), null=True, blank=True)
    mjml = models.TextField(_("source (MJML)"), blank=True)
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


class TemplateVersion(models.Model):
    """A template as it was saved once; the newest is what it is now."""

    template = models.ForeignKey("campaigns.Template", models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    subject = models.CharField(_("subject line"), max_length=200)
    blocks = models.JSONField(null=True, blank=True)
    mjml = models.TextField(blank=True)
    body_html = models.TextField()
    body_text = models.TextField(blank=True)
    saved_by = models.ForeignKey(
        "privacy.Staff", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    saved_at = models.DateTimeField(_("saved at"))

    class Meta:
        verbose_name = _("version of a template")
        verbose_name_plural = _("versions of templates")
        constraints = [
            models.UniqueConstraint(name="template_version_once", fields=["template", "number"])
        ]

    def __str__(self) -> str:
        return f"version {self.number} of template {self.template_id}"
