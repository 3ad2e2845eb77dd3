"""The three addresses that stand in a message: open pixel, click, unsubscribe."""

from __future__ import annotations

from base64 import b64decode
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns import tracking
from campaigns.rendering.locales import normalize
from privacy.models import Shop

if TYPE_CHECKING:
    from django.http import HttpRequest

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@never_cache
@require_http_methods(["GET", "HEAD"])
def open_pixel(request: HttpRequest, token: str) -> HttpResponse:
    """Answer any token with the same image, so that it tells nothing."""
    tracking.opened(token, _visit(request), timezone.now())
    return HttpResponse(PIXEL, content_type="image/gif")


@never_cache
@require_http_methods(["GET", "HEAD"])
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Lead to the target that was stored for this link, and to no other."""
    try:
        target = tracking.clicked(token, _visit(request), timezone.now())
    except tracking.UnknownLinkError:
        return _page(request, "broken", HTTPStatus.NOT_FOUND)
    return HttpResponse(
        status=HTTPStatus.FOUND, headers={"Location": target, "Referrer-Policy": "no-referrer"}
    )


@never_cache
@require_http_methods(["GET", "HEAD"])
def cart(request: HttpRequest, token: str) -> HttpResponse:
    """Lead back to the cart that the message is about."""
    try:
        target = tracking.back_to_cart(token, _visit(request), timezone.now())
    except tracking.UnknownLinkError:
        return _page(request, "broken", HTTPStatus.NOT_FOUND)
    return HttpResponse(
        status=HTTPStatus.FOUND, headers={"Location": target, "Referrer-Policy": "no-referrer"}
    )


@csrf_exempt  # RFC 8058: the mail program posts without having seen a page
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show a page on GET and never act; act on POST whatever its body (RFC 8058)."""
    if not tracking.TOKEN.fullmatch(token):
        return _page(request, "broken", HTTPStatus.NOT_FOUND)
    found = tracking.find(token)
    with translation.override(_language(request, found.locale if found else "")):
        choices = tracking.preferences_link(found) if found else ""
        topic = found.campaign.topic if found else None
        about = topic.title(translation.get_language() or "") if topic else ""
        if request.method != "POST":
            return _page(request, "ask", choices=choices, topic=about)
        # A mail program's POST says nothing of a topic: it ends all of the channel.
        if request.POST.get("only") == "topic" and tracking.refuse_topic(token, timezone.now()):
            return _page(request, "less", choices=choices, topic=about)
        tracking.unsubscribe(token, timezone.now(), wording=_("Unsubscribe"))
        return _page(request, "done", choices=choices)


def _visit(request: HttpRequest) -> tracking.Visit:
    purpose = request.headers.get("Sec-Purpose", "") or request.headers.get("Purpose", "")
    return tracking.Visit(request.method or "", request.headers.get("User-Agent", ""), purpose)


def _language(request: HttpRequest, of_message: str) -> str:
    wanted = normalize(of_message)
    for language in (wanted, wanted.split("-")[0]):
        if translation.check_for_language(language):
            return language
    return translation.get_language_from_request(request)


def _page(
    request: HttpRequest,
    step: str,
    status: int = HTTPStatus.OK,
    *,
    choices: str = "",
    topic: str = "",
) -> HttpResponse:
    shop = Shop.current().name
    facts = {"step": step, "shop": shop, "action": request.path, "choices": choices}
    facts["topic"] = topic
    return render(request, "campaigns/unsubscribe.html", facts, status=status)
