"""The one error base of the domain, and its form on the wire: RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions

from privacy import finder

if TYPE_CHECKING:
    from rest_framework.request import Request

MEDIA_TYPE = "application/problem+json"
CHALLENGE = 'Bearer realm="candor"'
CODES = {"invalid": "validation_error", "error": "server_error"}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a request; `pointer` is an RFC 6901 pointer into its body."""

    code: str
    detail: str
    pointer: str = ""


class DomainError(Exception):
    """A refusal that the caller can act on: one problem document, one message in the admin.

    `code` is stable and documented in docs/reference/errors.md; `detail` names the field and
    the fix and never quotes personal data.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int = 400,
        pointer: str = "",
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.pointer = pointer
        self.headers = dict(headers or {})
        self.errors = tuple(errors) or ((Fault(code, detail, pointer),) if pointer else ())


def request_id(request: HttpRequest) -> str:
    """The id that the logs carry for this request; made here if no middleware gave one."""
    found = getattr(request, "request_id", "")
    if not found:
        found = uuid4().hex
        request.request_id = found  # type: ignore[attr-defined]
    return str(found)


def response(
    request: HttpRequest,
    *,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Fault] = (),
    headers: dict[str, str] | None = None,
) -> JsonResponse:
    """A problem document; `message` repeats `detail` for Segment's clients, which read it."""
    body = {
        "type": f"urn:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        # An address that somebody put into the path goes no further, say into a client's log.
        "instance": finder.redact(request.path),
        "request_id": request_id(request),
        "code": code,
        "message": detail,
        "errors": [asdict(fault) for fault in errors],
    }
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE, headers=headers)


def from_domain(request: HttpRequest, error: DomainError) -> JsonResponse:
    headers = dict(error.headers)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = CHALLENGE
    return response(
        request,
        status=error.status,
        code=error.code,
        detail=str(error.detail),
        errors=error.errors,
        headers=headers,
    )


def exception_handler(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """REST framework's hook; what it does not know stays an error 500 of the server."""
    request = cast("Request", context["request"])._request
    if isinstance(error, DomainError):
        return from_domain(request, error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    faults = tuple(_faults(error.get_full_details()))
    invalid = isinstance(error, exceptions.ValidationError)
    code = "validation_error" if invalid else faults[0].code
    detail = _("Some fields are not valid; see errors.") if invalid else faults[0].detail
    return response(
        request,
        status=error.status_code,
        code=code,
        detail=detail,
        errors=faults if invalid else (),
        headers=_headers(error),
    )


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = CHALLENGE
    if (wait := getattr(error, "wait", None)) is not None:  # only a throttle knows a wait
        headers["Retry-After"] = str(max(1, int(wait)))
    return headers


def _faults(details: Any, pointer: str = "") -> Iterator[Fault]:
    """Walk REST framework's nested details, which mirror the body they complain about."""
    if _is_leaf(details):
        code = str(details["code"])
        yield Fault(CODES.get(code, code), details["message"], pointer)
    elif isinstance(details, dict):
        for name, below in details.items():
            inside = name == "non_field_errors"
            yield from _faults(below, pointer if inside else f"{pointer}/{escape(str(name))}")
    elif all(map(_is_leaf, details)):
        for leaf in details:
            yield from _faults(leaf, pointer)
    else:
        for index, below in enumerate(details):
            yield from _faults(below, f"{pointer}/{index}")


def _is_leaf(details: Any) -> bool:
    return isinstance(details, dict) and isinstance(details.get("message"), str)


def escape(name: str) -> str:
    """A member name as one RFC 6901 reference token."""
    return name.replace("~", "~0").replace("/", "~1")
