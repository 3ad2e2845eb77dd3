"""The gallery of starters: each as it would look, and one button to begin from it."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from campaigns import approvals, block_words, editing, looking, pictures, triggers, writing
from campaigns.admin.outbox import sandboxed
from campaigns.admin.texts import EDITABLE
from campaigns.models import Automation, Campaign
from campaigns.rendering import locales, markup, starters
from privacy.models import Channel, Staff
from privacy.problems import DomainError

OF_KIND: Mapping[str, tuple[str, ...]] = {
    Automation.Kind.CART: ("cart_left", "cart_last_call"),
    Automation.Kind.ACCESSORY: ("accessory",),
}


@permission_required("campaigns.view_campaign", raise_exception=True)
def starters_page(request: HttpRequest, pk: int) -> HttpResponse:
    """GET shows them; POST gives every variant the one named, and keeps what was there."""
    campaign = _found(pk)
    may_edit = campaign.status in EDITABLE and request.user.has_perm("campaigns.change_campaign")
    names = suitable(campaign)
    if request.method == "POST" and may_edit:
        name, now = request.POST.get("starter", ""), timezone.now()
        if name not in names:
            raise Http404
        staff = request.user if isinstance(request.user, Staff) else None
        editing.begin(campaign, name, staff=staff, now=now)
        if approvals.void_if_edited(campaign, now=now):
            messages.warning(request, _("The text changed, so the campaign needs a new approval."))
        told = _("The message begins as “%(name)s”; what was there is among the versions.")
        messages.success(request, told % {"name": block_words.starter(name)})
        return redirect("admin:campaigns_campaign_texts", pk)
    shown = [(name, block_words.starter(name), block_words.STARTERS[name][1]) for name in names]
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "starters": shown,
        "may_edit": may_edit,
    }
    return render(request, "campaigns/admin/starters.html", context)


@permission_required("campaigns.view_campaign", raise_exception=True)
@require_GET
@xframe_options_sameorigin
def starter_page(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """A starter in the shop's look and the reader's language, with what anybody would get."""
    campaign = _found(pk)
    variant = campaign.variants.order_by("key").first()
    if name not in suitable(campaign) or variant is None:
        raise Http404
    drafts = {one.locale: one for one in writing.starter_drafts(name)}
    locale = locales.choose(request.LANGUAGE_CODE, list(drafts), shop_language="en")
    source = writing.source_of(drafts[locale])
    try:
        shown = looking.preview_of(campaign, variant, source, None, timezone.now())
    except DomainError as error:
        return HttpResponse(error.detail, content_type="text/plain; charset=utf-8")
    dark = request.GET.get("dark") == "1"
    return sandboxed(markup.shown_in(pictures.shown_here(shown.html), dark=dark))


def suitable(campaign: Campaign) -> list[str]:
    """Return the starters whose facts a campaign of this kind has."""
    if not campaign.is_marketing:
        return ["order_confirmation"]
    kind = triggers.kind_of(campaign)
    return [*OF_KIND.get(kind, ()), *starters.names()]


def _found(pk: int) -> Campaign:
    campaign = get_object_or_404(Campaign, pk=pk)
    if campaign.channel != Channel.EMAIL:
        raise Http404
    return campaign
