from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Score(models.TextChoices):
    """What is foretold of a customer; the trait that holds it has the same name."""

    CHURN_RISK = "churn_risk", _("Churn risk")
    EXPECTED_VALUE = "expected_value_minor", _("Expected value")


class ScoreRunQuerySet(models.QuerySet["ScoreRun"]):
    def active(self, score: str) -> ScoreRun | None:
        """Return the run whose scores customers have."""
        return self.filter(score=score, is_active=True).first()

    def newest_first(self) -> ScoreRunQuerySet:
        return self.order_by("-created_at", "-pk")


class ScoreRun(models.Model):
    """A model card of a score: how it was made, what it is worth, whether it is in use.

    `metrics` hold for each metric {"ours", "rule", "margin"} with {"value", "low", "high"},
    `reliability` parts of {"n", "foretold", "came", "low", "high"}, `fairness` by attribute and
    group what `scores.groups.Counts` counts, all of the last window, which neither fitting nor
    calibration saw. `uneven` names what is shown to be unfair, `accepted` what staff let pass.
    """

    class Verdict(models.TextChoices):
        BETTER = "better", _("Better than the recency rule")
        NOT_BETTER = "not_better", _("Not shown to be better than the recency rule")
        TOO_LITTLE_DATA = "too_little_data", _("Too little data to judge")

    score = models.CharField(_("score"), max_length=20, choices=Score.choices)
    as_of = models.DateTimeField(_("as of"))
    created_at = models.DateTimeField(_("created at"))
    horizon_days = models.PositiveSmallIntegerField(_("days foretold"))
    currency = models.CharField(_("currency"), max_length=3)
    kind = models.CharField(_("model"), max_length=20, blank=True)
    calibration = models.CharField(_("calibration"), max_length=20, blank=True)
    weights = models.JSONField(_("weights"), default=dict)
    n_fitted = models.PositiveIntegerField(_("customers fitted on"), default=0)
    n_calibrated = models.PositiveIntegerField(_("customers calibrated on"), default=0)
    n_judged = models.PositiveIntegerField(_("customers judged on"), default=0)
    n_scored = models.PositiveIntegerField(_("customers scored"), default=0)
    metrics = models.JSONField(_("metrics"), default=dict)
    reliability = models.JSONField(_("reliability"), default=list)
    fairness = models.JSONField(_("fairness"), default=dict)
    uneven = models.JSONField(_("shown to be uneven"), default=list)
    accepted = models.JSONField(_("accepted though uneven"), default=list)
    verdict = models.CharField(_("verdict"), max_length=20, choices=Verdict.choices)
    lacking = models.JSONField(_("what is lacking"), default=dict)
    is_active = models.BooleanField(_("in use"), default=False)
    activated_at = models.DateTimeField(_("in use since"), null=True, blank=True)

    objects = ScoreRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("score")
        verbose_name_plural = _("scores")
        permissions = [("accept_scorerun", "Can let a score be used though it is uneven")]
        constraints = [
            models.UniqueConstraint(
                name="score_run_one_active",
                fields=["score"],
                condition=models.Q(is_active=True),
            ),
            models.CheckConstraint(
                name="score_run_active_is_better",
                condition=models.Q(is_active=False)
                | models.Q(verdict="better", activated_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.score} run {self.pk}"

    @property
    def unaccepted(self) -> list[str]:
        """What is uneven and nobody has let pass yet; while there is any, it is not used."""
        return sorted(set(self.uneven) - set(self.accepted))
