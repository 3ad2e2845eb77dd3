from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.models.consent import Channel


class Suppression(models.Model):
    """An address never to be written to on a channel; holds a keyed tag, not the address.

    `source` says where it was learned: a provider, the bounce mailbox, an import, a page.
    """

    class Reason(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
        BOUNCED = "bounced", _("Bounced")
        COMPLAINED = "complained", _("Complained")
        IMPORTED = "imported", _("Imported")
        ERASED = "erased", _("Erased")

    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    address_tag = models.BinaryField(_("address tag"), max_length=16)
    reason = models.CharField(_("reason"), max_length=12, choices=Reason.choices)
    source = models.CharField(_("source"), max_length=60, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        constraints = [
            models.UniqueConstraint(
                name="suppression_once_per_address", fields=["channel", "address_tag"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.reason} {self.pk}"
