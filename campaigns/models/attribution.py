from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Conversion(models.Model):
    """An order inside the attribution window of a delivery, holdout included.

    Money in minor units of the shop's currency, as last counted.
    """

    delivery = models.ForeignKey("campaigns.Delivery", models.CASCADE, related_name="conversions")
    order = models.ForeignKey("profiles.Order", models.CASCADE, related_name="+")
    net_minor = models.BigIntegerField(_("net revenue"))
    margin_minor = models.BigIntegerField(_("margin"))
    ordered_at = models.DateTimeField(_("ordered at"))

    class Meta:
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")
        constraints = [
            models.UniqueConstraint(
                name="conversion_once_per_delivery", fields=["delivery", "order"]
            )
        ]

    def __str__(self) -> str:
        return f"order {self.order_id} of delivery {self.delivery_id}"
