from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ClusteringRun(models.Model):
    """One clustering of all customers: how it was made, how good it is, what has changed.

    `inertia` is the mean squared distance of customers to their centre on the run's own scales,
    `model` those scales and centres. `compared` tells of the run before, `drift` how customers
    have shifted among the personas of a run weeks ago; both empty where there is none.
    """

    as_of = models.DateTimeField(_("as of"))
    created_at = models.DateTimeField(_("created at"))
    currency = models.CharField(_("currency"), max_length=3)
    n_customers = models.PositiveIntegerField(_("customers"))
    n_clusters = models.PositiveSmallIntegerField(_("clusters"))
    silhouette = models.FloatField(_("silhouette"), null=True)
    stability = models.FloatField(_("bootstrap ARI"), null=True)
    evidence = models.JSONField(_("evidence for the number of clusters"), default=dict)
    inertia = models.FloatField(_("inertia"), null=True)
    model = models.JSONField(_("model"), default=dict)
    next_key = models.PositiveIntegerField(_("next key of a persona"), default=1)
    compared = models.JSONField(_("compared with the run before"), default=dict)
    drift = models.JSONField(_("drift"), default=dict)
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

    Number 1 is the cluster with the highest revenue per customer. `key` is the persona's own
    and stays from run to run; those of runs from before keys were kept have none. `centre` holds medians of
    traits, `title` the codes of the words that name it, `facts` every word the data carry
    with the share behind it, `products` what its customers spend most on.
    """

    run = models.ForeignKey("profiles.ClusteringRun", models.CASCADE, related_name="personas")
    number = models.PositiveSmallIntegerField(_("number"))
    key = models.PositiveIntegerField(_("key"), null=True)
    n_customers = models.PositiveIntegerField(_("customers"))
    share = models.FloatField(_("share of all customers"))
    revenue_share = models.FloatField(_("share of all revenue"))
    centre = models.JSONField(_("centre"), default=dict)
    title = models.JSONField(_("title"), default=list)
    facts = models.JSONField(_("facts"), default=list)
    products = models.JSONField(_("top products"), default=list)

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        constraints = [
            models.UniqueConstraint(name="persona_number_in_run", fields=["run", "number"]),
            models.UniqueConstraint(name="persona_key_in_run", fields=["run", "key"]),
        ]
        # How a persona has grown over the runs.
        indexes = [models.Index(fields=["key", "run"], name="persona_by_key")]

    def __str__(self) -> str:
        return f"persona {self.number} of run {self.run_id}"

    @property
    def shown_number(self) -> int:
        """The number people know it by: its key, or its place in a run that kept no keys."""
        return self.key or self.number
