"""The two public pages of consent: preferences, and the confirmation of an opt-in.

Opening either changes nothing: scanners of mail follow every link. A button acts.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

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


@csrf_exempt  # the token in the address is the authority; there is no session to ride on
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences_page(request: HttpRequest, token: str) -> HttpResponse:
    subject = preferences.find(token)
    if subject is None:
        return _page(request, "privacy/broken_link.html", status=HTTPStatus.NOT_FOUND)
    if request.method == "POST":
        try:
            _act(request, subject)
        except DomainError as error:
            return _page(
                request, "privacy/broken_link.html", {"why": error.detail}, HTTPStatus.BAD_REQUEST
            )
        return redirect(f"{request.path}?saved=1")
    facts = {
        "choices": preferences.choices(subject),
        "is_profiled": not subject.no_profiling,
        "is_saved": "saved" in request.GET,
    }
    return _page(request, "privacy/preferences.html", facts)


def _act(request: HttpRequest, subject: Any) -> None:
    on = request.POST.get("on") == "1"
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


def _page(
    request: HttpRequest, template: str, facts: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    shown = {"shop": Shop.current().name, "action": request.path, **(facts or {})}
    answer = render(request, template, shown, status=status)
    answer["Referrer-Policy"] = "no-referrer"
    return answer
