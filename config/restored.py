"""Refusing to serve a restored database until those erased since its backup are erased again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.http import HttpResponse

from config import fallbacks
from config.probes import Level, erasures

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

LOOK_SECONDS = 30.0


class RestoreGate:
    """Looks at the ledger of erasures twice a minute, at the cost of three small queries."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._looked_at = 0.0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            if (found := erasures()).level == Level.FAIL:
                return fallbacks.unavailable(request, f"{found.text} {found.remedy}")
            self._looked_at = time.monotonic()
        return self.get_response(request)


def refusal() -> str:
    """Return why this installation may not serve, or nothing."""
    found = erasures()
    return f"{found.text} {found.remedy}" if found.level == Level.FAIL else ""
