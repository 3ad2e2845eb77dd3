"""Who got the message, who did not, and why not: the rule that stopped each one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from campaigns import gate
from campaigns.admin import steps
from campaigns.models import Campaign, Delivery

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

PAGE = 50
State = Delivery.State


@dataclass(frozen=True)
class Group:
    """Deliveries in one state for one reason, with the link that lists them alone."""

    state: State
    reason: str
    n: int

    @property
    def words(self) -> StrOrPromise:
        return gate.in_words(self.reason)


@permission_required("campaigns.view_campaign", raise_exception=True)
def deliveries_page(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    state, reason = request.GET.get("state", ""), request.GET.get("reason", "")
    asked = request.GET.get("after", "")
    rows = campaign.deliveries.filter(pk__gt=int(asked) if asked.isdecimal() else 0)
    if state in State.values:
        rows = rows.filter(state=state)
    if reason:
        rows = rows.filter(reason=reason)
    some = list(rows.select_related("customer", "variant").order_by("pk")[: PAGE + 1])
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "states": [(State(name), n) for name, n in campaign.counts().items()],
        "why_not": _why_not(campaign),
        "state": state,
        "reason": reason,
        "rows": [(row, gate.in_words(row.reason)) for row in some[:PAGE]],
        "next": some[PAGE - 1].pk if len(some) > PAGE else None,
        "is_first": not asked,
        "verbs": steps.offered(request, campaign, only={"rest"}),
    }
    return render(request, "campaigns/admin/deliveries.html", context)


def _why_not(campaign: Campaign) -> list[Group]:
    """The reasons that kept messages back, the most frequent first."""
    counted = (
        campaign.deliveries.exclude(reason="")
        .order_by()
        .values_list("state", "reason")
        .annotate(n=Count("pk"))
    )
    groups = [Group(State(state), reason, n) for state, reason, n in counted]
    return sorted(groups, key=lambda group: (-group.n, group.reason))
