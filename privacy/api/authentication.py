"""Who calls: the API key of a request, from wherever its client puts it."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from privacy import doors, throttling
from privacy.api.addresses import address_of
from privacy.models import ApiKey
from privacy.problems import CHALLENGE, DomainError

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module by its settings

READS = {"GET", "HEAD", "OPTIONS"}


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the ApiKey; a key names a source, so there is no user."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        plaintext = key_in_header(request._request)
        if not plaintext:
            return None
        return AnonymousUser(), admit(request._request, plaintext)

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class HasScope(BasePermission):
    """Compares the key's scopes with the view's `required_scope`.

    `orders:read` is asked for as it stands; of a bare `orders`, reading asks for
    `orders:read` and everything else for `orders:write`.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiKey):
            return False
        needed: str = view.required_scope  # type: ignore[attr-defined]
        if ":" not in needed:
            needed = f"{needed}:{'read' if request.method in READS else 'write'}"
        require_scope(request.auth, needed)
        if request.auth.is_test and request.method not in READS:
            detail = _("A test key changes nothing here; use a live one.")
            raise DomainError("test_key", detail, status=HTTPStatus.FORBIDDEN)
        return True


def key_of(request: Request) -> ApiKey:
    """The key that `HasScope` let in."""
    return cast("ApiKey", request.auth)


def require_scope(key: ApiKey, scope: str) -> None:
    if scope not in doors.scopes_of(key):
        detail = _("This key lacks the scope %(scope)s.") % {"scope": scope}
        raise DomainError("missing_scope", detail, status=HTTPStatus.FORBIDDEN)


def key_in_header(request: HttpRequest) -> str:
    """The key of a Bearer or Basic header (there it is the user name), or an empty string."""
    scheme, _space, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return decoded.partition(":")[0]
    return ""


def admit(request: HttpRequest, plaintext: str) -> ApiKey:
    """The key that `plaintext` opens for this request.

    Raises DomainError `invalid_key` (401), `too_many_requests` (429), or `origin_not_allowed` (403) where a page uses a
    browser key that does not name its origin. Pages of this installation need no naming.
    """
    kept = vars(request)
    known, key = kept.get("admitted", (None, None))
    if key is not None and known == plaintext:
        return cast("ApiKey", key)
    key = _find(request, plaintext)
    _require_origin(request, key)
    kept["admitted"] = (plaintext, key)
    return key


def expect(request: HttpRequest, plaintext: str, *, now: datetime) -> doors.Recalled | None:
    """The key that `admit` lets in, if it has not changed since it was read last.

    The request is counted. Nothing may be told or done before its version is compared, no
    refusal either: None and any DomainError but `too_many_requests` are for `admit` to say.
    """
    if (known := doors.recall(plaintext, now=now)) is None:
        return None
    _count(request, known.key, throttling.neighbourhood(address_of(request)), now=now)
    _require_origin(request, known.key)
    return known


def _require_origin(request: HttpRequest, key: ApiKey) -> None:
    origin = foreign_origin(request)
    if origin and not doors.allows_origin(key, origin):
        detail = _("This key may not be used from that origin; add it to the key's origins.")
        raise DomainError("origin_not_allowed", detail, status=HTTPStatus.FORBIDDEN)


def _find(request: HttpRequest, plaintext: str) -> ApiKey:
    """The key, counted against its limits and its caller's; who guesses is counted as such."""
    now = timezone.now()
    caller = throttling.neighbourhood(address_of(request))
    try:
        key = doors.find(plaintext, now=now)
    except DomainError:
        throttling.take([(doors.GUESSES, caller)], now=now)
        raise
    _count(request, key, caller, now=now)
    return key


def _count(request: HttpRequest, key: ApiKey, caller: str, *, now: datetime) -> None:
    """Count a request once, whoever asks in turn; what is told of the limit is of a key let in."""
    kept = vars(request)
    if kept.get("counted", (None,))[0] != key.pk:
        of_key, of_caller = doors.LIMITS[key.kind]
        state = throttling.take([(of_caller, f"{key.pk}:{caller}"), (of_key, str(key.pk))], now=now)
        kept["counted"] = key.pk, state
    kept["limit"] = kept["counted"][1]


def limit_of(request: HttpRequest) -> throttling.State | None:
    """The limit with least left that this request was counted against."""
    found: throttling.State | None = vars(request).get("limit")
    return found


def foreign_origin(request: HttpRequest) -> str:
    """The origin of the page that asks, unless it is a page of this installation."""
    origin: str = request.headers.get("Origin", "")
    is_ours = origin and origin == f"{request.scheme}://{request.get_host()}"
    return "" if is_ours else origin


def cors_headers(request: HttpRequest, *, named_by: ApiKey | None = None) -> dict[str, Any]:
    """What lets a page of a known origin read the answer; empty for every other.

    `named_by` is a live key that the request was let in by.
    """
    origin = foreign_origin(request)
    is_named = named_by is not None and origin in named_by.origins
    if not origin or not (is_named or doors.is_known_origin(origin, now=timezone.now())):
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "authorization, content-type",
        "Access-Control-Max-Age": "600",
        "Access-Control-Expose-Headers": "ETag",
        "Vary": "Origin",
    }
