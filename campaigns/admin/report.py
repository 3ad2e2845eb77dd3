"""The report: first what can be concluded, then the charts, then every number in a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns import asking, measurement, wording
from campaigns.experiments.assignment import HOLDOUT
from campaigns.experiments.findings import Code, Metric
from campaigns.measurement import ArmReport, Point, Report
from campaigns.models import Campaign
from inference.estimate import Estimate
from profiles import figures

LABELS = {
    Metric.CLICKS: gettext_lazy("Click rate"),
    Metric.BUYERS: gettext_lazy("Conversion"),
    Metric.NET: gettext_lazy("Net revenue per customer"),
}
TONES = {Code.SALES_UP: "good", Code.SALES_DOWN: "bad", Code.SPLIT_BROKEN: "bad"}


@dataclass(frozen=True)
class Mark:
    """One row of an interval chart and of the table beside it."""

    label: str
    estimate: float
    low: float
    high: float
    text: str
    series: str


@dataclass(frozen=True)
class Chart:
    title: str
    marks: list[Mark]


@permission_required("campaigns.view_campaign", raise_exception=True)
def report_page(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    found = measurement.report(campaign, timezone.now())
    language = get_language() or "en"
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "report": found,
        "verdict": wording.verdict_text(found, language),
        "tone": TONES.get(found.verdict.code, "warn"),
        "missing": wording.missing_text(found.earned.missing, language)
        if found.earned.missing
        else "",
        "aim": LABELS[found.aim],
        "aimed": [(_name_of(point), _text(found, point)) for point in found.aimed],
        "rates": _charts(found, found.rates, _arm_label),
        "differences": difference_charts(found),
        "counting": asking.counting(pk),
        "arms": arms_of(found),
    }
    return render(request, "campaigns/admin/report.html", context)


@require_POST
@permission_required("campaigns.change_campaign", raise_exception=True)
def recount_action(_request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a count now, for whoever does not want to wait for the hourly one."""
    campaign = get_object_or_404(Campaign, pk=pk)
    asking.ask_for_count(timezone.now(), campaign=campaign.pk)
    return redirect("admin:campaigns_campaign_report", pk)


@require_GET
@permission_required("campaigns.view_campaign", raise_exception=True)
def counting_part(request: HttpRequest, pk: int) -> HttpResponse:
    """The report's note of a count under way; loads the report anew when it has ended."""
    job = asking.counting(pk)
    answer = render(request, "campaigns/admin/counting.html", {"counting": job, "pk": pk})
    if job is None:
        answer["HX-Refresh"] = "true"
    return answer


def difference_charts(report: Report) -> list[Chart]:
    return _charts(report, report.differences, _difference_label)


def arms_of(report: Report) -> list[tuple[str, ArmReport]]:
    return [(_arm_name(arm.key), arm) for arm in report.arms]


def _charts(
    report: Report, points: tuple[Point, ...], label: Callable[[Point], str]
) -> list[Chart]:
    """One chart a metric, since their units differ; the goal's first."""
    return [
        Chart(
            str(LABELS[metric]),
            [
                Mark(
                    label(point),
                    point.estimate.value,
                    point.estimate.low,
                    point.estimate.high,
                    _text(report, point),
                    _series(point.arm),
                )
                for point in points
                if point.metric == metric
            ],
        )
        for metric in sorted(Metric, key=lambda one: one != report.aim)
        if any(point.metric == metric for point in points)
    ]


def _text(report: Report, point: Point) -> str:
    """The estimate with its interval: money, percent, or percentage points between two arms."""
    language = get_language() or "en"
    if point.metric == Metric.NET:
        return _with_interval(
            point.estimate,
            lambda minor: (
                ("+" if point.baseline and minor > 0 else "")
                + figures.money(minor, report.currency, language)
            ),
        )
    pattern = "+#,##0.0;-#,##0.0" if point.baseline else "#,##0.0"
    found = _with_interval(
        point.estimate, lambda rate: figures.number(rate * 100, language, pattern)
    )
    return _("%(n)s points") % {"n": found} if point.baseline else f"{found} %"


def _with_interval(estimate: Estimate, say: Callable[[float], str]) -> str:
    return f"{say(estimate.value)} ({say(estimate.low)} – {say(estimate.high)})"


def _arm_name(key: str) -> str:
    return _("Holdout") if key == HOLDOUT else _("Variant %(key)s") % {"key": key}


def _arm_label(point: Point) -> str:
    return _arm_name(point.arm)


def _difference_label(point: Point) -> str:
    if point.baseline == HOLDOUT:
        return _("All messages against the holdout")
    return _("%(arm)s against %(baseline)s") % {"arm": point.arm, "baseline": point.baseline}


def _name_of(point: Point) -> str:
    return _difference_label(point) if point.baseline else _arm_label(point)


def _series(arm: str) -> str:
    if arm == HOLDOUT:
        return "holdout"
    return str("ABCD".index(arm) + 1) if arm in tuple("ABCD") else "3"
