"""How often one may knock: sliding windows in the cache, for a key and for an address.

A window's count is estimated from the one before it and the current one, so nobody gets twice
the limit around a window's edge. A refused request counts too.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Final

from django.core.cache import cache, caches
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from privacy.counting import CountingCache, Window
from privacy.problems import DomainError

KEPT: Final = 4_096  # callers whose tags a process has in memory; addresses are written nowhere
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limit:
    """At most `n` requests within any `seconds`."""

    name: str
    n: int
    seconds: int


@dataclass(frozen=True)
class State:
    """What is left of a limit, and in how many seconds all of it is back."""

    limit: Limit
    remaining: int
    reset_seconds: int
    wait_seconds: int = 0


class TooManyError(DomainError):
    """Over a limit; `Retry-After` says when there is room again."""

    def __init__(self, state: State) -> None:
        super().__init__(
            "too_many_requests",
            _("Too many requests; try again in %(n)s seconds.") % {"n": state.wait_seconds},
            status=HTTPStatus.TOO_MANY_REQUESTS,
            headers={"Retry-After": str(state.wait_seconds)},
        )
        self.state = state


def take(limits: Iterable[tuple[Limit, str]], *, now: datetime) -> State | None:
    """Count a request against each limit of whom it names; return the one with least left.

    Raises TooManyError. Without its cache it lets everybody in: the doors themselves stay shut
    to whoever has no key.
    """
    asked, seconds = list(limits), now.timestamp()
    try:
        counts = _count([_window(limit, who, seconds) for limit, who in asked])
    except _cache_errors() as error:
        told = {"error": type(error).__name__}
        log.warning("requests are not counted: the cache is away", extra=told)
        return None
    states = [
        _state(limit, current, before, seconds)
        for (limit, _who), (current, before) in zip(asked, counts, strict=False)
    ]
    for state in states:
        if state.wait_seconds:
            raise TooManyError(state)
    return min(states, key=lambda one: one.remaining / one.limit.n, default=None)


def _cache_errors() -> tuple[type[Exception], ...]:
    """What a cache that is away raises."""
    from redis.exceptions import RedisError  # noqa: PLC0415 -- a tenth of a start, seldom needed

    return RedisError, OSError


@lru_cache(maxsize=KEPT)
def neighbourhood(address: str) -> str:
    """Whose limit an address counts against: its own, in IPv6 that of its network of 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else f"{int(parsed) >> 64:x}"
    return str(parsed)


def _window(limit: Limit, who: str, seconds: float) -> Window:
    number, into = divmod(seconds, limit.seconds)
    name = f"limit:{limit.name}:{_tag(who)}"
    return Window(
        name=f"{name}:{number:.0f}",
        before=f"{name}:{number - 1:.0f}",
        n=limit.n,
        passed=into / limit.seconds,
        seconds=2 * limit.seconds,
    )


def _state(limit: Limit, current: int, before: int, seconds: float) -> State:
    into = seconds % limit.seconds
    passed = into / limit.seconds
    used = before * (1 - passed) + current
    rest = limit.seconds - into
    if used <= limit.n:
        return State(limit, int(limit.n - used), math.ceil(rest))
    # The next request counts too, so there must be room for one more.
    if current < limit.n:
        wait = limit.seconds * (1 - (limit.n - current - 1) / before - passed)
    else:  # in the next window, once this one lies far enough behind
        wait = rest + limit.seconds * max(0, 1 - (limit.n - 1) / current)
    return State(limit, 0, math.ceil(rest), max(1, math.ceil(wait)))


def _count(windows: Sequence[Window]) -> list[tuple[int, int]]:
    """Count one in each window up to the first that overflows.

    Whoever knocks too often is so no load on what all callers of a key share.
    """
    backend = caches["default"]
    if isinstance(backend, CountingCache):
        return backend.spend(windows)
    counts = []
    for one in windows:
        current, earlier = _add_one(one.name, one.seconds), cache.get(one.before, 0)
        counts.append((current, earlier))
        if earlier * (1 - one.passed) + current > one.n:
            break
    return counts


def _add_one(name: str, seconds: int) -> int:
    try:
        return cache.incr(name)
    except ValueError:  # nobody counted here yet
        return 1 if cache.add(name, 1, seconds) else cache.incr(name)


@lru_cache(maxsize=KEPT)
def _tag(who: str) -> str:
    """Addresses are personal data: the cache knows them by a keyed tag."""
    return salted_hmac("privacy.throttling", who, algorithm="sha256").hexdigest()[:32]
