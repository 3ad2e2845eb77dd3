"""A report's conclusion in words: one sentence, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.utils import translation
from django.utils.translation import gettext as _

from campaigns.experiments.findings import (
    CONCLUSIONS,
    MIN_CUSTOMERS,
    MIN_HAPPENED,
    Code,
    Comparison,
    Metric,
)
from campaigns.experiments.money import Missing
from campaigns.measurement import Report
from inference.estimate import Estimate
from privacy.models import Shop
from profiles import figures

POINTS = 100
# A difference below one point needs a second decimal to be seen.
FINE = 0.01


def verdict_text(report: Report, language: str) -> str:
    """Say what can be concluded, in one sentence that carries the numbers and intervals."""
    with translation.override(language):
        words = _Words(language, report.currency)
        clauses = [_sales_clause(report, words), _roi_clause(report, words)]
        if report.verdict.clicks:
            clauses.append(_clicks_clause(report.verdict.clicks, words))
        # Translators: joins the clauses of a sentence, e.g. "No effect shown; A beats B".
        return _("%s.") % _("; ").join(clause for clause in clauses if clause)


def missing_text(reason: Missing, language: str) -> str:
    """Say why a report has no return on cost."""
    with translation.override(language):
        return {
            Missing.NO_HOLDOUT: _("Not known: nobody was held out to compare with."),
            Missing.TOO_FEW: _("Not known: too few customers bought."),
            Missing.NO_COST: _("No return on cost: the campaign has no cost."),
        }[reason]


class _Words(NamedTuple):
    language: str
    currency: str

    def points(self, fraction: float, *, fine: bool) -> str:
        pattern = "+#,##0.00;−#,##0.00" if fine else "+#,##0.0;−#,##0.0"
        return figures.number(fraction * POINTS, self.language, pattern)

    def money(self, minor: float) -> str:
        sign = "−" if minor < 0 else "+"
        return sign + figures.money(abs(minor), self.currency, self.language)

    def percent(self, fraction: float) -> str:
        return figures.number(fraction * POINTS, self.language, "+#,##0;−#,##0") + " %"

    def day(self, moment: datetime) -> str:
        zone = ZoneInfo(Shop.current().time_zone)
        return figures.day(moment.astimezone(zone).date(), self.language)


def _span(estimate: Estimate, say: Callable[[float], str]) -> dict[str, str]:
    return {
        "estimate": say(estimate.value),
        "low": say(estimate.low),
        "high": say(estimate.high),
    }


def _difference(one: Comparison, words: _Words) -> dict[str, str]:
    if one.metric == Metric.NET:
        return _span(one.difference, words.money)
    fine = max(abs(one.difference.low), abs(one.difference.high)) < FINE
    return _span(one.difference, lambda fraction: words.points(fraction, fine=fine))


def _sales_clause(report: Report, words: _Words) -> str:
    verdict = report.verdict
    if verdict.sales:
        template = _sales_template(verdict.code, verdict.sales.metric)
        return template % _difference(verdict.sales, words)
    return {
        Code.NOBODY: _("Nothing to measure yet: nobody is in the campaign"),
        Code.SPLIT_BROKEN: _(
            "No conclusion: the groups do not have the sizes they were set to, so something "
            "let customers in or out of one of them"
        ),
        Code.TOO_EARLY: _("Too early to tell: orders count until %(day)s, decide then"),
        Code.NO_HOLDOUT: _("The effect on sales is unknown, because nobody was held out"),
        Code.NOT_ENOUGH: _(
            "Not enough yet to tell an effect on sales: it takes %(buyers)s buyers, and "
            "%(customers)s customers both with a message and held out"
        ),
    }[verdict.code] % {
        "day": words.day(verdict.decide_on) if verdict.decide_on else "",
        "buyers": MIN_HAPPENED,
        "customers": MIN_CUSTOMERS,
    }


def _sales_template(code: Code, metric: Metric) -> str:
    spending = metric == Metric.NET
    return {
        Code.NO_EFFECT: _(
            "No effect on sales shown: %(low)s to %(high)s per customer, against those held out"
        )
        if spending
        else _(
            "No effect on sales shown: %(low)s to %(high)s points of customers who bought, "
            "against those held out"
        ),
        Code.MIXED: _(
            "More customers bought but they spent less, or the other way round: look at both "
            "numbers before deciding"
        ),
        Code.SALES_UP: _(
            "Customers spent more because of it: %(estimate)s each (%(low)s to %(high)s)"
        )
        if spending
        else _("More customers bought because of it: %(estimate)s points (%(low)s to %(high)s)"),
        Code.SALES_DOWN: _(
            "Customers spent less because of it: %(estimate)s each (%(low)s to %(high)s)"
        )
        if spending
        else _("Fewer customers bought because of it: %(estimate)s points (%(low)s to %(high)s)"),
    }[code]


def _roi_clause(report: Report, words: _Words) -> str:
    roi = report.verdict.roi
    if roi is None or report.verdict.code not in CONCLUSIONS - {Code.NO_EFFECT}:
        return ""
    template = (
        _("it earned its cost, with a return of %(estimate)s (%(low)s to %(high)s)")
        if roi.low > 0
        else _("a profit is not shown, with a return of %(estimate)s (%(low)s to %(high)s)")
    )
    return template % _span(roi, words.percent)


def _clicks_clause(one: Comparison, words: _Words) -> str:
    template = {
        1: _(
            "variant %(arm)s is clicked more often than %(baseline)s: %(estimate)s points "
            "(%(low)s to %(high)s)"
        ),
        -1: _(
            "variant %(arm)s is clicked less often than %(baseline)s: %(estimate)s points "
            "(%(low)s to %(high)s)"
        ),
        0: _(
            "no difference in clicks between %(baseline)s and %(arm)s shown: %(low)s to "
            "%(high)s points"
        ),
    }[one.difference.direction]
    return template % (_difference(one, words) | {"arm": one.arm, "baseline": one.baseline})
