"""Answers for probes: is the process there, can it serve, do workers consume.

They come before the rules for hosts and TLS, because load balancers ask by address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse, JsonResponse
from django.utils import timezone

from config import probes
from config.probes import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from django.http import HttpRequest

_migrated: set[str] = set()


class Probes:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (answer := ANSWERS.get(request.path_info)) is not None:
            return answer(timezone.now())
        return self.get_response(request)


def healthz(_now: datetime) -> HttpResponse:
    """Answer that this process takes requests; it looks at nothing else."""
    return HttpResponse(b'{"status": "ok"}', content_type="application/json")


def readyz(now: datetime) -> HttpResponse:
    """Answer 200 if requests can be served, else 503 with what is missing.

    A silent scheduler is told but takes no web process out of service.
    """
    findings = [probes.database(alias) for alias in ("default", "keystore")]
    findings += [_migrations(alias) for alias in ("default", "keystore")]
    findings += [probes.broker(), probes.keys(), probes.erasures()]
    findings += [probes.scheduler(now)]
    return _answer(findings, bad={Level.FAIL})


def worker(now: datetime) -> HttpResponse:
    """Answer 200 if tasks came through every queue of late, else 503 with the silent ones."""
    return _answer(probes.workers(now), bad={Level.WARN, Level.FAIL})


def _migrations(alias: str) -> Finding:
    """Look once: a running process's migrations cannot become unapplied in good order."""
    if alias in _migrated:
        return Finding(f"migrations {alias}", Level.OK, "")
    found = probes.migrations(alias)
    if found.level == Level.OK:
        _migrated.add(alias)
    return found


def _answer(findings: Iterable[Finding], *, bad: set[Level]) -> HttpResponse:
    checks = {found.name: found.level for found in findings}
    ok = not bad & set(checks.values())
    body = {"status": "ok" if ok else "unavailable", "checks": checks}
    answer = JsonResponse(body, status=200 if ok else 503)
    answer["Content-Length"] = str(len(answer.content))
    return answer


ANSWERS = {"/healthz": healthz, "/readyz": readyz, "/healthz/worker": worker}
