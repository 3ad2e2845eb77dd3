from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

ENGINES: Final[dict[str, StrPromise]] = {
    "popular": _("All-time popularity"),
    "popular_28": _("28-day popularity"),
    "user_based": _("Customers alike"),
    "item_based": _("Bought by the same people"),
    "ease": _("Regression (EASE)"),
    "local_ridge": _("Local regression"),
    "next_item": _("What was bought next"),
    "content": _("Descriptions alike"),
    "blend": _("Blend"),
}


def engine_in_words(name: str) -> str:
    """Return what an engine is called on pages, its own name if it has no words."""
    return str(ENGINES.get(name, name))


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def active(self) -> TrainingRun | None:
        """Return the run whose lists are served; without one, popularity serves."""
        return self.filter(is_active=True).first()

    def at_work(self) -> TrainingRun | None:
        """The same without the figures of its card, for every list that is asked for."""
        return self.filter(is_active=True).only("engine").first()

    def newest_first(self) -> TrainingRunQuerySet:
        return self.order_by("-created_at", "-pk")


class TrainingRun(models.Model):
    """A model card: what was trained on what, how good it is, whether it serves.

    `metrics` and `baseline_metrics` hold {"ndcg@10": {"value", "low", "high"}, ...} of the
    last window; `comparison` holds the paired difference and how many were judged. `fairness`
    holds figures of groups: {"quality": {attribute: [...]}, "exposure": {...}}.
    """

    class Verdict(models.TextChoices):
        BEATS_POPULAR = "beats_popular", _("Better than 28-day popularity")
        NOT_BETTER = "not_better", _("Not shown to be better than 28-day popularity")
        TOO_LITTLE_DATA = "too_little_data", _("Too little data to judge")

    engine = models.CharField(_("engine"), max_length=40)
    as_of = models.DateTimeField(_("as of"))
    learned_from = models.DateTimeField(_("first purchase"), null=True, blank=True)
    code_version = models.CharField(_("code"), max_length=40, blank=True)
    parameters = models.JSONField(_("parameters"), default=dict)
    metrics = models.JSONField(_("metrics"), default=dict)
    baseline_metrics = models.JSONField(_("metrics of 28-day popularity"), default=dict)
    comparison = models.JSONField(_("comparison"), default=dict)
    fairness = models.JSONField(_("fairness"), default=dict)
    n_customers = models.PositiveIntegerField(_("customers"))
    n_guest_baskets = models.PositiveIntegerField(_("guest baskets"), default=0)
    n_products = models.PositiveIntegerField(_("products"))
    n_interactions = models.PositiveIntegerField(_("interactions"))
    cpu_seconds = models.FloatField(_("CPU seconds"))
    peak_rss_mb = models.FloatField(_("peak memory (MB)"))
    is_active = models.BooleanField(_("active"), default=False)
    verdict = models.CharField(_("verdict"), max_length=40, choices=Verdict.choices)
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("lists written at"), null=True, blank=True)
    activated_at = models.DateTimeField(_("activated at"), null=True, blank=True)
    activated_by = models.CharField(_("activated by"), max_length=40, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        constraints = [
            models.UniqueConstraint(
                name="training_run_one_active",
                fields=["is_active"],
                condition=models.Q(is_active=True),
            ),
            models.CheckConstraint(
                name="training_run_active_has_lists",
                condition=models.Q(is_active=False)
                | models.Q(finished_at__isnull=False, activated_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(engine)s, run %(number)s") % {
            "engine": engine_in_words(self.engine),
            "number": self.pk,
        }
