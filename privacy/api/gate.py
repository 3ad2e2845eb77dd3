"""What every request under `/v1` passes, whichever view answers it."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from privacy import idempotency, problems
from privacy.api.authentication import admit, key_in_header, limit_of
from privacy.models import ApiKey, Reply
from privacy.problems import DomainError

WRITES: Final = frozenset({"POST", "PUT"})
KEPT_HEADERS: Final = ("Content-Type", "Location")
View = Callable[[HttpRequest], HttpResponse]
R = TypeVar("R", bound=HttpResponse)


class ApiGate:
    """Bounds bodies, answers repeats of an `Idempotency-Key`, tells limits, forbids keeping."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/v1/"):
            return self.get_response(request)
        try:
            _check_size(request)
            response = self._answer(request)
        except DomainError as error:
            response = problems.from_domain(request, error)
        if limit := limit_of(request):
            quota = limit.limit
            response["RateLimit-Policy"] = f'"{quota.name}";q={quota.n};w={quota.seconds}'
            response["RateLimit"] = f'"{quota.name}";r={limit.remaining};t={limit.reset_seconds}'
        if "Authorization" in request.headers:
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        name = request.headers.get("Idempotency-Key", "")
        plaintext = key_in_header(request) if name and request.method in WRITES else ""
        if not plaintext:
            return self.get_response(request)
        key = admit(request, plaintext)
        # A publishable key is everybody's: one visitor's names would answer another's requests.
        if key.kind != ApiKey.Kind.SECRET:
            return self.get_response(request)
        route = f"{request.method} {request.path}"
        said = request.get_full_path().encode() + b"\n" + request.body
        reply = idempotency.begin(key, name, route=route, said=said, now=timezone.now())
        if reply.status is not None:
            return _again(reply)
        response = self.get_response(request)
        _keep(reply, response)
        return response


def keep_as(response: R, told: Any) -> R:
    """Have repeats of the request be told `told`: the answer holds what is shown once."""
    vars(response)["kept"] = json.dumps(told, cls=DjangoJSONEncoder).encode()
    return response


def _keep(reply: Reply, response: HttpResponse) -> None:
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    body = vars(response).get("kept", response.content)
    idempotency.finish(reply, status=response.status_code, headers=headers, body=body)


def _again(reply: Reply) -> HttpResponse:
    response = HttpResponse(bytes(reply.body), status=reply.status, headers=reply.headers)
    response["Idempotent-Replayed"] = "true"
    return response


def _check_size(request: HttpRequest) -> None:
    most: int = settings.API_MAX_BODY_BYTES
    told = request.META.get("CONTENT_LENGTH") or "0"
    if not told.isdigit() or int(told) > most:
        detail = _("The body may have %(n)s bytes.") % {"n": most}
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise DomainError("body_too_large", detail, status=status)
