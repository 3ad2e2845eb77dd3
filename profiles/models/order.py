from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from profiles.models.quality import NOT_COUNTED, Quality

# What `countable` is, in SQL of a table's alias.
_MARKS = ", ".join(f"'{mark}'" for mark in NOT_COUNTED)
COUNTABLE: Final = f"{{0}}.status <> 'cancelled' AND {{0}}.quality NOT IN ({_MARKS})"


def _countable(of: str = "") -> models.Q:
    """The condition on orders that are sales: not cancelled, by a person, and no test."""
    is_cancelled = models.Q(**{f"{of}status": Order.Status.CANCELLED})
    return ~is_cancelled & ~models.Q(**{f"{of}quality__in": NOT_COUNTED})


class OrderQuerySet(models.QuerySet["Order"]):
    def countable(self) -> OrderQuerySet:
        """The orders that every figure, trait, segment and model counts, and no others."""
        return self.filter(_countable())

    def left_out(self) -> OrderQuerySet:
        """The orders that nothing counts, as cleaning marked them or they were cancelled."""
        return self.exclude(_countable())

    def refunded_beyond(self) -> OrderQuerySet:
        """The orders of which more is said to be given back than was paid, tax and shipping too."""
        told = Refund.objects.filter(told__number=OuterRef("number"), line=None).order_by()
        beyond = told.values("told__number").annotate(minor=Sum("amount_minor")).values("minor")
        filed = Refund.objects.filter(line__order=OuterRef("pk"), told=None).order_by()
        of_files = filed.values("line__order").annotate(minor=Sum("beyond_minor")).values("minor")
        paid = F("total_minor") + F("tax_minor") + F("shipping_minor")
        said = F("refunded_minor") + Coalesce(Subquery(beyond), 0) + Coalesce(Subquery(of_files), 0)
        return self.alias(said=said).filter(said__gt=paid)


class OrderLineQuerySet(models.QuerySet["OrderLine"]):
    def countable(self) -> OrderLineQuerySet:
        """The lines of the orders that count."""
        return self.filter(_countable("order__"))


