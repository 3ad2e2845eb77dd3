from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Impression(models.Model):
    """The recommended products of one message, as it was composed last.

    `items` are `[product id, number of its link or null]` in the order of their positions;
    `run` is the training whose lists they come from.
    """

    recommendation_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    delivery = models.OneToOneField("campaigns.Delivery", models.CASCADE, related_name="impression")
    placement = models.CharField(_("placement"), max_length=64)
    run = models.ForeignKey(
        "recommendations.TrainingRun", models.SET_NULL, null=True, related_name="+"
    )
    items = models.JSONField(_("products"), default=list)

    class Meta:
        verbose_name = _("products of a message")
        verbose_name_plural = _("products of messages")

    def __str__(self) -> str:
        return str(self.recommendation_id)

    def position_of(self, link: int | None) -> int:
        """The place of the product that a link leads to, from 1; 0 if it leads to none."""
        there = [at for at, (_product, number) in enumerate(self.items, 1) if number == link]
        return there[0] if there and link is not None else 0
