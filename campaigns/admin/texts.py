"""The message page: subject and text of every variant in every language, preview, test send."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST

from campaigns import (
    approvals,
    cards,
    editing,
    link_check,
    looking,
    pictures,
    prechecks,
    targeting,
)
from campaigns.admin import card_texts, sms_texts
from campaigns.admin.outbox import sandboxed
from campaigns.channels import ways
from campaigns.models import Campaign, Template, Variant
from campaigns.rendering import markup
from privacy.models import Channel, Staff
from privacy.problems import DomainError
from profiles.models import Customer

EDITABLE = {Campaign.Status.DRAFT, Campaign.Status.REVIEW, Campaign.Status.APPROVED}
BUBBLE = (
    '<body style="margin:1rem;background:{}"><p style="max-width:22rem;margin:0;padding:.75rem 1rem;'
    "border-radius:1rem;background:{};color:{};font:16px/1.5 system-ui,sans-serif;"
    'white-space:pre-wrap;overflow-wrap:anywhere">{}</p></body>'
)


class TemplateForm(forms.ModelForm[Template]):
    class Meta:
        model = Template
        fields = ["subject"]


@permission_required("campaigns.view_campaign", raise_exception=True)
def texts_page(request: HttpRequest, pk: int) -> HttpResponse:
    """GET shows all texts, POST keeps them; an approval that they change is void."""
    campaign = get_object_or_404(Campaign, pk=pk)
    may_edit = campaign.status in EDITABLE and request.user.has_perm("campaigns.change_campaign")
    looks = _looks(request, campaign) | _checked(campaign)
    if campaign.channel == Channel.SMS:
        return sms_texts.sms_page(request, campaign, looks, may_edit=may_edit)
    if campaign.channel in cards.CHANNELS:
        return card_texts.cards_page(request, campaign, looks, may_edit=may_edit)
    posted = request.POST if request.method == "POST" and may_edit else None
    rows = [
        (
            template,
            TemplateForm(posted, instance=template, prefix=str(template.pk), label_suffix=""),
        )
        for template in _templates(campaign)
    ]
    if posted is not None and all(form.is_valid() for _template, form in rows):
        for template, form in rows:
            _keep(request, template, form)
        if approvals.void_if_edited(campaign, now=timezone.now()):
            messages.warning(request, _("The text changed, so the campaign needs a new approval."))
        messages.success(request, _("Message saved."))
        return redirect("admin:campaigns_campaign_texts", pk)
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "rows": rows,
        "may_edit": may_edit,
        **looks,
    }
    return render(request, "campaigns/admin/texts.html", context)


@permission_required("campaigns.view_campaign", raise_exception=True)
@require_GET
@xframe_options_sameorigin
def preview_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The message as one customer would get it, by the code that sends."""
    campaign = get_object_or_404(Campaign, pk=pk)
    variant = get_object_or_404(Variant, campaign=campaign, key=request.GET.get("variant", "A"))
    customer = get_object_or_404(Customer, external_id=request.GET.get("customer", ""))
    try:
        shown = looking.preview(campaign, variant, customer, timezone.now())
    except DomainError as error:
        return sandboxed(format_html("<p>{}</p>", error.detail))
    dark = request.GET.get("dark") == "1"
    if campaign.channel == Channel.SMS:
        page, bubble, ink = ("#111", "#2b2b2e", "#f2f2f2") if dark else ("#fff", "#e9e9eb", "#111")
        return sandboxed(format_html(BUBBLE, page, bubble, ink, shown.text))
    return sandboxed(markup.shown_in(pictures.shown_here(shown.html), dark=dark))


@permission_required("campaigns.change_campaign", raise_exception=True)
@require_POST
def test_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Send one variant in one language to the account's own address."""
    campaign = get_object_or_404(Campaign, pk=pk)
    asked: Any = request.POST
    variant = get_object_or_404(Variant, campaign=campaign, key=asked.get("variant", "A"))
    if not isinstance(request.user, Staff):
        return redirect("admin:login")
    try:
        looking.send_test(
            campaign,
            variant,
            asked.get("locale", "en"),
            request.user.email,
            timezone.now(),
            actor=f"staff:{request.user.pk}",
        )
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        done = {
            Channel.SMS: _("Test sent to your own telephone."),
            Channel.PUSH: _("Test sent to your own browsers."),
            Channel.ONSITE: _(
                "For half an hour the shop's pages show it to you, and to you alone."
            ),
        }
        sent = _("Test sent to your own address.")
        messages.success(request, done.get(Channel(campaign.channel), sent))
        if ways.stays_here(campaign.channel):
            kept = _("No server is set up for this channel: the test lies in the outbox.")
            messages.warning(request, kept)
    return redirect("admin:campaigns_campaign_texts", pk)


@permission_required("campaigns.view_campaign", raise_exception=True)
@require_POST
def links_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask that the addresses in the message be checked."""
    campaign = get_object_or_404(Campaign, pk=pk)
    link_check.ask(campaign, timezone.now())
    messages.success(request, _("The links are being checked; the result will stand here."))
    return redirect("admin:campaigns_campaign_texts", pk)


def _keep(request: HttpRequest, template: Template, form: TemplateForm) -> None:
    """Keep a subject line as a version of its own; the message stays as it is."""
    staff = request.user if isinstance(request.user, Staff) else None
    template.refresh_from_db(fields=["subject"])
    editing.retitle(template, form.cleaned_data["subject"], staff=staff, now=timezone.now())


def _looks(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """For whom the message can be looked at, and where a test goes."""
    return {
        "readers": readers(campaign),
        "languages": dict(settings.LANGUAGES),
        "test_address": getattr(request.user, "email", ""),
    }


def _checked(campaign: Campaign) -> dict[str, Any]:
    """What bars the campaign, what is advice, and when its links were asked."""
    now = timezone.now()
    found = prechecks.findings(campaign, now)
    return {
        "barring": [one for one in found if one.bars],
        "advice": [one for one in found if not one.bars],
        "links_asked": link_check.last(campaign),
        "links_under_way": link_check.under_way(campaign) is not None,
    }


def _templates(campaign: Campaign) -> list[Template]:
    found = Template.objects.filter(variant__campaign=campaign).select_related("variant")
    return list(found.order_by("variant__key", "locale"))


def readers(campaign: Campaign) -> list[Customer]:
    """A few customers of the audience to preview for, in both languages where there are."""
    if targeting.faults(campaign):
        return []
    audience = targeting.audience(campaign, timezone.now()).order_by("pk")
    chinese = list(audience.filter(locale__startswith="zh")[:3])
    others = list(audience.exclude(locale__startswith="zh")[:5])
    return [*others, *chinese]
