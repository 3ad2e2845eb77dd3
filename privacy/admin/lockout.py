"""What somebody sees who gave too many wrong passwords."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def locked_out(request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
    """Say so, and when to come back; the same whether or not the account exists."""
    wait = settings.AXES_COOLOFF_TIME
    answer = render(
        request,
        "privacy/locked_out.html",
        {"minutes": int(wait.total_seconds() // 60)},
        status=HTTPStatus.TOO_MANY_REQUESTS,
    )
    answer["Retry-After"] = str(int(wait.total_seconds()))
    return answer
