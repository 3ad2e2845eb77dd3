"""The page "Connect your shop": keys, what to copy where, and a light for the first event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from privacy import doors
from privacy.admin.confirming import ask_again, is_recent
from privacy.models import ApiKey, Source
from privacy.problems import DomainError
from profiles.events import connecting, verdict_words
from profiles.events.connecting import Keys, Light

LOOK, MAKE = "privacy.view_source", "privacy.add_apikey"
LONGEST_SECONDS = 12  # digits of a moment


class KeysForm(forms.Form):
    is_test = forms.TypedChoiceField(
        label=gettext_lazy("Keys"),
        choices=[
            ("test", gettext_lazy("for trying: events are checked and shown, and kept nowhere")),
            ("live", gettext_lazy("for use: events count")),
        ],
        coerce=lambda chosen: chosen == "test",
        widget=forms.RadioSelect,
        initial="test",
    )
    origins = forms.CharField(
        label=gettext_lazy("Where the shop's pages are"),
        required=False,
        max_length=1_000,
        help_text=gettext_lazy("As https://shop.example; several with spaces."),
    )

    def clean_origins(self) -> list[str]:
        try:
            return [doors.exact_origin(one) for one in self.cleaned_data["origins"].split()]
        except DomainError as error:
            raise ValidationError(error.detail) from error


@staff_member_required
@permission_required(LOOK, raise_exception=True)
@never_cache
def connect_page(request: HttpRequest) -> HttpResponse:
    """Show what to copy; posted, make keys, which are in plain in this answer alone."""
    now = timezone.now()
    sources = list(Source.objects.exclude(kind=Source.Kind.FILE).order_by("created_at", "pk"))
    source = _chosen(request, sources)
    form, keys, since = KeysForm(request.POST or None), Keys(), None
    if request.method == "POST" and source:
        if not request.user.has_perm(MAKE):
            raise PermissionDenied
        if not is_recent(request, now):
            return ask_again(request)
        if form.is_valid():
            actor = f"staff:{request.user.pk}"
            keys = connecting.issue(source, **form.cleaned_data, actor=actor, now=now)
            since = now
    context = {
        **admin.site.each_context(request),
        "title": _("Connect your shop"),
        "sources": sources,
        "source": source,
        "form": form,
        "may_make": request.user.has_perm(MAKE),
        "may_add": request.user.has_perm("privacy.add_source"),
        "made": since is not None,
        "host": settings.PUBLIC_URL,
    }
    if source:
        context |= _lit(source, since, now) | {
            "is_website": source.kind == Source.Kind.WEBSITE,
            "samples": connecting.samples(source, keys),
            "keys": ApiKey.objects.live(now).filter(source=source).order_by("-created_at"),
        }
    return render(request, "profiles/connect.html", context)


@staff_member_required
@permission_required(LOOK, raise_exception=True)
@never_cache
def light(request: HttpRequest, source: int) -> HttpResponse:
    """The light alone, which the page asks for once a second until it is on."""
    found = get_object_or_404(Source, pk=source)
    context = {"source": found} | _lit(found, _since(request), timezone.now())
    return render(request, "profiles/connect_light.html", context)


def _lit(source: Source, since: datetime | None, now: datetime) -> dict[str, Any]:
    lit: Light = connecting.light(source, since=since, now=now)
    codes = lit.line.codes if lit.line else ()
    return {
        "light": lit,
        "reasons": [verdict_words.CODES.get(code, code) for code in codes],
        "since": int(since.timestamp()) if since else "",
    }


def _chosen(request: HttpRequest, sources: list[Source]) -> Source | None:
    """The source that the address names, else the newest."""
    named = request.POST.get("source") or request.GET.get("source") or ""
    newest = max(sources, key=lambda source: source.created_at, default=None)
    return next((source for source in sources if str(source.pk) == named), newest)


def _since(request: HttpRequest) -> datetime | None:
    seconds = request.GET.get("since", "")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= LONGEST_SECONDS):
        return None
    try:
        return datetime.fromtimestamp(int(seconds), tz=UTC)
    except (OverflowError, ValueError):
        return None
