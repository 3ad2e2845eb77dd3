from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Coupon(models.Model):
    """A code that one delivery's reader got, and nobody else; good for one order."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    delivery = models.OneToOneField("campaigns.Delivery", models.CASCADE, related_name="coupon")
    redeemed_at = models.DateTimeField(_("redeemed at"), null=True, blank=True)
    order_number = models.CharField(_("order"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")

    def __str__(self) -> str:
        return f"coupon {self.pk}"
