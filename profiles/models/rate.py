from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Rate(models.Model):
    """What one unit of a currency is worth in another from a day on, until the next rate.

    `factor` is the same between minor units, in billionths: whole numbers, so that both
    databases convert to the same penny.
    """

    currency = models.CharField(_("currency"), max_length=3)
    to_currency = models.CharField(_("in"), max_length=3)
    valid_from = models.DateField(_("from"))
    rate = models.DecimalField(_("rate"), max_digits=20, decimal_places=10)
    factor = models.BigIntegerField(editable=False)

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        constraints = [
            # Also finds the rate of a day.
            models.UniqueConstraint(
                name="rate_once", fields=["currency", "to_currency", "valid_from"]
            ),
            models.CheckConstraint(name="rate_positive", condition=models.Q(rate__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.currency} in {self.to_currency} from {self.valid_from}"
