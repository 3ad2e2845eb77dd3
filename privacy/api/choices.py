"""The two public pages of consent: preferences, and the confirmation of an opt-in.

Opening either changes nothing: scanners of mail follow every link. A button acts.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from privacy import opt_in, preferences
from privacy.models import Shop
from privacy.problems import DomainError

_SPOKEN = {"en": "English", "zh-hans": "简体中文"}


@csrf_exempt  # the token in the address is the authority; there is no session to ride on
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences_page(request: HttpRequest, token: str) -> HttpResponse:
    with translation.override(_language(request)):
        return _preferences(request, token)


def _preferences(request: HttpRequest, token: str) -> HttpResponse:
    subject = preferences.find(token)
    if subject is None and preferences.is_ours(token):
        # Erased since: there is nothing to choose, and a click is answered all the same.
        return _page(request, "privacy/gone.html")
    if subject is None:
        return _page(request, "privacy/broken_link.html", status=HTTPStatus.NOT_FOUND)
    if request.method == "POST":
        try:
            _act(request, subject)
        except DomainError as error:
            return _page(
                request, "privacy/broken_link.html", {"why": error.detail}, HTTPStatus.BAD_REQUEST
            )
        told = {"saved": "1", "language": translation.get_language() or ""}
        return redirect(f"{request.path}?{urlencode(told)}")
    facts = {
        "choices": preferences.choices(subject),
        "topics": preferences.topic_rows(subject, translation.get_language() or ""),
        "is_profiled": not subject.no_profiling,
        "is_saved": "saved" in request.GET,
        "languages": [(code, _SPOKEN[code]) for code, _name in settings.LANGUAGES],
        "language": translation.get_language(),
    }
    return _page(request, "privacy/preferences.html", facts)


def _act(request: HttpRequest, subject: Any) -> None:
    on = request.POST.get("on") == "1"
    if "topics" in request.POST:
        preferences.choose_topics(
            subject,
            request.POST.getlist("offered"),
            request.POST.getlist("wanted"),
            locale=translation.get_language() or "",
            now=timezone.now(),
        )
        return
    if "profiling" in request.POST:
        preferences.profile(subject, allowed=on, now=timezone.now())
        return
    preferences.choose(
        subject,
        request.POST.get("purpose", ""),
        request.POST.get("channel", ""),
        on=on,
        wording=_("Yes, please") if on else _("No, thank you"),
        locale=translation.get_language() or "",
        now=timezone.now(),
    )


@csrf_exempt  # as above
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_page(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    asked = opt_in.confirm(token, now=now) if request.method == "POST" else None
    asked = asked or (opt_in.find(token, now=now) if request.method != "POST" else None)
    if asked is None:
        return _page(request, "privacy/broken_link.html", status=HTTPStatus.NOT_FOUND)
    facts = {"asked": asked, "is_confirmed": request.method == "POST" or asked.confirmed_at}
    return _page(request, "privacy/confirm.html", facts)


def _language(request: HttpRequest) -> str:
    """The language the message was in, else the browser's; no cookie says it."""
    wanted = request.GET.get("language", "").lower()
    for code in (wanted, wanted.split("-")[0], "zh-hans" if wanted.startswith("zh") else ""):
        if code in _SPOKEN:
            return code
    return translation.get_language_from_request(request)


def _page(
    request: HttpRequest, template: str, facts: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    shown = {"shop": Shop.current().name, "action": request.path, **(facts or {})}
    answer = render(request, template, shown, status=status)
    answer["Referrer-Policy"] = "no-referrer"
    return answer
