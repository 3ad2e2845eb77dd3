from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Func, Value
from django.utils.translation import gettext_lazy as _

from profiles.features.vocabulary import BY_NAME, TRAITS, Trait
from profiles.trait_words import LABELS

DAY = timedelta(days=1)


class _Days(Func):
    """Whole days between two moments, below 0 if the first comes before the second."""

    arity = 2
    output_field = models.IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        diff = "django_timestamp_diff(%(expressions)s) / 86400000000.0"
        context["template"] = f"CAST(FLOOR({diff}) AS INTEGER)"
        return self.as_sql(compiler, connection, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        context["template"] = (
            "CAST(FLOOR(EXTRACT(EPOCH FROM (%(expressions)s)) / 86400) AS integer)"
        )
        return self.as_sql(compiler, connection, arg_joiner=" - ", **context)


class TraitsQuerySet(models.QuerySet["CustomerTraits"]):
    def of_buyers(self) -> TraitsQuerySet:
        """Traits of the customers with an order that counts."""
        return self.filter(last_order_at__isnull=False)

    def seen_from(self, as_of: datetime) -> TraitsQuerySet:
        """Add the days since or until each moment, counted at `as_of`, under the trait's name."""
        now = Value(as_of, output_field=models.DateTimeField())
        return self.annotate(
            **{
                trait.name: _Days(trait.moment, now) if trait.is_ahead else _Days(now, trait.moment)
                for trait in TRAITS
                if trait.moment
            }
        )


class days_by(property):  # noqa: N801 -- it is used as `property` is
    """The days of a trait with a moment, counted at the row's `as_of`; None if not known."""

    def __init__(self, name: str) -> None:
        self.trait: Trait = BY_NAME[name]
        super().__init__(self._read, self._write)

    def _read(self, traits: CustomerTraits) -> int | None:
        moment: datetime | None = getattr(traits, self.trait.moment)
        if moment is None:
            return None
        passed = moment - traits.as_of if self.trait.is_ahead else traits.as_of - moment
        return passed // DAY

    def _write(self, traits: CustomerTraits, days: int | None) -> None:
        ahead = 1 if self.trait.is_ahead else -1
        moment = None if days is None else traits.as_of + DAY * days * ahead
        setattr(traits, self.trait.moment, moment)


class CustomerTraits(models.Model):
    """What a customer's orders and events before a moment say; null or empty = not known.

    Every customer who may be profiled has one row. Shares are in 0-1, money in minor units of
    the shop's currency, times of day and weekdays in the shop's time zone (Monday = 0). Days
    since or until something are counted from stored moments, so they are right on every day;
    `due_at` is when a trait next changes by itself, such as an order that falls out of a year.
    """

    customer = models.OneToOneField(
        "profiles.Customer", models.CASCADE, primary_key=True, related_name="traits"
    )
    as_of = models.DateTimeField(_("as of"))
    due_at = models.DateTimeField(_("due again at"), null=True, blank=True)

    first_order_at = models.DateTimeField(_("first order"), null=True, blank=True)
    last_order_at = models.DateTimeField(_("last order"), null=True, blank=True)
    next_order_at = models.DateTimeField(_("next order expected"), null=True, blank=True)
    last_seen_at = models.DateTimeField(_("last visit"), null=True, blank=True)
    next_warranty_end_at = models.DateTimeField(_("next warranty end"), null=True, blank=True)
    upgrade_due_at = models.DateTimeField(_("upgrade due"), null=True, blank=True)
    last_answer_at = models.DateTimeField(_("last answer to an e-mail"), null=True, blank=True)

    n_orders = models.PositiveIntegerField(LABELS["n_orders"], default=0)
    n_items = models.PositiveIntegerField(LABELS["n_items"], default=0)
    n_units = models.PositiveIntegerField(LABELS["n_units"], default=0)
    revenue_minor = models.BigIntegerField(LABELS["revenue_minor"], default=0)
    average_order_minor = models.BigIntegerField(
        LABELS["average_order_minor"], null=True, blank=True
    )
    average_item_minor = models.BigIntegerField(LABELS["average_item_minor"], null=True, blank=True)
    order_gap_days = models.FloatField(LABELS["order_gap_days"], null=True, blank=True)
    top_hour = models.PositiveSmallIntegerField(LABELS["top_hour"], null=True, blank=True)
    top_weekday = models.PositiveSmallIntegerField(LABELS["top_weekday"], null=True, blank=True)
    night_share = models.FloatField(LABELS["night_share"], null=True, blank=True)
    morning_share = models.FloatField(LABELS["morning_share"], null=True, blank=True)
    afternoon_share = models.FloatField(LABELS["afternoon_share"], null=True, blank=True)
    evening_share = models.FloatField(LABELS["evening_share"], null=True, blank=True)
    weekend_share = models.FloatField(LABELS["weekend_share"], null=True, blank=True)
    discount_share = models.FloatField(LABELS["discount_share"], null=True, blank=True)
    refund_share = models.FloatField(LABELS["refund_share"], null=True, blank=True)
    top_category = models.CharField(LABELS["top_category"], max_length=100, blank=True)
    n_orders_year = models.PositiveIntegerField(LABELS["n_orders_year"], default=0)
    spent_year_minor = models.BigIntegerField(LABELS["spent_year_minor"], default=0)
    largest_order_minor = models.BigIntegerField(
        LABELS["largest_order_minor"], null=True, blank=True
    )
    coupon_share = models.FloatField(LABELS["coupon_share"], null=True, blank=True)
    discount_depth = models.FloatField(LABELS["discount_depth"], null=True, blank=True)
    refunded_order_share = models.FloatField(LABELS["refunded_order_share"], null=True, blank=True)
    n_categories = models.PositiveIntegerField(LABELS["n_categories"], default=0)
    top_category_share = models.FloatField(LABELS["top_category_share"], null=True, blank=True)
    top_brand = models.CharField(LABELS["top_brand"], max_length=100, blank=True)
    top_brand_share = models.FloatField(LABELS["top_brand_share"], null=True, blank=True)
    price_level = models.FloatField(LABELS["price_level"], null=True, blank=True)
    n_sessions = models.PositiveIntegerField(LABELS["n_sessions"], default=0)
    n_active_days = models.PositiveIntegerField(LABELS["n_active_days"], default=0)
    n_views = models.PositiveIntegerField(LABELS["n_views"], default=0)
    n_searches = models.PositiveIntegerField(LABELS["n_searches"], default=0)
    n_cart_adds = models.PositiveIntegerField(LABELS["n_cart_adds"], default=0)
    viewed_category = models.CharField(LABELS["viewed_category"], max_length=100, blank=True)
    visit_hour = models.PositiveSmallIntegerField(LABELS["visit_hour"], null=True, blank=True)
    visit_weekday = models.PositiveSmallIntegerField(LABELS["visit_weekday"], null=True, blank=True)
    weekend_visit_share = models.FloatField(LABELS["weekend_visit_share"], null=True, blank=True)
    top_device = models.CharField(LABELS["top_device"], max_length=100, blank=True)
    mobile_share = models.FloatField(LABELS["mobile_share"], null=True, blank=True)
    top_channel = models.CharField(LABELS["top_channel"], max_length=100, blank=True)
    n_email_opens = models.PositiveIntegerField(LABELS["n_email_opens"], default=0)
    n_email_clicks = models.PositiveIntegerField(LABELS["n_email_clicks"], default=0)
    email_click_share = models.FloatField(LABELS["email_click_share"], null=True, blank=True)
    n_devices = models.PositiveIntegerField(LABELS["n_devices"], default=0)
    churn_risk = models.FloatField(LABELS["churn_risk"], null=True, blank=True)
    expected_value_minor = models.BigIntegerField(
        LABELS["expected_value_minor"], null=True, blank=True
    )
    churn_run = models.ForeignKey(
        "profiles.ScoreRun", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    value_run = models.ForeignKey(
        "profiles.ScoreRun", models.SET_NULL, null=True, blank=True, related_name="+"
    )
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

    recency_days = days_by("recency_days")
    tenure_days = days_by("tenure_days")
    next_order_days = days_by("next_order_days")
    last_seen_days = days_by("last_seen_days")
    warranty_days = days_by("warranty_days")
    upgrade_days = days_by("upgrade_days")
    last_answer_days = days_by("last_answer_days")

    objects = TraitsQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer traits")
        verbose_name_plural = _("customer traits")
        indexes = [
            models.Index(fields=["last_order_at"], name="traits_by_last_order"),
            models.Index(fields=["revenue_minor"], name="traits_by_revenue"),
            models.Index(fields=["persona"], name="traits_by_persona"),
            models.Index(fields=["due_at"], name="traits_due"),
        ]

    def __str__(self) -> str:
        return f"traits of customer {self.customer_id}"

    def seen_from(self, moment: datetime) -> CustomerTraits:
        """Count days at that moment from now on; nothing is stored."""
        self.as_of = moment
        return self
