"""Fairness on a run's page, and the rules of what may serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy

from inference.estimate import Estimate
from privacy import audit
from privacy.admin.fairness import VERDICTS
from privacy.admin.viewing import ThemedAdmin
from privacy.fairness.findings import Verdict, judged
from recommendations import evenness
from recommendations.models import FairnessRules

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from recommendations.models import TrainingRun

HUNDRED: Final = 100
NOTHING: Final = "–"


@dataclass(frozen=True)
class QualityRow:
    """A group in the chart (how far from the others, in percent) and in the table beside it."""

    label: str
    n: int
    level: str
    gap: str
    text: str
    conclusion: StrOrPromise
    is_uneven: bool
    estimate: float
    low: float
    high: float
    series: str = "1"


@dataclass(frozen=True)
class ExposureRow:
    """A class of products: its part of the attention as a bar, its part of sales as the mark."""

    label: str
    n: int
    value: float
    mark: float
    text: str
    interval: str
    catalogue: str
    sales: str
    ratio: str


@dataclass(frozen=True)
class Card:
    name: StrOrPromise
    rows: list[Any]
    charted: list[Any]


def quality(run: TrainingRun) -> list[Card]:
    """How good the lists are for each group of people, a card for each attribute."""
    cards = []
    for kind, told in run.fairness.get("quality", {}).items():
        rows = [_quality_row(kind, one) for one in told]
        charted = [row for row in rows if row.text != NOTHING]
        cards.append(Card(evenness.KINDS[kind], rows, charted))
    return cards


def _quality_row(kind: str, told: dict[str, Any]) -> QualityRow:
    ratio = Estimate(**told["ratio"]) if told["ratio"] else None
    verdict = Verdict.UNKNOWN if not told["group"] else Verdict.TOO_FEW
    if ratio is not None:
        verdict = judged(ratio, both_ways=False)
    off = (ratio or Estimate(1.0, 1.0, 1.0)).plus(-1).times(HUNDRED)
    return QualityRow(
        label=evenness.group_words(kind, told["group"]),
        n=told["n"],
        level="{value:.3f} ({low:.3f} – {high:.3f})".format(**told["level"]),
        gap="{value:+.3f} ({low:+.3f} – {high:+.3f})".format(**told["gap"])
        if told["gap"]
        else NOTHING,
        text=evenness.in_words(ratio) if ratio else NOTHING,
        conclusion=VERDICTS[verdict],
        is_uneven=verdict is Verdict.UNEVEN,
        estimate=off.value,
        low=off.low,
        high=off.high,
    )


def exposure(run: TrainingRun) -> list[Card]:
    """What brands, price bands and sizes of sellers get of all attention, a card for each."""
    cards = []
    for kind, told in run.fairness.get("exposure", {}).items():
        rows = [_exposure_row(kind, one) for one in told]
        cards.append(Card(evenness.KINDS[kind], rows, rows))
    return cards


def _exposure_row(kind: str, told: dict[str, Any]) -> ExposureRow:
    level, part = told["exposure"], {key: HUNDRED * told[key] for key in ("catalogue", "sales")}
    value, low, high = (HUNDRED * level[key] for key in ("value", "low", "high"))
    return ExposureRow(
        label=evenness.group_words(kind, told["group"]),
        n=told["n_products"],
        value=value,
        mark=part["sales"],
        text=f"{value:.1f} %",
        interval=f"{value:.1f} % ({low:.1f} – {high:.1f})",
        catalogue=f"{part['catalogue']:.1f} %",
        sales=f"{part['sales']:.1f} %",
        ratio=evenness.in_words(Estimate(**told["ratio"])) if told["ratio"] else NOTHING,
    )


@admin.register(FairnessRules)
class FairnessRulesAdmin(ThemedAdmin[FairnessRules]):
    """The one row of rules: its list is its page."""

    fieldsets = [
        (gettext_lazy("Lists for groups of people"), {"fields": ["shortfall_percent"]}),
        (gettext_lazy("Exposure of products"), {"fields": ["exposure_percent"]}),
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        FairnessRules.objects.get_or_create(pk=1)
        return redirect("admin:recommendations_fairnessrules_change", 1)

    def save_model(
        self,
        request: HttpRequest,
        obj: FairnessRules,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_model(request, obj, form, change)
        audit.append(
            "fairness_rules.changed",
            actor=f"staff:{request.user.pk}",
            at=timezone.now(),
            purpose="fairness.audit",
            reason=f"shortfall {obj.shortfall_percent}, exposure {obj.exposure_percent}",
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
