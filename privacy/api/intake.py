"""The pages on which a person asks about their own data; no account, no script."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from privacy import requests
from privacy.api.addresses import address_of
from privacy.models import PrivacyRequest, Shop
from privacy.problems import DomainError

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django_stubs_ext import StrOrPromise

KINDS: dict[str, StrOrPromise] = {
    PrivacyRequest.Kind.ACCESS: _("A copy of my data"),
    PrivacyRequest.Kind.ERASE: _("Erase my data"),
    PrivacyRequest.Kind.CORRECT: _("Correct my data"),
    PrivacyRequest.Kind.RESTRICT: _("Keep my data, but stop using it"),
    PrivacyRequest.Kind.OBJECT: _("No more advertising"),
}
LANGUAGES = (("en", "English"), ("zh-hans", "简体中文"))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Show the form; on POST take the request in, with one answer for every address."""
    with translation.override(_language(request)):
        if request.method != "POST":
            return _page(request, "ask")
        given = {name: request.POST.get(name, "").strip() for name in ("kind", "email", "details")}
        try:
            requests.submit(
                given["kind"],
                given["email"],
                details=given["details"],
                language=translation.get_language() or "en",
                visitor=address_of(request),
                now=timezone.now(),
            )
        except DomainError as error:
            return _page(request, "ask", error.status, error=error, given=given)
        return _page(request, "mailed")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button on GET and confirm on POST: programs that look at links change nothing."""
    now = timezone.now()
    waiting = requests.waiting(token, now=now)
    with translation.override(waiting.language if waiting else _language(request)):
        if waiting is None:
            return _page(request, "over", HTTPStatus.NOT_FOUND)
        if request.method != "POST":
            return _page(request, "confirm", asked=waiting)
        done = requests.confirm(token, now=now)
        return _page(request, "confirmed" if done else "over")


def _language(request: HttpRequest) -> str:
    wanted = request.GET.get("language", "")
    known = {code for code, _name in LANGUAGES}
    return wanted if wanted in known else translation.get_language_from_request(request)


def _page(
    request: HttpRequest, step: str, status: int = HTTPStatus.OK, **facts: Any
) -> HttpResponse:
    context = {
        "step": step,
        "shop": Shop.current().name,
        "kinds": [(value, KINDS[value]) for value in PrivacyRequest.Kind.values],
        "languages": LANGUAGES,
        "language": translation.get_language(),
        **facts,
    }
    return render(request, "privacy/intake.html", context, status=status)
