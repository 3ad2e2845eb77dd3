from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from recommendations.arrays import Numbers


class Listing(models.Model):
    """A ranked list made by one run, best first, in columns of equal order.

    `products` are keys of the catalogue; `reasons` are numbers of `lists.REASONS`; `bases`
    holds, for each product, the keys of the two that it is based on, 0 for none.
    """

    run = models.ForeignKey("recommendations.TrainingRun", models.CASCADE, related_name="+")
    products = Numbers(_("products"), of="integer")
    scores = Numbers(_("scores"), of="real")
    reasons = Numbers(_("reasons"), of="smallint")
    bases = Numbers(_("based on"), of="integer")

    class Meta:
        abstract = True


class CustomerListing(Listing):
    """The stored recommendations of one customer by one run.

    `evidence` says of the first places `[[what each part of the engine adds], [[product id,
    what it adds]]]`: the parts add up to the score, and the purchases to what is personal of it.
    """

    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
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


class ProductListing(Listing):
    """Products bought with one product by one run.

    An empty `product_id` is the list of what is popular.
    """

    product_id = models.CharField(_("product id"), max_length=100, blank=True)

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
