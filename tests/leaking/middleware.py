"""Opens a name as it may, and then lets it get out in one of the ways that people forget."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from jobs.models import Job
from privacy.models import Staff
from privacy.purposes import purpose
from profiles.models import Customer

log = logging.getLogger(__name__)
Leaking = Callable[[HttpResponse, str, datetime], object]


def on_the_page(answer: HttpResponse, name: str, _now: datetime) -> None:
    answer["X-Reader"] = name


def into_the_log(_answer: HttpResponse, name: str, _now: datetime) -> None:
    log.info("page shown", extra={"reader": name})


def into_the_cache(_answer: HttpResponse, name: str, _now: datetime) -> None:
    cache.set("last-reader", name)


def into_a_job(_answer: HttpResponse, name: str, now: datetime) -> None:
    Job.objects.create(
        kind="tests.greet",
        queue=Job.Queue.DEFAULT,
        state=Job.State.DONE,
        payload={"name": name},
        not_before=now,
        created_at=now,
    )


def into_a_file(_answer: HttpResponse, name: str, _now: datetime) -> None:
    (settings.VAR_DIR / "readers.csv").write_text(name, encoding="utf-8")


LEAKS: dict[str, Leaking] = {
    "pages": on_the_page,
    "log": into_the_log,
    "cache": into_the_cache,
    "database": into_a_job,
    "files": into_a_file,
}


class Leak:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.leak = LEAKS[os.environ["LEAK"]]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        now = timezone.now()
        reader = Customer.objects.filter(external_id="canary-0").first()
        staff = Staff.objects.filter(role=Staff.Role.SUPPORT).first()
        if reader and reader.full_name and staff and request.path == "/admin/":
            with purpose("support.reveal", actor=f"staff:{staff.pk}", now=now):
                self.leak(answer, reader.full_name.reveal(), now)
        return answer
