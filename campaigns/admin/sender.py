"""The sender check: what the world's name servers say of the shop's mail, and what to set."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from campaigns import sender_check
from campaigns.models import Mailbox


@permission_required("campaigns.view_provider", raise_exception=True)
def sender_page(request: HttpRequest) -> HttpResponse:
    """Show the records when asked to look: opening the page asks nobody."""
    host = sender_check.domain()
    looked = host and request.method == "POST"
    context = {
        **admin.site.each_context(request),
        "title": _("Sender check"),
        "host": host,
        "findings": sender_check.check(host) if looked else [],
        "signs": bool(settings.DKIM_KEY),
        "boxes": Mailbox.objects.order_by("name"),
        "esp": settings.MAIL_ESP,
        "events_url": f"{settings.PUBLIC_URL}/mail-events/{settings.MAIL_ESP}",
    }
    return render(request, "campaigns/admin/sender.html", context)
