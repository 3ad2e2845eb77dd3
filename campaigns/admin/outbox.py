"""The outbox of embedded mode: what would have been sent, as its readers would see it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from campaigns.channels import email, outbox
from campaigns.rendering import links
from privacy import audit

PAGE = 50


@permission_required("campaigns.view_campaign", raise_exception=True)
def outbox_page(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("p", "1")
    page = int(asked) if asked.isdecimal() and 0 < int(asked) < 10**6 else 1
    total = outbox.count(settings.OUTBOX_DIR)
    context = {
        **admin.site.each_context(request),
        "title": _("Outbox"),
        "mails": outbox.messages(settings.OUTBOX_DIR, limit=PAGE, offset=(page - 1) * PAGE),
        "total": total,
        "sends_for_real": email.is_real(),
        "page": page,
        "has_next": page * PAGE < total,
    }
    return render(request, "campaigns/admin/outbox.html", context)


@permission_required("campaigns.send_campaign", raise_exception=True)
def message_page(request: HttpRequest, name: str) -> HttpResponse:
    mail = _read(name)
    # A written message may name its reader, so that opening one leaves a trace.
    audit.append("outbox.opened", actor=f"staff:{request.user.pk}", at=timezone.now(), reason=name)
    context = {**admin.site.each_context(request), "title": _("Outbox"), "mail": mail}
    return render(request, "campaigns/admin/outbox_message.html", context)


@permission_required("campaigns.send_campaign", raise_exception=True)
@xframe_options_sameorigin
def body_page(_request: HttpRequest, name: str) -> HttpResponse:
    """The message's HTML alone, for a sandboxed frame: it may run and load nothing of ours."""
    return sandboxed(links.without_pixel(_read(name).html))


def sandboxed(html: str) -> HttpResponse:
    answer = HttpResponse(html)
    answer["Content-Security-Policy"] = (
        "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; "
        "img-src 'self' https: data:; frame-ancestors 'self'"
    )
    return answer


def _read(name: str) -> outbox.Shown:
    try:
        return outbox.read(settings.OUTBOX_DIR, name)
    except outbox.UnknownMessageError as error:
        raise Http404 from error
