"""Logs for people and machines: one line a record, a request id, and no personal data.

Neither query strings nor paths are written, but the route that matched; of an error its type
and where it happened, never its text, which may quote a value.
"""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from privacy import finder

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponse

HEADER = "X-Request-ID"
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
FORMATS = ("text", "json")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
STANDARD = set(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "request",
    "data",
}

request_id: ContextVar[str] = ContextVar("request_id", default="")
access_log = logging.getLogger("candor.access")


class RequestLog:
    """Gives each request an id, the caller's if it is a plain word, and logs its end."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        token = request_id.set(given if ACCEPTED_ID.fullmatch(given) else uuid4().hex)
        request.request_id = request_id.get()  # type: ignore[attr-defined]
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response[HEADER] = request_id.get()
            access_log.info(
                "request",
                extra={
                    "method": request.method,
                    "route": route_of(request),
                    "status": response.status_code,
                    "ms": round((time.perf_counter() - started) * 1000, 1),
                },
            )
        finally:
            request_id.reset(token)
        return response


def route_of(request: HttpRequest) -> str:
    """Return the pattern that matched, which holds no value of the request."""
    return request.resolver_match.route if request.resolver_match else "(none)"


class HideValues(logging.Filter):
    """Django's records quote the path, which may hold a token; Celery's an error's text."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "celery.app.trace" and record.exc_info:
            record.msg, record.args = "task failed", ()
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest):
            record.msg, record.args = (
                "%s %s",
                (getattr(record, "status_code", ""), route_of(request)),
            )
        return True


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in facts_of(record).items())
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{at} {record.levelname.lower():8} {record.name}: {message_of(record)} {facts}"
        return line.rstrip()


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
            **facts_of(record),
        }
        return json.dumps(entry, default=str, ensure_ascii=False)


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message; the finder is a net under the rule that it holds no values."""
    return finder.redact(record.getMessage())


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the record's extra facts, its request id, and where its error happened."""
    facts = {
        name: finder.redact(value) if isinstance(value, str) else value
        for name, value in vars(record).items()
        if name not in STANDARD
    }
    if current := request_id.get():
        facts["request_id"] = current
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        facts["error"] = type(error).__name__
        facts["where"] = where(error)
    return facts


def where(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def logging_settings(*, level: str, form: str) -> dict[str, Any]:
    """Return Django's LOGGING. Raises ImproperlyConfigured for an unknown level or form."""
    if level not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL is {level!r}; use one of {', '.join(LEVELS)}")
    if form not in FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT is {form!r}; use one of {', '.join(FORMATS)}")
    formatter = {"text": "TextFormatter", "json": "JsonFormatter"}[form]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"values": {"()": "config.observability.HideValues"}},
        "formatters": {"line": {"()": f"config.observability.{formatter}"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["values"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            # The access log has each answer; what Django adds are its warnings for 4xx.
            "django.request": {"level": "ERROR"},
            "axes": {"level": "ERROR"},  # its warnings quote names and addresses
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            "amqp": {"level": "WARNING"},
            "waitress": {"level": "WARNING"},
        },
    }
