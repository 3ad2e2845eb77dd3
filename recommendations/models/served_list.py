from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ServedList(models.Model):
    """What one answer of the API offered, by position. It names nobody.

    Who saw it is said by the `Recommendation Viewed` and `Recommendation Clicked` that carry its
    id, if the visitor lets such events be kept. `version` is the training run at work.
    `propensities` are the chances of each position to hold what it held; empty where nothing was
    drawn, so that each was certain.
    """

    recommendation_id = models.UUIDField(primary_key=True, editable=False)
    served_at = models.DateTimeField(_("served at"), db_index=True)
    placement = models.CharField(_("placement"), max_length=64)
    version = models.BigIntegerField(_("training run"), null=True)
    products = models.JSONField(_("products"), default=list)
    propensities = models.JSONField(
        _("propensities"), default=list, db_default=models.Value([], models.JSONField())
    )

    class Meta:
        verbose_name = _("served list")
        verbose_name_plural = _("served lists")

    def __str__(self) -> str:
        return str(self.recommendation_id)
