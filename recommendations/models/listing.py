from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class CustomerListing(models.Model):
    """The stored recommendations of one customer by one run, best first.

    `items` holds `[product id, score, reason code, [product ids it is based on]]`. `evidence` says
    of the first places `[[what each part of the engine adds], [[product id, what it adds]]]`: the
    parts add up to the score, and the purchases to what is personal of it.
    """

    run = models.ForeignKey("recommendations.TrainingRun", models.CASCADE, related_name="+")
    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
    items = models.JSONField(_("items"))
    evidence = models.JSONField(_("evidence"), default=list)

    class Meta:
        verbose_name = _("customer's recommendations")
        verbose_name_plural = _("customers' recommendations")
        constraints = [
            models.UniqueConstraint(
                name="customer_listing_once_per_run", fields=["run", "customer"]
            )
        ]

    def __str__(self) -> str:
        return f"run {self.run_id} customer {self.customer_id}"


class ProductListing(models.Model):
    """Products bought with one product by one run, best first, as `CustomerListing.items`.

    An empty `product_id` is the list of what is popular.
    """

    run = models.ForeignKey("recommendations.TrainingRun", models.CASCADE, related_name="+")
    product_id = models.CharField(_("product id"), max_length=100, blank=True)
    items = models.JSONField(_("items"))

    class Meta:
        verbose_name = _("similar products")
        verbose_name_plural = _("similar products")
        constraints = [
            models.UniqueConstraint(
                name="product_listing_once_per_run", fields=["run", "product_id"]
            )
        ]

    def __str__(self) -> str:
        return f"run {self.run_id} product {self.product_id}"
