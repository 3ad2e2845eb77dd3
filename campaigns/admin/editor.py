"""The editor of one message: blocks or source, a preview beside it, versions below."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST

from campaigns import approvals, block_words, editing, looking, occasions, pictures, writing
from campaigns.admin import block_forms
from campaigns.admin.outbox import sandboxed
from campaigns.admin.texts import EDITABLE, readers
from campaigns.models import Campaign, Picture, Template
from campaigns.rendering import blocks, links, markup
from campaigns.rendering.faults import TemplateError
from privacy.models import Channel, Staff
from privacy.problems import DomainError, Fault
from profiles.models import Customer

N_PICTURES = 60


@permission_required("campaigns.view_campaign", raise_exception=True)
def editor_page(request: HttpRequest, pk: int, template: int) -> HttpResponse:
    """GET shows what is kept; POST keeps what was typed, or does one thing to its blocks."""
    campaign, kept = _found(pk, template)
    may_edit = campaign.status in EDITABLE and request.user.has_perm("campaigns.change_campaign")
    draft, faults, is_typed = editing.Draft.of(kept), list[Fault](), False
    if request.method == "POST" and may_edit:
        draft, is_typed = _typed(request, kept), True
        acted = block_forms.acted(request.POST, [dict(one) for one in draft.blocks])
        if acted is not None:
            draft = replace(draft, blocks=acted)
        elif (source := _turned(request, draft, kept)) is not None:
            draft = source
        else:
            faults = _save(request, campaign, kept, draft)
            if not faults:
                return redirect(request.path)
    return _page(request, campaign, kept, draft, faults=faults, may_edit=may_edit, typed=is_typed)


@permission_required("campaigns.view_campaign", raise_exception=True)
@require_POST
@xframe_options_sameorigin
def live_page(request: HttpRequest, pk: int, template: int) -> HttpResponse:
    """What was typed, as one customer would get it, by the code that sends."""
    campaign, kept = _found(pk, template)
    name = request.POST.get("customer", "")
    customer = Customer.objects.filter(external_id=name).first() if name else None
    part, dark = request.POST.get("part", "html"), request.POST.get("dark") == "1"
    try:
        draft = editing.whole(_typed(request, kept), kept.locale)
        source = editing.source(draft, kept.locale)
        shown = looking.preview_of(campaign, kept.variant, source, customer, timezone.now())
    except TemplateError as error:
        return _refused(writing.explain(error))
    except DomainError as error:
        return _refused(str(error.detail))
    if part == "text":
        return sandboxed(
            format_html(
                '<pre style="white-space:pre-wrap;font:14px/1.5 monospace">{}</pre>',
                links.to_text(shown.html) if not shown.text else shown.text,
            )
        )
    return sandboxed(markup.shown_in(pictures.shown_here(shown.html), dark=dark))


def _found(pk: int, template: int) -> tuple[Campaign, Template]:
    rows = Template.objects.select_related("variant__campaign")
    kept = get_object_or_404(rows, pk=template, variant__campaign=pk)
    if kept.variant.campaign.channel != Channel.EMAIL:
        raise Http404
    return kept.variant.campaign, kept


def _typed(request: HttpRequest, kept: Template) -> editing.Draft:
    """Return what the form says, in the form in which it was shown."""
    posted, form = request.POST, request.POST.get("form", "")
    empty = editing.Draft(
        subject=posted.get("subject", "").strip(), body_text=_lines(posted.get("body_text", ""))
    )
    if form == "blocks":
        return replace(empty, blocks=block_forms.read(posted))
    if form == "mjml":
        return replace(empty, mjml=_lines(posted.get("mjml", "")))
    return replace(empty, body_html=_lines(posted.get("body_html", kept.body_html)))


def _lines(text: str) -> str:
    """Browsers end the lines of a form with two signs."""
    return text.replace("\r\n", "\n")


def _turned(request: HttpRequest, draft: editing.Draft, kept: Template) -> editing.Draft | None:
    """Return the draft as source or as blocks if that was asked for, nothing kept yet."""
    do = request.POST.get("do", "")
    if do == "to_mjml" and draft.blocks:
        try:
            mjml = blocks.compiled(draft.blocks, writing.brand(), language=kept.locale)
        except TemplateError as error:
            messages.error(request, writing.explain(error))
            return draft
        return replace(draft, blocks=(), mjml=mjml)
    if do == "to_blocks":
        return replace(draft, mjml="", body_html="", blocks=[{"type": "hero"}, {"type": "footer"}])
    return None


def _save(
    request: HttpRequest, campaign: Campaign, kept: Template, draft: editing.Draft
) -> list[Fault]:
    now = timezone.now()
    frame = writing.frame(campaign, kept.locale, now=now)
    staff = request.user if isinstance(request.user, Staff) else None
    meanwhile = str(editing.latest(kept)) != request.POST.get("base", "")
    try:
        facts = occasions.sample(campaign)
        is_new = editing.save(kept, draft, frame=frame, facts=facts, staff=staff, now=now)
    except DomainError as error:
        messages.error(request, _("Not saved yet: see what is marked below."))
        return list(error.errors)
    if meanwhile and is_new:
        told = _("Somebody else saved meanwhile; their text is the version before yours.")
        messages.warning(request, told)
    if approvals.void_if_edited(campaign, now=now):
        messages.warning(request, _("The text changed, so the campaign needs a new approval."))
    messages.success(request, _("Message saved.") if is_new else _("Nothing was changed."))
    return []


def _page(
    request: HttpRequest,
    campaign: Campaign,
    kept: Template,
    draft: editing.Draft,
    *,
    faults: list[Fault],
    may_edit: bool,
    typed: bool,
) -> HttpResponse:
    form = request.POST.get("form", "") if typed else ""
    form = draft.form if draft.blocks or draft.mjml or not form else form
    at_fields = {fault.pointer: fault.detail for fault in faults}
    siblings = Template.objects.filter(variant__campaign=campaign).select_related("variant")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "kept": kept,
        "draft": draft,
        "form": form,
        "rows": block_forms.rows(draft.blocks, faults),
        "blank": block_forms.blank(list(block_words.BLOCKS)) if may_edit else [],
        "kinds": [(kind, label, told) for kind, (label, told) in block_words.BLOCKS.items()],
        "wrong": {key: at_fields.get(f"/{key}", "") for key in _PARTS},
        "is_wrong": bool(faults),
        "may_edit": may_edit,
        "is_typed": typed,
        "base": request.POST.get("base", "") if typed else editing.latest(kept),
        "siblings": siblings.order_by("variant__key", "locale"),
        "readers": readers(campaign),
        "merge_fields": block_words.MERGE_FIELDS,
        "pictures": Picture.objects.defer("content").order_by("-added_at", "-pk")[:N_PICTURES],
        "picture_host": pictures.host(),
        "may_upload": request.user.has_perm("campaigns.add_picture"),
    }
    return render(request, "campaigns/admin/editor.html", context)


_PARTS = ("subject", "body_text", "mjml", "body_html", "blocks")


def _refused(told: str) -> HttpResponse:
    return sandboxed(
        format_html('<p style="font:15px/1.5 sans-serif;padding:16px;color:#b42318">{}</p>', told)
    )
