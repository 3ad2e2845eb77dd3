from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class OwnedDevice(models.Model):
    """A device a customer bought and did not give back; made anew with the customer's traits.

    One row a line of an order; `quantity` is what is left of it after returns.
    """

    customer = models.ForeignKey(
        "profiles.Customer", models.CASCADE, related_name="devices", verbose_name=_("customer")
    )
    line = models.OneToOneField("profiles.OrderLine", models.CASCADE, related_name="+")
    product_id = models.CharField(_("product id"), max_length=100)
    title = models.CharField(_("title"), max_length=200, blank=True)
    category = models.CharField(_("category"), max_length=100, blank=True)
    brand = models.CharField(_("brand"), max_length=100, blank=True)
    quantity = models.PositiveIntegerField(_("quantity"))
    bought_at = models.DateTimeField(_("bought at"))
    warranty_ends_at = models.DateTimeField(_("warranty ends"), null=True, blank=True)

    class Meta:
        verbose_name = _("owned device")
        verbose_name_plural = _("owned devices")

    def __str__(self) -> str:
        return f"device {self.pk}"
