"""A campaign set up in steps: goal and purpose, audience, content, variants, schedule, review."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from campaigns import approvals, link_check, making, prechecks, targeting
from campaigns.admin.plan_form import ONSITE, StepForm
from campaigns.admin.texts import EDITABLE
from campaigns.models import Campaign
from privacy import topics
from privacy.models import Channel
from privacy.problems import DomainError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MOST_WEIGHT = 1000
# Title, what is asked in it, and where it goes on.
STEPS: Mapping[str, tuple[StrOrPromise, tuple[str, ...], str]] = {
    "goal": (
        gettext_lazy("Goal and purpose"),
        ("name", "goal", "topic", "attribution_days", "holdout", "offer_minor"),
        "campaigns_campaign_step/who",
    ),
    "who": (
        gettext_lazy("Audience"),
        ("segment", "also", "excluded"),
        "campaigns_campaign_texts",
    ),
    "when": (
        gettext_lazy("Schedule and cost"),
        (
            *("starts_at", "local_time", "latest_start", "first_percent"),
            *("fixed_cost_minor", "message_cost", "budget_minor"),
        ),
        "campaigns_campaign_review",
    ),
}


@permission_required("campaigns.view_campaign", raise_exception=True)
def step_page(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """GET shows a step's form; POST keeps it and goes on. An approval that it changes is void."""
    campaign = _found(pk)
    if step not in STEPS:
        raise Http404
    title, names, after = STEPS[step]
    if step == "when" and campaign.channel == Channel.ONSITE:
        names = (*names, *ONSITE)
    may_edit = _may_edit(request, campaign)
    posted = request.POST if request.method == "POST" and may_edit else None
    form = StepForm(names, posted, instance=campaign)
    if posted is not None and form.is_valid():
        form.save()
        _void(request, campaign)
        name, _slash, further = after.partition("/")
        return redirect(f"admin:{name}", pk, *([further] if further else []))
    context = {
        **admin.site.each_context(request),
        "title": Campaign.objects.values_list("name", flat=True).get(pk=pk),
        "campaign": campaign,
        "step": step,
        "step_title": title,
        "purpose_name": topics.names([campaign.purpose], get_language() or "")[campaign.purpose],
        "form": form,
        "may_edit": may_edit,
    }
    return render(request, "campaigns/admin/step.html", context)


@permission_required("campaigns.view_campaign", raise_exception=True)
def variants_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Which variants there are and what part of the audience gets each."""
    campaign = _found(pk)
    may_edit = _may_edit(request, campaign)
    if request.method == "POST" and may_edit:
        try:
            further = _change_variants(request, campaign)
        except DomainError as error:
            messages.error(request, error.detail)
            further = False
        _void(request, campaign)
        return redirect(
            "admin:campaigns_campaign_step" if further else "admin:campaigns_campaign_variants",
            *([pk, "when"] if further else [pk]),
        )
    rows = list(
        campaign.variants.order_by("key").prefetch_related("templates", "sms_texts", "cards")
    )
    total = sum(row.weight for row in rows) or 1
    rest = 1 - campaign.holdout_ppm / 1_000_000
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "rows": [(row, round(100 * rest * row.weight / total, 1)) for row in rows],
        "may_edit": may_edit,
        "may_add": len(rows) < len(making.LETTERS),
    }
    return render(request, "campaigns/admin/variants.html", context)


@permission_required("campaigns.view_campaign", raise_exception=True)
@require_GET
def review_page(request: HttpRequest, pk: int) -> HttpResponse:
    """All that was found before approval; the buttons stand on the campaign's page."""
    campaign, now = _found(pk), timezone.now()
    estimate = None if targeting.faults(campaign) else targeting.estimate(campaign, now)
    found = prechecks.findings(campaign, now)
    if estimate is not None:
        found += prechecks.of_size(estimate)
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "estimate": estimate,
        "barring": [one for one in found if one.bars],
        "advice": [one for one in found if not one.bars],
        "links_asked": link_check.last(campaign),
        "links_under_way": link_check.under_way(campaign) is not None,
    }
    return render(request, "campaigns/admin/review.html", context)


def _change_variants(request: HttpRequest, campaign: Campaign) -> bool:
    """Do what was asked and say whether to go on to the next step."""
    verb, _colon, key = request.POST.get("do", "").partition(":")
    if verb == "add":
        making.add_variant(campaign)
    elif verb == "remove":
        making.remove_variant(campaign, key)
    else:
        for variant in campaign.variants.all():
            told = request.POST.get(f"weight-{variant.key}", "")
            if not told.isdecimal() or int(told) > MOST_WEIGHT:
                detail = _("A weight is a whole number from 0 to %(n)d.") % {"n": MOST_WEIGHT}
                raise DomainError("wrong_weight", detail, pointer=f"/variants/{variant.key}")
            campaign.variants.filter(pk=variant.pk).update(weight=int(told))
        return True
    return False


def _void(request: HttpRequest, campaign: Campaign) -> None:
    if approvals.void_if_edited(campaign, now=timezone.now()):
        messages.warning(request, _("The plan changed, so the campaign needs a new approval."))


def _may_edit(request: HttpRequest, campaign: Campaign) -> bool:
    return campaign.status in EDITABLE and request.user.has_perm("campaigns.change_campaign")


def _found(pk: int) -> Campaign:
    return get_object_or_404(Campaign, pk=pk, kind=Campaign.Kind.CAMPAIGN)


PAGES: dict[str, tuple[Callable[..., HttpResponse], str]] = {
    "<int:pk>/steps/variants/": (variants_page, "variants"),
    "<int:pk>/steps/review/": (review_page, "review"),
    "<int:pk>/steps/<slug:step>/": (step_page, "step"),
}
