from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ClusteringRun(models.Model):
    """One clustering of all customers: how it was made and how good it is."""

    as_of = models.DateTimeField(_("as of"))
    created_at = models.DateTimeField(_("created at"))
    currency = models.CharField(_("currency"), max_length=3)
    n_customers = models.PositiveIntegerField(_("customers"))
    n_clusters = models.PositiveSmallIntegerField(_("clusters"))
    silhouette = models.FloatField(_("silhouette"), null=True)
    stability = models.FloatField(_("bootstrap ARI"), null=True)
    evidence = models.JSONField(_("evidence for the number of clusters"), default=dict)
    is_current = models.BooleanField(_("current"), default=False)

    class Meta:
        verbose_name = _("clustering run")
        verbose_name_plural = _("clustering runs")
        constraints = [
            models.UniqueConstraint(
                name="clustering_run_one_current",
                fields=["is_current"],
                condition=models.Q(is_current=True),
            )
        ]

    def __str__(self) -> str:
        return f"run {self.pk} as of {self.as_of:%Y-%m-%d}"


class Persona(models.Model):
    """A cluster of customers as facts and codes; words are made when it is shown.

    Number 1 is the cluster with the highest revenue per customer. `centre` holds medians of
    traits, `title` the codes of the words that name it, `facts` every word the data carry
    with the share behind it.
    """

    run = models.ForeignKey("profiles.ClusteringRun", models.CASCADE, related_name="personas")
    number = models.PositiveSmallIntegerField(_("number"))
    n_customers = models.PositiveIntegerField(_("customers"))
    share = models.FloatField(_("share of all customers"))
    revenue_share = models.FloatField(_("share of all revenue"))
    centre = models.JSONField(_("centre"), default=dict)
    title = models.JSONField(_("title"), default=list)
    facts = models.JSONField(_("facts"), default=list)

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        constraints = [
            models.UniqueConstraint(name="persona_number_in_run", fields=["run", "number"])
        ]

    def __str__(self) -> str:
        return f"persona {self.number} of run {self.run_id}"
