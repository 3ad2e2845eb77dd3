from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class ScenarioQuerySet(models.QuerySet["Scenario"]):
    def at(self, placement: str) -> Scenario | None:
        """The scenario that serves a placement, if one does."""
        return self.filter(placement=placement, is_active=True).first()


class Scenario(models.Model):
    """What a place of the shop shows: where products come from, and which are left out."""

    class Kind(models.TextChoices):
        FOR_YOU = "for_you", _("For you")
        SIMILAR = "similar", _("Similar products")
        TOGETHER = "bought_together", _("Bought together")
        ACCESSORIES = "accessories", _("Accessories for what is owned")
        AGAIN = "buy_again", _("Buy again")
        VIEWED = "recently_viewed", _("Recently viewed")
        TRENDING = "trending", _("Trending")
        NEW = "new", _("New in the shop")
        CART = "cart", _("Goes with the cart")
        EMAIL = "email", _("For a message")

    placement = models.SlugField(
        _("placement"),
        max_length=64,
        unique=True,
        help_text=_("The name by which the shop's pages and messages ask for it."),
    )
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices, default=Kind.FOR_YOU)
    is_active = models.BooleanField(_("active"), default=True)
    in_stock_only = models.BooleanField(
        _("in stock only"),
        default=True,
        help_text=_("Leaves out products whose stock is 0; an empty stock counts as in stock."),
    )
    price_from_minor = models.BigIntegerField(_("price from"), null=True, blank=True)
    price_to_minor = models.BigIntegerField(_("price to"), null=True, blank=True)
    hides_owned = models.BooleanField(
        _("leave out what is owned"),
        default=True,
        help_text=_("Products that are bought again are shown all the same."),
    )
    hides_returned = models.BooleanField(_("leave out what was given back"), default=True)
    one_per_family = models.BooleanField(_("one product per model family"), default=True)
    diversity = models.FloatField(
        _("diversity"),
        default=0.2,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_("0 shows the best first, 1 whatever differs most from what is shown."),
    )
    never_shown = models.JSONField(_("never shown"), default=list, blank=True)
    pinned = models.JSONField(_("always first"), default=list, blank=True)
    fills_up = models.BooleanField(
        _("fill up"),
        default=True,
        help_text=_("Fills short lists with the customer's own list, then popular, then new ones."),
    )

    rules = models.JSONField(_("rules"), default=list, blank=True)
    version = models.PositiveIntegerField(_("version"), default=0, editable=False)

    objects = ScenarioQuerySet.as_manager()

    class Meta:
        verbose_name = _("placement")
        verbose_name_plural = _("placements")
        constraints = [
            models.CheckConstraint(
                name="scenario_price_band_in_order",
                condition=models.Q(price_from_minor__isnull=True)
                | models.Q(price_to_minor__isnull=True)
                | models.Q(price_from_minor__lte=models.F("price_to_minor")),
                violation_error_message=_("The lower price is above the upper one."),
            ),
            models.CheckConstraint(
                name="scenario_diversity_from_0_to_1",
                condition=models.Q(diversity__gte=0, diversity__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return self.placement


class ScenarioVersion(models.Model):
    """All settings of a placement as they stood from `made_at` on, until the next version."""

    scenario = models.ForeignKey(Scenario, models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField(_("version"))
    settings = models.JSONField(_("settings"))
    made_by = models.CharField(_("made by"), max_length=200, blank=True)
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("version of a placement")
        verbose_name_plural = _("versions of placements")
        constraints = [
            models.UniqueConstraint(name="scenario_version_once", fields=["scenario", "number"])
        ]

    def __str__(self) -> str:
        return f"{self.scenario_id} version {self.number}"
