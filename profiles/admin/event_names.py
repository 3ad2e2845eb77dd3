"""Under which names events come in, what they carry, and what was rejected and why."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from privacy.admin.viewing import ViewOnlyAdmin
from privacy.models import Source
from profiles import reject_words
from profiles.events import event_names, rejected_events
from profiles.models import EventName

REPLAY = "profiles.change_upload"


@admin.register(EventName)
class EventNameAdmin(ViewOnlyAdmin[EventName]):
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _("Event names"),
            "lines": event_names.overview(),
            "groups": [
                (group, reject_words.of_event(group.code)) for group in rejected_events.groups()
            ],
            "may_replay": request.user.has_perm(REPLAY),
        }
        return render(request, "profiles/event_names.html", context)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("rejected/<int:source>/<slug:code>/", wrap(rejected_page), name="rejected_events"),
            path(
                "rejected/<int:source>/<slug:code>/replay/",
                wrap(replay_action),
                name="replay_rejected_events",
            ),
            *super().get_urls(),
        ]


def rejected_page(request: HttpRequest, source: int, code: str) -> HttpResponse:
    """What the newest events of a reason look like, by the shapes of their values."""
    if not request.user.has_perm(REPLAY):
        raise PermissionDenied
    found = get_object_or_404(Source, pk=source)
    shown = rejected_events.samples(
        source, code, actor=f"staff:{request.user.pk}", now=timezone.now()
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Rejected events"),
        "source": found,
        "code": code,
        "words": reject_words.of_event(code),
        "samples": shown,
    }
    return render(request, "profiles/rejected_events.html", context)


@require_POST
def replay_action(request: HttpRequest, source: int, code: str) -> HttpResponse:
    if not request.user.has_perm(REPLAY):
        raise PermissionDenied
    get_object_or_404(Source, pk=source)
    rejected_events.ask_for_replay(source, code, timezone.now())
    messages.success(request, _("The events are read again; see Jobs for what came of it."))
    return redirect("admin:profiles_eventname_changelist")
