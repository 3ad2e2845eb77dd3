from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ProductFact(models.Model):
    """What the catalogue says of a product, as far as traits need it; a copy made at a build."""

    product_id = models.CharField(_("product id"), max_length=100, primary_key=True)
    title = models.CharField(_("title"), max_length=200, blank=True)
    category = models.CharField(_("category"), max_length=100, blank=True)
    brand = models.CharField(_("brand"), max_length=100, blank=True)
    is_device = models.BooleanField(_("is a device to own"), default=False)
    warranty_months = models.PositiveSmallIntegerField(_("warranty in months"), null=True)

    class Meta:
        verbose_name = _("fact of a product")
        verbose_name_plural = _("facts of products")

    def __str__(self) -> str:
        return self.product_id


class CategoryNorm(models.Model):
    """What is usual in a category over all customers; traits are measured against it.

    Made anew by every full build only, so that a change of one customer changes nobody else.
    """

    category = models.CharField(_("category"), max_length=100, primary_key=True)
    price_minor = models.BigIntegerField(_("average price per unit"))
    replaced_days = models.PositiveIntegerField(_("days until a device is replaced"), null=True)
    n_replaced = models.PositiveIntegerField(_("replacements"), default=0)

    class Meta:
        verbose_name = _("norm of a category")
        verbose_name_plural = _("norms of categories")

    def __str__(self) -> str:
        return self.category


class TraitBuild(models.Model):
    """The last full build of traits: what an incremental one may build upon.

    `digest` is of all that decides every row: the shop's currency and time zone, and what
    traits there are.
    """

    digest = models.CharField(max_length=32)
    norms_at = models.DateTimeField(_("norms as of"))
    as_of = models.DateTimeField(_("as of"))
    n_refreshed = models.PositiveIntegerField(_("customers refreshed"), default=0)
    n_customers = models.PositiveIntegerField(_("customers"), default=0)

    class Meta:
        verbose_name = _("build of traits")
        verbose_name_plural = _("builds of traits")

    def __str__(self) -> str:
        return f"traits as of {self.as_of:%Y-%m-%d}"


class CustomerChange(models.Model):
    """A mark that a customer's orders or events changed since the traits were made.

    A build of traits deletes the marks it saw and leaves one of its own for the refresh of
    segments, which deletes what it took: a mark that comes while either runs outlives it.
    """

    class Stage(models.IntegerChoices):
        NEW = 0  # for traits, and for segments that look at orders and events
        BUILT = 1  # the traits were made anew; for segments alone
        TAKEN = 2  # a refresh of segments looks at it

    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
    stage = models.PositiveSmallIntegerField(
        choices=Stage.choices, default=Stage.NEW, db_default=Stage.NEW
    )

    class Meta:
        verbose_name = _("change of a customer")
        verbose_name_plural = _("changes of customers")

    def __str__(self) -> str:
        return f"change {self.pk}"
