from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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

from privacy.admin.access import actors_in_words
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.problems import DomainError
from recommendations import activation, asking, evenness
from recommendations.admin import fairness
from recommendations.admin.inspector import inspect_page
from recommendations.models import TrainingRun
from recommendations.models.run import engine_in_words

METRICS = {
    "ndcg@10": gettext_lazy("Right products near the top (nDCG@10)"),
    "recall@20": gettext_lazy("Later purchases found in 20 (recall@20)"),
    "coverage@20": gettext_lazy("Part of the catalogue shown (coverage@20)"),
}


UNSHOWN = {"engine", "weight", "as_of", "near", "parts"}


@dataclass(frozen=True)
class Judged:
    """One metric of one engine, for the chart and the table beside it."""

    metric: str
    label: str
    estimate: float
    low: float
    high: float
    text: str
    series: str


def judged(run: TrainingRun) -> list[Judged]:
    """The run's metrics beside those of 28-day popularity, metric by metric."""
    engines = (
        (engine_in_words(run.engine), run.metrics, "1"),
        (_("28-day popularity"), run.baseline_metrics, "holdout"),
    )
    return [
        _judged(name, engine, metrics[name], series)
        for name in METRICS
        for engine, metrics, series in engines
        if name in metrics
    ]


def _judged(metric: str, engine: str, found: dict[str, float], series: str) -> Judged:
    value = found["value"]
    low, high = found.get("low", value), found.get("high", value)
    return Judged(
        metric=str(METRICS[metric]),
        label=engine,
        estimate=value,
        low=low,
        high=high,
        text=_with_interval(value, low, high),
        series=series,
    )


@dataclass(frozen=True)
class Compared:
    """One engine of a training: how good, how dear, and its share in what serves."""

    name: str
    quality: str
    cpu_seconds: float
    weight: float | None
    parameters: list[tuple[str, Any]]


def compared(run: TrainingRun) -> list[Compared]:
    """The engines that were compared, with the parameters of those that serve."""
    serving = {part["engine"]: part for part in run.parameters.get("parts", [run.parameters])}
    rows = []
    for name, found in run.comparison.get("engines", {}).items():
        part = serving.get(name, {})
        quality = found["ndcg@10"]
        rows.append(
            Compared(
                name=engine_in_words(name),
                quality=_with_interval(quality["value"], quality["low"], quality["high"]),
                cpu_seconds=found["cpu_seconds"],
                weight=part.get("weight"),
                parameters=[one for one in part.items() if one[0] not in UNSHOWN],
            )
        )
    return rows


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ({low:.3f} – {high:.3f})" if low < high else f"{value:.3f}"


def beside_active(run: TrainingRun) -> dict[str, Any] | None:
    """How the new settings compared with those of the run that served, if one did."""
    found = run.comparison.get("active")
    if found is None:
        return None
    of = found["ndcg@10"]
    return {**found, "difference": f"{of['value']:+.3f} ({of['low']:+.3f} – {of['high']:+.3f})"}


@admin.register(TrainingRun)
class TrainingRunAdmin(ViewOnlyAdmin[TrainingRun]):
    """Model cards: each run's list row leads to what it was made of and how good it is."""

    list_display = [
        "created_at",
        "engine_told",
        "as_of",
        "verdict",
        "is_active",
        "n_customers",
        "n_products",
    ]
    list_filter = ["verdict", "is_active"]
    ordering = ["-created_at", "-pk"]
    list_before_template = "recommendations/runs_head.html"

    @admin.display(description=gettext_lazy("engine"), ordering="engine")
    def engine_told(self, run: TrainingRun) -> str:
        return engine_in_words(run.engine)

    def get_urls(self) -> list[URLPattern]:
        pages: dict[str, tuple[Callable[..., HttpResponse], str]] = {
            "inspect/": (inspect_page, "inspect"),
            "train/": (train_action, "train"),
            "popularity/": (popularity_action, "popularity"),
            "<int:pk>/serve/": (serve_action, "serve"),
            "<int:pk>/change/": (run_page, "change"),
        }
        own = [
            path(
                route,
                self.admin_site.admin_view(view),
                name=f"recommendations_trainingrun_{name}",
            )
            for route, (view, name) in pages.items()
        ]
        return [*own, *super().get_urls()]


@permission_required("recommendations.view_trainingrun", raise_exception=True)
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(TrainingRun, pk=pk)
    context = {
        **admin.site.each_context(request),
        "title": _("Training run"),
        "run": run,
        "judged": judged(run),
        "engines": compared(run),
        "beside_active": beside_active(run),
        "held_back": evenness.beyond(run),
        "quality": fairness.quality(run),
        "exposure": fairness.exposure(run),
        "activated_by": actors_in_words([run.activated_by])[run.activated_by],
        "may_serve": not run.is_active and activation.may_serve(run),
    }
    return render(request, "recommendations/run.html", context)


@require_POST
def serve_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a run serve from now on: the way back to an older one."""
    _require_change(request)
    run = get_object_or_404(TrainingRun, pk=pk)
    try:
        activation.activate(run, now=timezone.now(), actor=f"staff:{request.user.pk}")
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect("admin:recommendations_trainingrun_change", pk)


@require_POST
def popularity_action(request: HttpRequest) -> HttpResponse:
    """Take the active run out of service; what is popular serves."""
    _require_change(request)
    activation.let_popularity_serve(now=timezone.now(), actor=f"staff:{request.user.pk}")
    messages.success(request, _("No model serves now; placements show popular products."))
    return redirect("admin:recommendations_trainingrun_changelist")


def _require_change(request: HttpRequest) -> None:
    if not request.user.has_perm("recommendations.change_trainingrun"):
        raise PermissionDenied


@require_POST
def train_action(request: HttpRequest) -> HttpResponse:
    _require_change(request)
    asking.ask_for_training(timezone.now())
    return redirect("admin:jobs_job_changelist")
