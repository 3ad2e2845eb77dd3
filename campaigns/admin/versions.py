"""The versions of one message: what each changed, in words, and the way back."""

from __future__ import annotations

from itertools import pairwise

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST

from campaigns import approvals, block_words, editing, looking, pictures
from campaigns.admin.outbox import sandboxed
from campaigns.admin.texts import EDITABLE
from campaigns.models import Template, TemplateVersion
from campaigns.rendering import markup
from campaigns.rendering.comparing import Change
from campaigns.rendering.content import Source
from privacy.models import Staff
from privacy.problems import DomainError

N_SHOWN = 50
SHORT = 60


@permission_required("campaigns.view_campaign", raise_exception=True)
@require_GET
def versions_page(request: HttpRequest, pk: int, template: int) -> HttpResponse:
    kept = _found(pk, template)
    found = list(kept.versions.select_related("staff").order_by("-number")[: N_SHOWN + 1])
    before = {new.pk: old for new, old in pairwise(found)}
    rows = [
        (one, [in_words(change) for change in editing.compared(one, before.get(one.pk))])
        for one in found[:N_SHOWN]
    ]
    campaign = kept.variant.campaign
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "kept": kept,
        "rows": rows,
        "newest": found[0].number if found else 0,
        "may_edit": campaign.status in EDITABLE
        and request.user.has_perm("campaigns.change_campaign"),
    }
    return render(request, "campaigns/admin/versions.html", context)


@permission_required("campaigns.view_campaign", raise_exception=True)
@require_GET
@xframe_options_sameorigin
def version_page(_request: HttpRequest, pk: int, template: int, number: int) -> HttpResponse:
    """An older version as anybody would get it."""
    kept = _found(pk, template)
    version = get_object_or_404(TemplateVersion, template=kept, number=number)
    source = Source(kept.locale, version.subject, version.body_html, version.body_text)
    try:
        shown = looking.preview_of(
            kept.variant.campaign, kept.variant, source, None, timezone.now()
        )
    except DomainError as error:
        return HttpResponse(error.detail, content_type="text/plain; charset=utf-8")
    return sandboxed(markup.shown_in(pictures.shown_here(shown.html), dark=False))


@permission_required("campaigns.change_campaign", raise_exception=True)
@require_POST
def restore_action(request: HttpRequest, pk: int, template: int, number: int) -> HttpResponse:
    kept = _found(pk, template)
    version = get_object_or_404(TemplateVersion, template=kept, number=number)
    campaign, now = kept.variant.campaign, timezone.now()
    if campaign.status not in EDITABLE:
        messages.error(request, _("The message cannot be edited any more."))
        return redirect("admin:campaigns_campaign_versions", pk, template)
    editing.restore(
        version, staff=request.user if isinstance(request.user, Staff) else None, now=now
    )
    if approvals.void_if_edited(campaign, now=now):
        messages.warning(request, _("The text changed, so the campaign needs a new approval."))
    messages.success(request, _("Version %(n)d is the message again.") % {"n": number})
    return redirect("admin:campaigns_campaign_editor", pk, template)


def _found(pk: int, template: int) -> Template:
    rows = Template.objects.select_related("variant__campaign")
    return get_object_or_404(rows, pk=template, variant__campaign=pk)


def in_words(change: Change) -> str:
    """Say one difference in a sentence, in the language of the staff."""
    facts = {
        "block": block_words.block(change.kind),
        "field": block_words.field(change.kind, change.field)[0],
        "n": change.place,
        "before": _short(change.before),
        "after": _short(change.after),
    }
    return _template(change) % facts


def _template(change: Change) -> str:
    if change.code == "changed":
        if not change.before:
            return _("Block %(n)d (%(block)s): %(field)s is now “%(after)s”.")
        if not change.after:
            return _("Block %(n)d (%(block)s): %(field)s “%(before)s” was taken out.")
        return _("Block %(n)d (%(block)s): %(field)s “%(before)s” became “%(after)s”.")
    return {
        "subject": _("The subject line “%(before)s” became “%(after)s”."),
        "form": _("It changed between blocks and source."),
        "source": _("Source: %(before)s lines went, %(after)s came."),
        "text": _("Plain text: %(before)s lines went, %(after)s came."),
        "added": _("Block %(n)d (%(block)s) was added."),
        "removed": _("The block %(block)s, number %(n)d before, was removed."),
        "moved": _("The block %(block)s was moved to place %(n)d."),
    }[change.code]


def _short(text: str) -> str:
    told = " ".join(text.split())
    return told if len(told) <= SHORT else f"{told[: SHORT - 1]}…"
