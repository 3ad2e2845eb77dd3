"""Transactional messages: their keys, their texts, and whether the shop's server may call them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from campaigns import service
from campaigns.models import Campaign, Delivery
from privacy.models import Staff
from privacy.problems import DomainError

STARTERS = ["order_confirmation", "care_tips"]
LIST = "admin:campaigns_campaign_service"


class ServiceForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name of the message"), max_length=100)
    key = forms.SlugField(
        label=gettext_lazy("Key of the message"),
        max_length=64,
        help_text=gettext_lazy("What the shop's server calls it by, such as order_confirmation."),
    )


@permission_required("campaigns.view_campaign", raise_exception=True)
def service_page(request: HttpRequest) -> HttpResponse:
    """GET lists them, POST makes another one."""
    may_add = request.user.has_perm("campaigns.add_campaign")
    form = ServiceForm(request.POST if request.method == "POST" and may_add else None)
    form.label_suffix = ""
    if form.is_bound and form.is_valid() and isinstance(request.user, Staff):
        given: Any = form.cleaned_data
        try:
            made = service.create(
                given["key"],
                given["name"],
                starter=STARTERS[0],
                staff=request.user,
                now=timezone.now(),
            )
        except DomainError as error:
            messages.error(request, error.detail)
        else:
            return redirect("admin:campaigns_campaign_texts", made.pk)
    states = Delivery.State
    rows = Campaign.objects.filter(kind=Campaign.Kind.TRANSACTIONAL).annotate(
        n_asked=Count("deliveries"),
        n_sent=Count("deliveries", filter=Q(deliveries__state=states.SENT)),
        n_not=Count("deliveries", filter=Q(deliveries__state__in=[states.SKIPPED, states.FAILED])),
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Transactional messages"),
        "rows": rows.order_by("key"),
        "form": form if may_add else None,
        "may_switch": request.user.has_perm("campaigns.approve_campaign"),
        "may_stop": request.user.has_perm("campaigns.pause_campaign"),
    }
    return render(request, "campaigns/admin/service.html", context)


@require_POST
def switch_action(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk, kind=Campaign.Kind.TRANSACTIONAL)
    needed = {"on": "campaigns.approve_campaign", "off": "campaigns.pause_campaign"}.get(verb)
    if needed is None:
        raise Http404
    if not isinstance(request.user, Staff) or not request.user.has_perm(needed):
        raise PermissionDenied
    try:
        if verb == "on":
            service.switch_on(campaign, staff=request.user, now=timezone.now())
        else:
            service.switch_off(campaign)
    except DomainError as error:
        messages.error(request, " ".join([error.detail, *(f.detail for f in error.errors)]))
    return redirect(LIST)
