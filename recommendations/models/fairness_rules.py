from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class FairnessRules(models.Model):
    """What may not be served; one row, which lacks until somebody sets it."""

    shortfall_percent = models.PositiveSmallIntegerField(
        _("most that a group's lists may be worse, %"),
        null=True,
        blank=True,
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(99)],
        help_text=_(
            "A run does not serve if the lists of a group by age, gender or place are shown to be "
            "worse than everybody else's by more. Empty for no such rule."
        ),
    )
    exposure_percent = models.PositiveSmallIntegerField(
        _("least exposure of a kind of seller or price, % of its part of sales"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_(
            "A run does not serve if large, middle or small sellers, or a price band, are shown "
            "to get less than this. Empty for no such rule."
        ),
    )

    class Meta:
        verbose_name = _("fairness rules")
        verbose_name_plural = _("fairness rules")
        constraints = [
            models.CheckConstraint(name="fairness_rules_are_the_only_row", condition=models.Q(pk=1))
        ]

    def __str__(self) -> str:
        return gettext("Fairness rules")

    @classmethod
    def current(cls) -> FairnessRules:
        """Return the shop's rules, or those that hold until it sets its own."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)
