from __future__ import annotations

from hashlib import sha256

from django.db import models
from django.utils.translation import gettext_lazy as _


def digest_of(url: str) -> bytes:
    """Return what an address is found by: its SHA-256, since addresses outgrow an index."""
    return sha256(url.encode()).digest()


class CheckedLink(models.Model):
    """How an address in a campaign's message answered when it was last asked.

    `outcome` is a status of HTTP, or the code of what kept an answer from coming.
    """

    campaign = models.ForeignKey("campaigns.Campaign", models.CASCADE, related_name="+")
    url = models.CharField(_("address"), max_length=2000)
    url_digest = models.BinaryField(max_length=32, editable=False)
    outcome = models.CharField(_("outcome"), max_length=20)
    checked_at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("checked link")
        verbose_name_plural = _("checked links")
        constraints = [
            models.UniqueConstraint(name="checked_link_once", fields=["campaign", "url_digest"])
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.pk}"
