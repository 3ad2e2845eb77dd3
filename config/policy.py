"""What pages may load and run, and what else their headers forbid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from csp.constants import HEADER, NONCE, NONE, SELF, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

# Scripts come from files of ours alone. Of styles, the theme's colours carry a nonce, and bars
# of charts get their width by an attribute, which can load or run nothing.
DIRECTIVES: Final[dict[str, Any]] = {
    "default-src": [SELF],
    "script-src": [SELF],
    "style-src": [SELF, NONCE],
    "style-src-attr": [UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "object-src": [NONE],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
    "form-action": [SELF],
}
# The viewers of the API's document write their own style elements.
VIEWERS: Final[dict[str, Any]] = {
    "style-src": [SELF, UNSAFE_INLINE],
    "worker-src": [SELF, "blob:"],
}
# Facts are no page: a browser that shows them as one loads nothing.
OF_FACTS: Final = "default-src 'none'; frame-ancestors 'none'"
FACTS: Final = frozenset({"application/json", "application/problem+json"})
PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class ContentPolicy(CSPMiddleware):
    """The policy of `DIRECTIVES`, put together for each page; the one of facts is always the same."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if response.headers.get("Content-Type") in FACTS:
            response.headers[HEADER] = OF_FACTS
            return response
        return super().process_response(request, response)


class Permissions:
    """No page of ours asks for a device, so none that slips in may either."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response
