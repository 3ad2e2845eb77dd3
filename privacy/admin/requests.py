"""Requests of persons: the list with its clocks, and the page on which one is answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from unfold.views import ChangeList

from privacy import registry, requests, subject_export
from privacy.admin import revealing
from privacy.admin.confirming import confirmed
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.models import PrivacyRequest, Staff, SubjectExport
from privacy.problems import DomainError
from privacy.purposes import PurposeDeniedError, purpose
from privacy.throttling import TooManyError

HANDLE = "privacy.handle_request"
SOON = timedelta(days=7)
Act = Callable[[PrivacyRequest, HttpRequest, Staff, datetime], object]


def _correct(asked: PrivacyRequest, request: HttpRequest, staff: Staff, now: datetime) -> object:
    given = {name: request.POST.get(name, "").strip() for name in registry.correctable()}
    changes = {name: value for name, value in given.items() if value}
    return requests.correct(asked, changes, staff=staff, now=now)


# What a button of the page does: each one domain call.
ACTS: dict[str, tuple[str, Act]] = {
    "begin": (HANDLE, lambda asked, _r, staff, now: requests.begin(asked, staff=staff, now=now)),
    "erase": (
        "privacy.erase_subject",
        lambda asked, _r, staff, now: requests.erase(asked, staff=staff, now=now),
    ),
    "export": (
        "privacy.download_export",
        lambda asked, _r, staff, now: requests.export(asked, staff=staff, now=now),
    ),
    "restrict": (
        HANDLE,
        lambda asked, _r, staff, now: requests.restrict(asked, staff=staff, now=now),
    ),
    "correct": (HANDLE, _correct),
    "extend": (
        HANDLE,
        lambda asked, request, staff, now: requests.extend(
            asked, request.POST.get("reason", ""), staff=staff, now=now
        ),
    ),
    "refuse": (
        HANDLE,
        lambda asked, request, staff, now: requests.refuse(
            asked, request.POST.get("reason", ""), staff=staff, now=now
        ),
    ),
    "finish": (HANDLE, lambda asked, _r, staff, now: requests.finish(asked, staff=staff, now=now)),
}


class ClockList(ChangeList):
    """A page of requests with the shop's time zone, asked for once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        zone = requests.zone()
        for asked in self.result_list:
            asked.zone = zone


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(ViewOnlyAdmin[PrivacyRequest]):
    """Open ones first, the nearest deadline on top."""

    list_display = ["came_in", "kind", "state", "clock", "law", "handled_by"]
    list_filter = ["state", "kind", "law"]
    list_select_related = ["handled_by"]
    ordering = [
        F("closed_at").desc(nulls_first=True),
        F("due_at").asc(nulls_last=True),
        "-created_at",
    ]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[PrivacyRequest]:
        return super().get_queryset(request).defer("email", "details")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ClockList]:
        return ClockList

    @admin.display(description=gettext_lazy("came in at"), ordering="created_at")
    def came_in(self, asked: Any) -> str:
        return timezone.localtime(asked.created_at, asked.zone).strftime("%Y-%m-%d %H:%M")

    @admin.display(description=gettext_lazy("clock"), ordering="due_at")
    def clock(self, asked: Any) -> str:
        words, tone = clock(asked, timezone.now(), zone=asked.zone)
        return format_html('<span class="c-chip {}">{}</span>', tone, words) if words else "–"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "privacy_privacyrequest"
        return [
            path("<int:pk>/change/", view(request_page), name=f"{name}_change"),
            path("<int:pk>/do/<str:act>/", view(do_action), name=f"{name}_do"),
            path("<int:pk>/reveal/", view(reveal_action), name=f"{name}_reveal"),
            path("copies/<int:pk>/", view(download_action), name=f"{name}_copy"),
            *super().get_urls(),
        ]


def clock(asked: PrivacyRequest, now: datetime, *, zone: ZoneInfo) -> tuple[str, str]:
    """Return how much time is left in words, and the class of its colour."""
    if not asked.is_open or asked.due_at is None:
        return "", ""
    left = asked.due_at - now
    if left < timedelta(0):
        return _("overdue since %(day)s") % {"day": _day(asked.due_at, zone)}, "is-bad"
    words = _("%(n)d days left, until %(day)s") % {"n": left.days, "day": _day(asked.due_at, zone)}
    return words, "is-warn" if left < SOON else ""


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return timezone.localtime(moment, zone).strftime("%Y-%m-%d")


def request_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One request: who asks (masked), what may be done, what was done."""
    asked = _asked(request, pk)
    words, tone = clock(asked, timezone.now(), zone=requests.zone())
    context = {
        **admin.site.each_context(request),
        "title": asked.get_kind_display(),
        "subtitle": str(asked.uuid),
        "asked": asked,
        "clock": words,
        "tone": tone,
        "letters": asked.letters.order_by("pk"),
        "copies": asked.exports.order_by("pk"),
        "fields": registry.correctable(),
        "may": {act: request.user.has_perm(permission) for act, (permission, _) in ACTS.items()},
    }
    return render(request, "privacy/request.html", context)


@require_POST
def do_action(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Do what a button of the page says; a refusal is told and changes nothing."""
    asked = _asked(request, pk)
    permission, verb = ACTS.get(act, ("", None))
    if verb is None or not request.user.has_perm(permission) or not isinstance(request.user, Staff):
        raise Http404
    try:
        verb(asked, request, request.user, timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Done; it is in the audit log."))
    return redirect("admin:privacy_privacyrequest_change", pk)


@require_POST
@never_cache
def reveal_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who asks and what they wrote, audited, for half a minute."""
    return _reveal(request, _asked(request, pk))


@confirmed
def _reveal(request: HttpRequest, asked: PrivacyRequest) -> HttpResponse:
    actor, now = f"staff:{request.user.pk}", timezone.now()
    try:
        revealing.count(actor, "subject.rights", asked.subject_id.bytes, now=now)
        with purpose("subject.rights", actor=actor, now=now, reason=f"request {asked.uuid}"):
            shown = {
                _("E-mail"): asked.email.reveal() if asked.email else "",
                _("what the person wrote"): asked.details.reveal() if asked.details else "",
            }
    except (TooManyError, PurposeDeniedError) as error:
        messages.error(request, revealing.why(error))
        return redirect("admin:privacy_privacyrequest_change", asked.pk)
    context = {
        **admin.site.each_context(request),
        "title": asked.get_kind_display(),
        "asked": asked,
        "shown": shown,
    }
    answer = render(request, "privacy/request_revealed.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


@require_POST
@never_cache
def download_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand out a person's copy, audited before it leaves."""
    if not request.user.has_perm("privacy.download_export"):
        raise Http404
    return _download(request, get_object_or_404(SubjectExport, pk=pk))


@confirmed
def _download(request: HttpRequest, copy: SubjectExport) -> HttpResponse:
    try:
        data = subject_export.download(
            copy,
            actor=f"staff:{request.user.pk}",
            now=timezone.now(),
            to=request.POST.get("to", "").strip(),
        )
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("admin:privacy_privacyrequest_changelist")
    answer = HttpResponse(data, content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="copy-{copy.uuid}.zip"'
    answer["Cache-Control"] = "no-store"
    return answer


def _asked(request: HttpRequest, pk: int) -> PrivacyRequest:
    if not request.user.has_perm(HANDLE):
        raise Http404
    rows = PrivacyRequest.objects.select_related("about", "erasure", "handled_by")
    return get_object_or_404(rows, pk=pk)
