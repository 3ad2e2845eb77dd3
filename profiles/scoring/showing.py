"""What pages and commands show of a score: words, figures with intervals, groups side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from inference.estimate import Estimate
from profiles import figures, trait_words
from profiles.models import CustomerTraits, ScoreRun
from profiles.models.score import Score
from profiles.scores import groups
from profiles.scores.groups import Counts, Meaning

if TYPE_CHECKING:
    from profiles.models import Customer

METRICS = {
    "brier": gettext_lazy("Error of the chances (Brier score, lower is better)"),
    "log_loss": gettext_lazy("Surprise at what came (log loss, lower is better)"),
    "auc": gettext_lazy("Who leaves ranks above who stays (AUC, higher is better)"),
    "deviance": gettext_lazy("Error of the money (Tweedie deviance, lower is better)"),
    "top_share": gettext_lazy("Money of the tenth ranked highest (higher is better)"),
}
KINDS = {
    "linear": gettext_lazy("weighted sum of facts"),
    "trees": gettext_lazy("boosted decision trees"),
}
CALIBRATIONS = {
    "isotonic": gettext_lazy("rising steps (isotonic)"),
    "sigmoid": gettext_lazy("an S-shaped curve (Platt)"),
    "factor": gettext_lazy("one factor for the season"),
}


@dataclass(frozen=True)
class Row:
    """One figure of one contestant for the chart, and for the table beside it."""

    metric: str
    label: str
    estimate: float
    low: float
    high: float
    text: str
    series: str


@dataclass(frozen=True)
class Point:
    """A part of the customers: foretold and come, as numbers for the chart and as text."""

    n: int
    foretold: float
    came: float
    low: float
    high: float
    label: str
    text: str
    interval: str

    @property
    def value(self) -> float:
        return self.came

    @property
    def mark(self) -> float:
        return self.foretold


def margins(run: ScoreRun) -> list[Row]:
    """The score, the recency rule and the margin between them, metric by metric."""
    names = (
        ("ours", _("This score"), "1"),
        ("rule", _("Recency rule"), "holdout"),
        ("margin", _("Margin over the rule"), "2"),
    )
    return [
        _row(metric, label, Estimate(**run.metrics[metric][who]), series)
        for metric in METRICS
        if metric in run.metrics
        for who, label, series in names
    ]


def _row(metric: str, label: str, found: Estimate, series: str) -> Row:
    text = f"{found.value:.4f} ({found.low:.4f} – {found.high:.4f})"
    return Row(str(METRICS[metric]), label, found.value, found.low, found.high, text, series)


def points(run: ScoreRun) -> list[Point]:
    """The parts of the reliability diagram."""
    return [
        Point(
            n=part["n"],
            foretold=part["foretold"],
            came=part["came"],
            low=part["low"],
            high=part["high"],
            label=amount(run, part["foretold"]),
            text=amount(run, part["came"]),
            interval=f"{amount(run, part['low'])} – {amount(run, part['high'])}",
        )
        for part in run.reliability
    ]  # fmt: skip


def amount(run: ScoreRun, value: float) -> str:
    """A score as people read it: percent or money."""
    language = get_language() or "en"
    if run.score == Score.CHURN_RISK:
        return figures.percent(value, language)
    return figures.money(round(value), run.currency, language)


def calibration_error(run: ScoreRun) -> str:
    n = sum(part["n"] for part in run.reliability)
    gaps = (part["n"] * abs(part["came"] - part["foretold"]) for part in run.reliability)
    return amount(run, sum(gaps) / n) if n else "–"


@dataclass(frozen=True)
class GroupRow:
    """A group of people in the fairness table."""

    name: str
    n: int
    foretold: str
    came: str
    gap: str
    chosen: str
    found: str
    uneven: tuple[str, ...]
    verdict: str


def counts(run: ScoreRun, attribute: str) -> dict[str, Counts]:
    kept: Mapping[str, Any] = run.fairness.get(attribute, {})
    return {name: Counts.from_json(one) for name, one in kept.items()}


def fairness(run: ScoreRun, attribute: str) -> list[GroupRow]:
    """What the score means for each group, whom it would choose, whom of the deserving it finds."""
    counted = counts(run, attribute)
    return [_group(run, attribute, one, counted[one.group]) for one in groups.meaning(counted)]


def _group(run: ScoreRun, attribute: str, one: Meaning, counted: Counts) -> GroupRow:
    language = get_language() or "en"
    start = f"{attribute}:{one.group}:"
    found = counted.n_found / counted.n_deserving if counted.n_deserving else None
    return GroupRow(
        name=one.group,
        n=one.n,
        foretold=amount(run, one.foretold),
        came=amount(run, one.came),
        gap="–"
        if one.gap is None
        else f"{amount(run, one.gap.value)} ({amount(run, one.gap.low)} – {amount(run, one.gap.high)})",
        chosen=figures.percent(counted.n_chosen / one.n, language),
        found="–" if found is None else figures.percent(found, language),
        uneven=tuple(what.removeprefix(start) for what in run.uneven if what.startswith(start)),
        verdict=one.verdict.value,
    )  # fmt: skip


def why_off(run: ScoreRun) -> str:
    """Why the run is not in use; empty if it is."""
    if run.is_active:
        return ""
    match run.verdict:
        case ScoreRun.Verdict.TOO_LITTLE_DATA:
            return _lacking(run.lacking, run.horizon_days)
        case ScoreRun.Verdict.NOT_BETTER:
            return _(
                "The interval of its margin over the recency rule includes 0, so a list of who"
                " bought longest ago serves as well. No customer has this score."
            )
    if run.unaccepted:
        return _(
            "It treats at least one group of people unlike the others, beyond chance. It is not"
            " used until somebody who may has read the report below and accepted it."
        )
    return _("A newer run took its place.")


def _lacking(lacking: Mapping[str, Any], days: int) -> str:
    facts = {"there": lacking["there"], "needed": lacking["needed"], "days": days}
    match lacking["code"]:
        case "customers":
            text = _(
                "A score is learnt from three windows of %(days)s days one after the other. In one"
                " of them only %(there)s customers had ordered before; it takes %(needed)s."
            )
        case "left":
            text = _(
                "In a window of %(days)s days only %(there)s customers bought nothing; to learn"
                " who leaves it takes %(needed)s."
            )
        case _:
            text = _(
                "In a window of %(days)s days only %(there)s earlier customers bought again; to"
                " learn who does it takes %(needed)s."
            )
    return text % facts


def as_text(run: ScoreRun) -> str:
    """The model card for a terminal."""
    lines = [
        _("%(score)s, run %(pk)s: %(verdict)s")
        % {
            "score": run.get_score_display(),
            "pk": run.pk,
            "verdict": run.get_verdict_display(),
        }
    ]
    if why := why_off(run):
        lines.append(f"  {why}")
    if run.metrics:
        told = ngettext("judged on %(n)s customer", "judged on %(n)s customers", run.n_judged)
        lines.append(
            f"  {KINDS[run.kind]}, {CALIBRATIONS[run.calibration]}, " + told % {"n": run.n_judged}
        )
    for metric, rows in groupby(margins(run), key=lambda row: row.metric):
        lines += [f"  {metric}", *(f"    {row.label}: {row.text}" for row in rows)]
    if run.reliability:
        lines.append(
            "  "
            + _("Foretold and come, by part (mean gap %(gap)s):") % {"gap": calibration_error(run)}
        )
    lines += [f"    {one.n:6} {one.label:>12} {one.text} ({one.interval})" for one in points(run)]
    uneven = ", ".join(run.uneven) or _("nothing, as far as groups are known")
    if run.metrics:
        lines.append("  " + _("Shown to be uneven: %(what)s") % {"what": uneven})
    if run.is_active:
        lines.append("  " + _("In use: %(n)s customers have it") % {"n": run.n_scored})
    return "\n".join(lines)  # fmt: skip


def panel(customer: Customer, _now: datetime) -> dict[str, Any]:
    """What the customer's page shows: each score with its meaning and run, or why there is none."""
    traits = (
        CustomerTraits.objects.filter(pk=customer.pk)
        .select_related("churn_run", "value_run")
        .first()
    )
    runs = {Score.CHURN_RISK: "churn_run", Score.EXPECTED_VALUE: "value_run"}
    shown = []
    for score, column in runs.items():
        run: ScoreRun | None = getattr(traits, column) if traits else None
        value = getattr(traits, score.value) if run else None
        words = trait_words.WORDS[score.value]
        shown.append(
            (
                score.label,
                amount(run, value) if run and value is not None else "",
                words.meaning,
                run,
            )
        )
    return {"scores": shown, "refused": customer.subject.no_profiling}  # fmt: skip