class Order(models.Model):
    """A sale, unique by its number; without a customer it is a guest order.

    Money is in minor units of `currency`, net of tax, shipping and discount. `refunded_minor`
    is the part given back later; net revenue = `total_minor` - `refunded_minor`. `source` is the
    one whose lines hold. `stamps` says how each field was stated (`profiles/orders/statements.py`);
    while `is_partial`, a file may know better.
    """

    class Status(models.TextChoices):
        PLACED = "placed", _("Placed")
        PAID = "paid", _("Paid")
        FULFILLED = "fulfilled", _("Fulfilled")
        CANCELLED = "cancelled", _("Cancelled")

    number = models.CharField(_("order number"), max_length=100, unique=True)
    customer = models.ForeignKey(
        "profiles.Customer",
        models.SET_NULL,  # money outlives the customer: what is left is a guest order
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("customer"),
        db_index=False,  # order_of_customer begins with it
    )
    source = models.ForeignKey("privacy.Source", models.PROTECT, related_name="+")
    status = models.CharField(
        _("status"), max_length=9, choices=Status.choices, default=Status.FULFILLED
    )
    placed_at = models.DateTimeField(_("placed at"))
    country = models.CharField(_("country"), max_length=60, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    total_minor = models.BigIntegerField(_("total"), default=0)
    tax_minor = models.BigIntegerField(_("tax"), default=0)
    shipping_minor = models.BigIntegerField(_("shipping"), default=0)
    discount_minor = models.BigIntegerField(_("discount"), default=0)
    refunded_minor = models.BigIntegerField(_("refunded"), default=0)
    quality = models.CharField(
        _("quality"), max_length=10, choices=Quality.choices, blank=True, db_default=""
    )
    # Set by whatever changes the order, until cleaning has looked at it.
    is_unclean = models.BooleanField(default=True, db_default=True, editable=False)
    coupon = models.CharField(_("coupon"), max_length=60, blank=True)
    # When the newest statement says its state was reached; empty while only files told of it.
    stated_at = models.DateTimeField(_("state as of"), null=True, blank=True)
    stamps = models.JSONField(default=dict, editable=False)
    is_partial = models.BooleanField(default=False, editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        indexes = [
            # Traits and attribution read a customer's orders by time.
            models.Index(fields=["customer", "placed_at"], name="order_of_customer"),
            models.Index(fields=["placed_at"], name="order_by_time"),
            models.Index(fields=["id"], name="order_unclean", condition=models.Q(is_unclean=True)),
            # The page on data quality counts and shows those that bear a mark.
            models.Index(
                fields=["placed_at"], name="order_marked", condition=models.Q(quality__gt="")
            ),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(models.Model):
    """One item of an order, with title, category and price as they were at the time.

    `line_key` names the line within its order, so that a repeated statement adds none: of a
    file its product, price, quantity and place among equal ones, else its product and place.
    """

    # The unique constraint begins with it, so it needs no index of its own.
    order = models.ForeignKey(
        "profiles.Order", models.CASCADE, related_name="lines", db_index=False
    )
    line_key = models.CharField(max_length=160)
    position = models.PositiveIntegerField(default=0, editable=False)
    product_id = models.CharField(_("product id"), max_length=100)
    title = models.CharField(_("title"), max_length=200, blank=True)
    category = models.CharField(_("category"), max_length=100, blank=True)
    quantity = models.PositiveIntegerField(_("quantity"))
    unit_price_minor = models.BigIntegerField(_("unit price"))
    discount_minor = models.BigIntegerField(_("discount"), default=0)
    total_minor = models.BigIntegerField(_("total"))
    refunded_quantity = models.PositiveIntegerField(_("refunded quantity"), default=0)
    refunded_minor = models.BigIntegerField(_("refunded"), default=0)

    objects = OrderLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            models.UniqueConstraint(name="order_line_once", fields=["order", "line_key"]),
            models.CheckConstraint(
                name="order_line_refund_within_quantity",
                condition=models.Q(refunded_quantity__lte=models.F("quantity")),
            ),
        ]
        indexes = [
            # With the order, so that a refund finds its lines among all of the same product.
            models.Index(fields=["product_id", "order"], name="order_line_of_product"),
            # With the order, so that a segment finds a category's buyers without the lines.
            models.Index(fields=["category", "order"], name="order_line_of_category"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.line_key}"


class ToldRefund(models.Model):
    """A refund as an event or the API told of it, also before its order is known.

    `key` is the shop's own id of the refund (`is_named`), else that of the message. Without an
    amount all is given back that is left of what it concerns.
    """

    class Channel(models.TextChoices):
        API = "api", _("API")
        EVENT = "event", _("Event")

    number = models.CharField(_("order number"), max_length=100)
    source = models.ForeignKey("privacy.Source", models.PROTECT, related_name="+")
    channel = models.CharField(max_length=5, choices=Channel.choices)
    key = models.CharField(max_length=255)
    is_named = models.BooleanField(default=True)
    amount_minor = models.BigIntegerField(_("amount"), null=True)
    product_id = models.CharField(_("product id"), max_length=100, blank=True)
    quantity = models.PositiveIntegerField(_("quantity"), default=0)
    refunded_at = models.DateTimeField(_("refunded at"))

    class Meta:
        verbose_name = _("refund as told")
        verbose_name_plural = _("refunds as told")
        constraints = [
            models.UniqueConstraint(
                name="told_refund_once", fields=["number", "source", "channel", "key"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.key}"


class Refund(models.Model):
    """Money given back; `line` is empty where no earlier line could be found, or no money was left.

    `refund_key` names the refund within its source. One that covers several lines has a row
    for each of them, and one without a line for what is left over. `told` is empty for those
    of files; the others follow from what was told, whenever their order changes. Of a file's refund
    `beyond_minor` is what its order had no money left for; nothing counts it.
    """

    line = models.ForeignKey(
        "profiles.OrderLine", models.CASCADE, null=True, blank=True, related_name="refunds"
    )
    customer = models.ForeignKey(
        "profiles.Customer", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    source = models.ForeignKey("privacy.Source", models.PROTECT, related_name="+")
    told = models.ForeignKey(
        "profiles.ToldRefund",
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="refunds",
    )
    refund_key = models.CharField(max_length=255)
    product_id = models.CharField(_("product id"), max_length=100)
    quantity = models.PositiveIntegerField(_("quantity"))
    amount_minor = models.BigIntegerField(_("amount"))
    beyond_minor = models.BigIntegerField(_("beyond what was paid"), default=0, db_default=0)
    currency = models.CharField(_("currency"), max_length=3)
    refunded_at = models.DateTimeField(_("refunded at"))

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.UniqueConstraint(name="refund_once", fields=["source", "refund_key", "line"])
        ]
        indexes = [models.Index(fields=["customer", "refunded_at"], name="refund_of_customer")]

    def __str__(self) -> str:
        return f"{self.refund_key} {self.product_id}"

    @property
    def said_minor(self) -> int:
        """The amount as it was told, whatever was left to give back."""
        return self.amount_minor + self.beyond_minor
