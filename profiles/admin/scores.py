from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from privacy.admin.fairness import ATTRIBUTES, GROUPS, VERDICTS
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.fairness.findings import Verdict
from profiles import asking
from profiles.models import ScoreRun
from profiles.models.score import Score
from profiles.scoring import accepting, showing

STRONGEST = 8
UNEVEN = {
    "selection": gettext_lazy("chosen less often"),
    "opportunity": gettext_lazy("found less often"),
    "meaning": gettext_lazy("means something else"),
}


@admin.register(ScoreRun)
class ScoreRunAdmin(ViewOnlyAdmin[ScoreRun]):
    """Model cards of scores: each run's row leads to what it is worth and whether it is fair."""

    list_display = ["created_at", "score", "as_of", "verdict", "is_active", "n_scored"]
    list_filter = ["score", "verdict", "is_active"]
    ordering = ["-created_at", "-pk"]
    list_before_template = "profiles/scores_head.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("train/", wrap(train_action), name="profiles_scorerun_train"),
            path("<int:pk>/change/", wrap(run_page), name="profiles_scorerun_change"),
            path("<int:pk>/accept/", wrap(accept_action), name="profiles_scorerun_accept"),
            *super().get_urls(),
        ]


@permission_required("profiles.view_scorerun", raise_exception=True)
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """What a score is worth on the last window, whether it means what it says, and to whom."""
    run = get_object_or_404(ScoreRun, pk=pk)
    asked = request.GET.get("by", "")
    attribute = asked if asked in ATTRIBUTES else "gender"
    strongest = sorted(run.weights.items(), key=lambda item: -abs(item[1]))[:STRONGEST]
    context = {
        **admin.site.each_context(request),
        "title": run.get_score_display(),
        "run": run,
        "is_churn": run.score == Score.CHURN_RISK,
        "why_off": showing.why_off(run),
        "may_accept": _is_newest(run)
        and run.verdict == ScoreRun.Verdict.BETTER
        and bool(run.unaccepted)
        and request.user.has_perm("profiles.accept_scorerun"),
        "margins": showing.margins(run),
        "points": showing.points(run),
        "calibration_error": showing.calibration_error(run),
        "attribute": attribute,
        "attributes": ATTRIBUTES.items(),
        "groups": [_told(row) for row in showing.fairness(run, attribute)],
        "kind": showing.KINDS.get(run.kind, run.kind),
        "calibration": showing.CALIBRATIONS.get(run.calibration, run.calibration),
        "weights": strongest,
    }
    return render(request, "profiles/score.html", context)


def _told(row: showing.GroupRow) -> dict[str, Any]:
    return {
        **vars(row),
        "name": GROUPS.get(row.name, row.name),
        "uneven": [UNEVEN[what] for what in row.uneven],
        "verdict": VERDICTS[Verdict(row.verdict)],
    }


def _is_newest(run: ScoreRun) -> bool:
    newest = ScoreRun.objects.filter(score=run.score).newest_first().first()
    return newest is not None and newest.pk == run.pk


@require_POST
def train_action(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("profiles.change_scorerun"):
        raise PermissionDenied
    asking.ask_for_scores(timezone.now())
    return redirect("admin:jobs_job_changelist")


@require_POST
def accept_action(request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perm("profiles.accept_scorerun"):
        raise PermissionDenied
    run = get_object_or_404(ScoreRun, pk=pk, verdict=ScoreRun.Verdict.BETTER)
    accepting.accept(run, actor=f"staff:{request.user.pk}", now=timezone.now())
    messages.success(request, _("Accepted. The score is used after the training that was started."))
    return redirect("admin:profiles_scorerun_change", pk)
