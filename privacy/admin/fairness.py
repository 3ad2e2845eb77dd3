"""The fairness page: each audit by one attribute, a chart with its table, and plain words."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from inference.estimate import Estimate
from privacy import fairness_audits
from privacy.fairness.findings import ENOUGH, Finding, Verdict
from privacy.fairness.groups import OTHERS
from privacy.fairness_audits import Audit, Audited
from privacy.purposes import purpose

ATTRIBUTES = {
    "age_band": pgettext_lazy("of people", "Age"),
    "gender": gettext_lazy("Gender"),
    "city": gettext_lazy("City"),
    "locale": gettext_lazy("Language"),
}
GROUPS = {
    "": gettext_lazy("Not known"),
    OTHERS: gettext_lazy("Others"),
    "female": gettext_lazy("Female"),
    "male": gettext_lazy("Male"),
    "other": gettext_lazy("Other"),
}
VERDICTS = {
    Verdict.REFERENCE: gettext_lazy("The highest; others are compared with it"),
    Verdict.EVEN: gettext_lazy("Alike"),
    Verdict.UNEVEN: gettext_lazy("Not alike, beyond chance"),
    Verdict.UNCLEAR: gettext_lazy("Not enough yet to tell"),
    Verdict.TOO_FEW: gettext_lazy("Too few people, not enough yet"),
    Verdict.UNKNOWN: gettext_lazy("Not compared"),
}


@dataclass(frozen=True)
class Row:
    """A group in the chart (how far from parity, in percent) and in the table beside it."""

    label: str
    n: int
    level: str
    text: str
    verdict: str
    estimate: float
    low: float
    high: float
    series: str = "1"


@dataclass(frozen=True)
class Card:
    name: str
    tone: str
    sentence: str
    rows: list[Row]
    charted: list[Row]


@staff_member_required
@permission_required("privacy.view_shop", raise_exception=True)
def fairness_page(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("by", "")
    attribute = asked if asked in ATTRIBUTES else "gender"
    now = timezone.now()
    with purpose("fairness.audit", actor=f"staff:{request.user.pk}", now=now, reason=attribute):
        audits = [
            (audit, [card(audit, one) for one in audit.run(attribute, now)])
            for audit in fairness_audits.audits()
        ]
    context = {
        **admin.site.each_context(request),
        "title": _("Fairness"),
        "attribute": attribute,
        "attributes": ATTRIBUTES.items(),
        "enough": ENOUGH,
        "audits": audits,
    }
    return render(request, "privacy/fairness.html", context)


def card(audit: Audit, audited: Audited) -> Card:
    """Tell what was found of each group: rows for the table, and those of them to chart."""
    rows = [_row(audit, finding) for finding in audited.findings]
    verdicts = {finding.verdict for finding in audited.findings}
    tone, sentence = _conclusion(verdicts)
    charted = [
        row for row, one in zip(rows, audited.findings, strict=True) if one.ratio is not None
    ]
    return Card(audited.name, tone, sentence, rows, charted)


def _conclusion(verdicts: set[Verdict]) -> tuple[str, str]:
    if Verdict.UNEVEN in verdicts:
        return "bad", _("At least one group is treated unlike the others, beyond chance.")
    if Verdict.UNCLEAR in verdicts:
        return "warn", _("Nothing is shown to be uneven, but some groups are too few to be sure.")
    if Verdict.EVEN in verdicts:
        return "good", _("All groups that are large enough are treated alike.")
    return "warn", _("Not enough yet: no two groups are large enough to compare.")


def _row(audit: Audit, finding: Finding) -> Row:
    ratio = finding.ratio or Estimate(1.0, 1.0, 1.0)
    off = ratio.plus(-1).times(100)
    level = f"{finding.level * 100:.1f} %" if audit.is_share else f"{finding.level:,.1f}"
    return Row(
        label=str(GROUPS.get(finding.group, finding.group)),
        n=finding.n,
        level=level,
        text="–"
        if finding.ratio is None
        else f"{ratio.value:.2f} ({ratio.low:.2f} – {ratio.high:.2f})",
        verdict=str(VERDICTS[finding.verdict]),
        estimate=off.value,
        low=off.low,
        high=off.high,
    )
