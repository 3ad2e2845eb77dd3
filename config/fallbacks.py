"""What answers when no view did: problem documents for machines, Django's pages for people."""

from __future__ import annotations

import logging
import sys
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views import defaults

from config.outages import outage_of
from privacy import problems

log = logging.getLogger(__name__)

RETRY_SECONDS = 10
MACHINE_PATHS = ("/v1/", "/ofrep/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not _for_machines(request):
        return defaults.bad_request(request, exception)
    detail = _("The request is malformed.")
    return _problem(request, HTTPStatus.BAD_REQUEST, "bad_request", detail)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not _for_machines(request):
        return defaults.permission_denied(request, exception)
    detail = _("You may not do this.")
    return _problem(request, HTTPStatus.FORBIDDEN, "permission_denied", detail)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not _for_machines(request):
        return defaults.page_not_found(request, exception)
    detail = _("There is nothing at this address.")
    return _problem(request, HTTPStatus.NOT_FOUND, "not_found", detail)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for the exception that is being handled: 503 if something is away, else 500."""
    if (outage := outage_of(sys.exception())) is not None:
        log.error("answered 503", extra={"code": outage.code, "cause": outage.cause})
        return unavailable(request, outage.detail, code=outage.code)
    if not _for_machines(request):
        return defaults.server_error(request)
    detail = _("Something failed here; it has been logged under request_id.")
    return _problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", detail)


def unavailable(request: HttpRequest, detail: str, *, code: str = "unavailable") -> HttpResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    if _for_machines(request):
        answer = _problem(request, status, code, detail)
    else:
        answer = HttpResponse(detail, status=status, content_type="text/plain; charset=utf-8")
    answer["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _for_machines(request: HttpRequest) -> bool:
    return request.path.startswith(MACHINE_PATHS)


def _problem(request: HttpRequest, status: HTTPStatus, code: str, detail: str) -> HttpResponse:
    return problems.response(request, status=status, code=code, detail=detail)
