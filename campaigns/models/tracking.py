from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Link(models.Model):
    """A target of a campaign's messages, stored before sending so that no URL carries it."""

    campaign = models.ForeignKey("campaigns.Campaign", models.CASCADE, related_name="links")
    url = models.CharField(_("target"), max_length=2000)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints = [
            models.UniqueConstraint(name="link_once_in_campaign", fields=["campaign", "url"])
        ]

    def __str__(self) -> str:
        return f"link {self.pk} of campaign {self.campaign_id}"


class Hit(models.Model):
    """An open, a click or an unsubscription of one delivery; machines are kept and marked.

    `sign` is what gave a machine away. `waits`: it is not told to the profile yet, since what
    follows within seconds may show that it was a machine's.
    """

    class Sign(models.TextChoices):
        METHOD = "method", _("Asked without wanting the page")
        AGENT = "agent", _("Names itself a program")
        PREFETCH = "prefetch", _("Fetched ahead of the reader")
        TOO_SOON = "too_soon", _("Within two seconds of the sending")
        MANY_LINKS = "many_links", _("Several links at once")
        CANARY = "canary", _("Followed a link that nobody sees")

    class Kind(models.TextChoices):
        OPEN = "open", _("Open")
        CLICK = "click", _("Click")
        UNSUBSCRIBE = "unsubscribe", _("Unsubscribe")

    delivery = models.ForeignKey("campaigns.Delivery", models.CASCADE, related_name="hits")
    kind = models.CharField(_("kind"), max_length=11, choices=Kind.choices)
    link = models.ForeignKey(
        "campaigns.Link",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="hits",
        related_query_name="hit",
    )
    at = models.DateTimeField(_("at"))
    by_machine = models.BooleanField(_("by a machine"), default=False)
    sign = models.CharField(_("given away by"), max_length=10, choices=Sign.choices, blank=True)
    waits = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("hit")
        verbose_name_plural = _("hits")
        indexes = [
            models.Index(fields=["delivery", "kind"], name="hit_of_delivery"),
            models.Index(fields=["at"], name="hit_to_tell", condition=models.Q(waits=True)),
            models.Index(fields=["link"], name="hit_of_link"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of delivery {self.delivery_id}"
