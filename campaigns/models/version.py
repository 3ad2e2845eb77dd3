from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class TemplateVersion(models.Model):
    """A template as it was saved once; the highest number is what it is now."""

    template = models.ForeignKey(
        "campaigns.Template", models.CASCADE, related_name="versions", verbose_name=_("template")
    )
    number = models.PositiveIntegerField(_("version"))
    at = models.DateTimeField(_("at"))
    staff = models.ForeignKey(
        "privacy.Staff", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    subject = models.CharField(_("subject line"), max_length=200)
    blocks = models.JSONField(_("blocks"), default=list, blank=True)
    mjml = models.TextField(_("MJML"), blank=True)
    body_html = models.TextField(_("body (HTML)"))
    body_text = models.TextField(_("body (plain text)"), blank=True)

    class Meta:
        verbose_name = _("version of a template")
        verbose_name_plural = _("versions of templates")
        constraints = [
            models.UniqueConstraint(
                name="template_version_number_once", fields=["template", "number"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.template_id} v{self.number}"
