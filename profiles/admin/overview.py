from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from privacy.admin.viewing import shop_of
from profiles import figures
from profiles.lifecycle import months, rfm
from profiles.lifecycle.months import Cohort, Kept, Month
from profiles.lifecycle.rfm import Across, Band, Grid
from profiles.segment_rules import Tree

ACROSS = {
    Across.FREQUENCY: gettext_lazy("Recency by orders"),
    Across.MONEY: gettext_lazy("Recency by money"),
}


@dataclass(frozen=True)
class Column:
    """A month of the chart: first-time buyers below, returning ones above."""

    label: str
    values: tuple[int, ...]
    text: str


@permission_required("profiles.view_customer", raise_exception=True)
def overview_page(request: HttpRequest) -> HttpResponse:
    """How the shop's customers do as a whole: new and returning, cohorts, the RFM grid."""
    now, shop = timezone.now(), shop_of(request)
    across = _across(request.GET.get("by", ""))
    found = months.lifecycle(now, shop.zone)
    context = {
        **admin.site.each_context(request),
        "title": _("Customers overview"),
        "found": found,
        "columns": [_column(month) for month in found.months],
        "legend": [_("First order"), _("Bought before")],
        "cohorts": [_cohort(cohort) for cohort in found.cohorts],
        "offsets": range(1, months.SHOWN + 1),
        "across": across,
        "tabs": ACROSS.items(),
        "grid": _shown(rfm.grid(across, now), shop.currency),
        "may_segment": request.user.has_perm("profiles.add_segment"),
    }
    return render(request, "profiles/customers_overview.html", context)


def _across(asked: str) -> Across:
    return Across.MONEY if asked == Across.MONEY else Across.FREQUENCY


def month_name(on: date) -> str:
    return f"{on:%Y-%m}"


def _column(month: Month) -> Column:
    text = ngettext("%(n)s customer", "%(n)s customers", month.n) % {"n": month.n}
    return Column(month_name(month.on), (month.n_new, month.n_returning), text)


def _cohort(cohort: Cohort) -> dict[str, Any]:
    name = {"month": month_name(cohort.on)}
    return {
        "cohort": cohort,
        "month": name["month"],
        "empty": range(months.SHOWN - len(cohort.kept)),
        "kept": [_kept(cohort, kept) for kept in cohort.kept],
        "url": prefilled(_("First order in %(month)s") % name, cohort.rule),
        "url_once": prefilled(
            _("First order in %(month)s and none in a later month") % name, cohort.rule_once
        ),
    }


def _kept(cohort: Cohort, kept: Kept) -> dict[str, Any]:
    name = _("First order in %(month)s, again in %(later)s") % {
        "month": month_name(cohort.on),
        "later": month_name(kept.on),
    }
    return {
        "of": kept,
        "heat": round(100 * kept.rate),
        "name": name,
        "url": prefilled(name, kept.rule),
    }


def prefilled(name: str, rule: Tree) -> str:
    """The page of a new segment, with its name and rule filled in."""
    query = urlencode({"name": name, "rule": json.dumps(rule)})
    return f"{reverse('admin:profiles_segment_add')}?{query}"


def _shown(grid: Grid, currency: str) -> dict[str, Any]:
    most = max((cell.share for _row, cells in grid.rows for cell in cells), default=0) or 1
    return {
        "n": grid.n_customers,
        "columns": [_other(grid.across, column, currency) for column in grid.columns],
        "rows": [
            (_days(row), list(_cells(grid, cells, most, currency))) for row, cells in grid.rows
        ],
    }


def _cells(
    grid: Grid, cells: tuple[rfm.Cell, ...], most: float, currency: str
) -> Iterator[dict[str, Any]]:
    for cell in cells:
        name = _("Last order %(days)s, %(other)s") % {
            "days": _days(cell.recency),
            "other": _other(grid.across, cell.other, currency),
        }
        yield {
            "cell": cell,
            "heat": round(100 * cell.share / most),
            "name": name,
            "url": prefilled(name[:100], cell.rule),
        }


def _days(band: Band) -> str:
    if band.high is None:
        text = ngettext("%(low)s day ago or more", "%(low)s days ago or more", band.low)
    elif band.low == band.high:
        text = ngettext("%(low)s day ago", "%(low)s days ago", band.low)
    else:
        text = _("%(low)s–%(high)s days ago")
    return text % {"low": band.low, "high": band.high}


def _other(across: Across, band: Band, currency: str) -> str:
    if across == Across.MONEY:
        language = get_language() or "en"
        low = figures.money(band.low, currency, language)
        if band.high is None:
            return _("%(low)s or more") % {"low": low}
        return f"{low} – {figures.money(band.high, currency, language)}"
    if band.high is None:
        return _("%(low)s or more orders") % {"low": band.low}
    if band.low == band.high:
        return ngettext("%(low)s order", "%(low)s orders", band.low) % {"low": band.low}
    return _("%(low)s–%(high)s orders") % {"low": band.low, "high": band.high}
