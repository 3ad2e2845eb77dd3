from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class CustomerTraits(models.Model):
    """What a customer's orders before a moment say; one row a customer, null = not known.

    Shares are in 0-1, money in minor units of the shop's currency, times of day and weekdays
    in the shop's time zone (Monday = 0). A customer without orders has no row.
    """

    customer = models.OneToOneField(
        "profiles.Customer", models.CASCADE, primary_key=True, related_name="traits"
    )
    as_of = models.DateTimeField(_("as of"))
    recency_days = models.PositiveIntegerField(_("days since last order"))
    tenure_days = models.PositiveIntegerField(_("days since first order"))
    n_orders = models.PositiveIntegerField(_("orders"))
    n_items = models.PositiveIntegerField(_("different products bought"))
    n_units = models.PositiveIntegerField(_("units bought"))
    revenue_minor = models.BigIntegerField(_("net revenue"))
    average_order_minor = models.BigIntegerField(_("average order"))
    average_item_minor = models.BigIntegerField(_("average price per unit"))
    order_gap_days = models.FloatField(_("days between orders"), null=True, blank=True)
    top_hour = models.PositiveSmallIntegerField(_("usual hour"))
    top_weekday = models.PositiveSmallIntegerField(_("usual weekday"))
    night_share = models.FloatField(_("share bought from 0 to 6 h"), default=0)
    morning_share = models.FloatField(_("share bought from 6 to 12 h"), default=0)
    afternoon_share = models.FloatField(_("share bought from 12 to 18 h"), default=0)
    evening_share = models.FloatField(_("share bought from 18 to 24 h"), default=0)
    weekend_share = models.FloatField(_("share bought at weekends"), default=0)
    discount_share = models.FloatField(_("share of lines at a discount"), default=0)
    refund_share = models.FloatField(_("share of money refunded"), default=0)
    top_category = models.CharField(_("favourite category"), max_length=100, blank=True)
    category_shares = models.JSONField(_("share of money by category"), default=dict)
    item_shares = models.JSONField(
        _("share of money by product"),
        default=dict,
        help_text=_("Of the ten products with the most money."),
    )
    persona = models.ForeignKey(
        "profiles.Persona",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="members",
        verbose_name=_("persona"),
    )

    class Meta:
        verbose_name = _("customer traits")
        verbose_name_plural = _("customer traits")
        indexes = [
            models.Index(fields=["recency_days"], name="traits_by_recency"),
            models.Index(fields=["revenue_minor"], name="traits_by_revenue"),
            models.Index(fields=["persona"], name="traits_by_persona"),
        ]

    def __str__(self) -> str:
        return f"traits of customer {self.customer_id}"
