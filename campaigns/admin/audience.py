"""Reach and fairness: whom the rules let through, what that can show, what it costs, for whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from campaigns import gate, reach, targeting
from campaigns.experiments.assignment import PARTS
from campaigns.models import Campaign
from campaigns.reach import Effect, Reach
from privacy.admin.fairness import ATTRIBUTES, Card, card
from privacy.admin.viewing import shop_of
from privacy.fairness_audits import Audit, Audited
from profiles import counting, figures

if TYPE_CHECKING:
    from datetime import datetime

    from django_stubs_ext import StrOrPromise

WAIT: Final = timedelta(seconds=20)
PREVIEW: Final = Audit(
    "campaigns.preview",
    gettext_lazy("Who would be addressed"),
    gettext_lazy("Of those who may be written to, is every group as likely to be chosen?"),
    lambda _attribute, _as_of: [],
)


@dataclass(frozen=True)
class Line:
    """A step from everybody named to the messages: what it takes away, and what is left."""

    label: StrOrPromise
    n: int
    left: int
    is_result: bool = False

    @property
    def value(self) -> int:
        return self.left

    @property
    def text(self) -> str:
        return figures.number(self.left, get_language() or "en")


@permission_required("campaigns.view_campaign", raise_exception=True)
@require_GET
def audience_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Count whom a campaign reaches, rule by rule; the page loads it by itself."""
    rows = Campaign.objects.plans().select_related("segment").prefetch_related("also", "excluded")
    campaign, now = get_object_or_404(rows, pk=pk), timezone.now()
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "faults": targeting.faults(campaign),
    }
    if not context["faults"]:
        context |= _counted(request, campaign, now)
    return render(request, "campaigns/admin/audience.html", context)


def _counted(request: HttpRequest, campaign: Campaign, now: datetime) -> dict[str, Any]:
    asked = request.GET.get("by", "")
    attribute = asked if asked in ATTRIBUTES else "gender"
    currency = shop_of(request).currency
    try:
        with counting.at_most(WAIT):
            found = reach.reach(campaign, now)
            effect = reach.effect(campaign, found, now)
            overlaps = reach.overlaps(campaign, now)
    except counting.TooLongError:
        return {"takes_too_long": True}
    findings = reach.fairness(campaign, attribute, now, actor=f"staff:{request.user.pk}")
    told = card(PREVIEW, Audited(_("Who would be addressed"), findings))
    part = 1 - campaign.holdout_ppm / PARTS
    return {
        "reach": found,
        "lines": lines(found),
        "overlaps": overlaps,
        "effect": effect,
        "words": _words(effect, currency),
        "attribute": attribute,
        "attributes": ATTRIBUTES.items(),
        "card": told,
        "groups": _with_offer(told, [one.level * part for one in findings], campaign, currency),
    }


def lines(found: Reach) -> list[Line]:
    """From everybody the segments name down to the messages; rules that bar nobody are left out."""
    steps: list[tuple[StrOrPromise, int]] = [
        (_("In a segment that is left out"), found.n_excluded),
        *((gate.in_words(bar), n) for bar, n in found.barred.items()),
    ]
    told, left = [Line(_("In the segments"), 0, found.n_named, is_result=True)], found.n_named
    for label, n in steps:
        left -= n
        told.append(Line(label, n, left))
    told.append(Line(_("Audience"), 0, left, is_result=True))
    for label, n in (
        (_("Held out, so that the effect shows"), found.n_holdout),
        (gate.in_words("frequency_cap"), found.n_capped),
        (gate.in_words("budget_spent"), found.n_unpaid),
    ):
        left -= n
        told.append(Line(label, n, left))
    told.append(Line(_("Messages"), 0, left, is_result=True))
    return [line for line in told if line.is_result or line.n]


def _with_offer(
    told: Card, shares: list[float], campaign: Campaign, currency: str
) -> list[dict[str, Any]]:
    """Each group's row, with the offer's value on average over all of it who may be written to."""
    language = get_language() or "en"
    rows = []
    for row, share in zip(told.rows, shares, strict=True):
        value = None if campaign.offer_minor is None else round(share * campaign.offer_minor)
        offer = "–" if value is None else figures.money(value, currency, language)
        rows.append({**vars(replace(row)), "offer": offer})
    return rows


def _words(found: Effect, currency: str) -> list[str]:
    """Say what the audience can show, and what the holdout costs."""
    language = get_language() or "en"

    def percent(rate: float) -> str:
        return f"{100 * rate:.1f} %"

    facts = {
        "days": found.days,
        "n_holdout": figures.number(found.n_holdout, language),
        "n_treated": figures.number(found.n_treated, language),
        "before": percent(found.rate),
    }
    if not found.n_holdout:
        return [_("Nobody is held out, so nobody will be able to say what the campaign earned.")]
    if found.rise is None:
        text = _(
            "%(before)s of the audience bought in the last %(days)s days. With %(n_holdout)s held out "
            "and %(n_treated)s written to no effect can be shown: hold out more, or widen the audience."
        )
        return [text % facts]
    shown = _(
        "%(before)s of the audience bought in the last %(days)s days. With %(n_holdout)s held out and "
        "%(n_treated)s written to, a rise to %(after)s or more is shown in four of five cases; a "
        "smaller one may stay unseen."
    )
    price = _(
        "The holdout's price: if the campaign has just that effect, the %(n_holdout)s who get no message "
        "would have bought for %(forgone)s more. Their messages would cost %(saved)s. Without a holdout "
        "nobody can say what the campaign earned."
    )
    facts["after"] = percent(found.rate + found.rise)
    facts["forgone"] = figures.money(found.forgone_minor, currency, language)
    facts["saved"] = figures.money(found.saved_minor, currency, language)
    return [shown % facts, price % facts]
