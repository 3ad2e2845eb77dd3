"""The tracking endpoints: lean views, since every page view of the shop comes through here."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Final

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from privacy import doors, problems
from privacy.api.addresses import address_of
from privacy.api.authentication import admit, cors_headers, key_in_header, require_scope
from privacy.models import ApiKey
from privacy.problems import DomainError, Fault
from profiles.events import ingestion, wire

# Browsers' beacons are text/plain; RudderStack's client for Node calls what it packs a form.
MEDIA_TYPES: Final = frozenset(
    {"application/json", "text/plain", "application/x-www-form-urlencoded"}
)
KNOWS_ONLY_200: Final = "analytics-python/"  # RudderStack's for Python takes 202 for a failure
View = Callable[..., HttpResponse]

_encode = msgspec.json.Encoder().encode


class Rejection(msgspec.Struct, rename="camel"):
    """An event that was not taken in, and why."""

    index: int
    message_id: str
    code: str
    detail: str


class Receipt(msgspec.Struct, rename="camel"):
    """What became of the events of one request."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]
    warnings: list[Rejection]


def lean(method: str) -> Callable[[View], View]:
    """A view outside REST framework: one method, CORS, problem documents, no session."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def wrapped(request: HttpRequest, **parts: str) -> HttpResponse:
            if request.method == "OPTIONS":
                response = HttpResponse(status=HTTPStatus.NO_CONTENT)
            else:
                try:
                    _check_method(request, method)
                    response = view(request, **parts)
                except DomainError as error:
                    response = problems.from_domain(request, error)
            if request.headers.get("Origin"):
                for name, value in cors_headers(request).items():
                    response[name] = value
            return response

        return wrapped

    return decorate


@lean("POST")
def batch(request: HttpRequest) -> HttpResponse:
    return _take(request, kind=None)


@lean("POST")
def single(request: HttpRequest, *, kind: str) -> HttpResponse:
    return _take(request, kind=kind)


@lean("GET")
def project_settings(_request: HttpRequest, *, write_key: str) -> HttpResponse:
    """What Segment's browser client asks for before it starts."""
    if doors.find(write_key, now=timezone.now()).kind == ApiKey.Kind.SECRET:
        detail = _("A secret key does not belong in an address; use a publishable one.")
        raise DomainError("wrong_kind_of_key", detail, status=HTTPStatus.FORBIDDEN)
    host = settings.PUBLIC_URL.partition("://")
    destination = {"apiKey": write_key, "apiHost": f"{host[2]}/v1", "protocol": host[0]}
    return JsonResponse({"integrations": {"Segment.io": destination}})


def _take(request: HttpRequest, *, kind: str | None) -> HttpResponse:
    try:
        body = wire.inflate(_body(request), request.headers.get("Content-Encoding", ""))
        envelope, raws = wire.open_envelope(body, is_batch=kind is None)
    except wire.UnreadableError as error:
        raise DomainError(error.code, str(error), status=error.status) from None
    key = admit(request, key_in_header(request) or envelope.write_key or "")
    require_scope(key, "events:write")
    receipt = ingestion.take_in(
        raws,
        key=key,
        kind=kind,
        sent_at=envelope.sent_at,
        ip=_address(request, key),
        now=timezone.now(),
    )
    if receipt.rejected and not receipt.n_accepted:
        return _all_rejected(request, receipt)
    answer = Receipt(
        accepted=receipt.n_accepted,
        duplicates=receipt.n_duplicates,
        rejected=[_rejection(remark) for remark in receipt.rejected],
        warnings=[_rejection(remark) for remark in receipt.warnings],
    )
    agent = request.headers.get("User-Agent", "")
    status = HTTPStatus.OK if agent.startswith(KNOWS_ONLY_200) else HTTPStatus.ACCEPTED
    return HttpResponse(_encode(answer), status=status, content_type="application/json")


def _check_method(request: HttpRequest, method: str) -> None:
    if request.method != method:
        detail = _("Use the method %(method)s here.") % {"method": method}
        status = HTTPStatus.METHOD_NOT_ALLOWED
        headers = {"Allow": f"{method}, OPTIONS"}
        raise DomainError("method_not_allowed", detail, status=status, headers=headers)


def _body(request: HttpRequest) -> bytes:
    if request.content_type not in MEDIA_TYPES:
        detail = _("Send application/json or text/plain.")
        status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        raise DomainError("unsupported_media_type", detail, status=status)
    if int(request.META.get("CONTENT_LENGTH") or 0) > wire.MAX_BODY_BYTES:
        detail = _("The body may have %(n)s bytes.") % {"n": wire.MAX_BODY_BYTES}
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise DomainError("body_too_large", detail, status=status)
    return request.body


def _address(request: HttpRequest, key: ApiKey) -> str:
    """Where the customer is: a server's own address would only mislead."""
    return "" if key.kind == ApiKey.Kind.SECRET else address_of(request)


def _rejection(remark: ingestion.Remark) -> Rejection:
    return Rejection(remark.index, remark.message_id, remark.code, remark.detail)


def _all_rejected(request: HttpRequest, receipt: ingestion.Receipt) -> HttpResponse:
    return problems.response(
        request,
        status=HTTPStatus.BAD_REQUEST,
        code="all_events_rejected",
        detail=_("No event was taken in; errors says why, event by event."),
        errors=[
            Fault(remark.code, remark.detail, f"/batch/{remark.index}")
            for remark in receipt.rejected
        ],
    )
