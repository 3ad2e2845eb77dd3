"""Where a request comes from, behind as many proxies as are ours and no more."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from django.conf import settings
from django.http import HttpRequest

KEPT: Final = 4_096


def address_of(request: HttpRequest) -> str:
    """The address of the client, in its plain form; empty where none can be read.

    Each of our proxies (`TRUSTED_PROXIES` of them) adds who called it at the end of
    X-Forwarded-For. What stands before those, the client may have written itself.
    """
    n_proxies: int = settings.TRUSTED_PROXIES
    found = request.META.get("REMOTE_ADDR", "")
    if n_proxies:
        passed = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        found = passed[-n_proxies] if len(passed) >= n_proxies else found
    return _plain(found)


@lru_cache(maxsize=KEPT)
def _plain(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return ""
