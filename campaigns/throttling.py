"""How fast one mail server is used, and when not at all; all workers share both.

The state is a row: it outlives a restart and a lost Redis, and is changed under its lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from campaigns import alerting
from campaigns.channels import ways
from campaigns.channels.base import Message, Outcome, Result
from campaigns.models import Provider
from campaigns.models.provider import DOMAIN

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django_stubs_ext import StrOrPromise

FAILURES_TO_OPEN = 3
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)
PROBE = timedelta(minutes=1)
# What may go at once: so many seconds of the rate, so that a beat between batches costs nothing.
BURST_SECONDS = 10
SHOWN_FOR = timedelta(minutes=1)
_FAULTS = ("no_connection", "tls_failed", "login_refused", "connection_lost", "421", "429", "503")


@dataclass(frozen=True, slots=True)
class Limit:
    """What holds sending up: the `rate` of a minute, a day's `warm_up`, a `breaker` till then."""

    provider: str
    kind: str
    per_minute: int | None
    until: datetime | None
    error: str


def allowance(wanted: int, now: datetime, *, channel: str = "email") -> int:
    """Take leave to send up to `wanted` messages now; returns for how many.

    Give back what is not used. While the server is shut it is 0, and then one, to try it.
    """
    provider = _provider(channel)
    if provider.per_minute is None and not provider.n_failures and provider.quota(now) is None:
        return wanted
    with transaction.atomic():
        provider = Provider.objects.select_for_update().get(pk=provider.pk)
        if provider.n_failures >= FAILURES_TO_OPEN:
            if provider.is_shut(now):
                return 0
            # Whoever comes first tries; the others wait for what it finds.
            Provider.objects.filter(pk=provider.pk).update(opened_until=now + PROBE)
            return min(wanted, 1)
        return _take(provider, wanted, now)


def give_back(n: int, *, channel: str = "email") -> None:
    """Return leave that was not used."""
    if n > 0:
        here = Provider.objects.filter(name=ways.provider(channel))
        here.filter(n_counted__gte=n).update(n_counted=F("n_counted") - n)
        rated = Provider.objects.filter(name=ways.provider(channel), per_minute__isnull=False)
        rated.update(tokens=F("tokens") + n)


def warmed_up_on(n: int, now: datetime, *, channel: str = "email") -> date | None:
    """Return the day (UTC) on which the warm-up has let `n` more through; None without one."""
    provider = Provider.objects.filter(name=ways.provider(channel)).first()
    if provider is None or provider.quota(now) is None:
        return None
    left, moment = n + provider.counted(now), now
    while (quota := provider.quota(moment)) is not None and left > quota:
        left, moment = left - quota, moment + timedelta(days=1)
    return moment.date()


def held_back(messages: Sequence[Message], now: datetime) -> set[str]:
    """Return the keys of the messages that the rates of receiving domains do not let go now."""
    domains: dict[str, list[str]] = {}
    for message in messages:
        name = DOMAIN + message.recipient.rpartition("@")[2].lower()
        domains.setdefault(name, []).append(message.key)
    limited = Provider.objects.filter(name__in=domains, per_minute__isnull=False)
    held: set[str] = set()
    for pk, name in limited.order_by("pk").values_list("pk", "name"):
        with transaction.atomic():
            locked = Provider.objects.select_for_update().get(pk=pk)
            held.update(domains[name][_take(locked, len(domains[name]), now) :])
    return held


def report(results: Sequence[Result], now: datetime, *, channel: str = "email") -> bool:
    """Learn from a batch how the server does; says whether to go on with the next one."""
    here = Provider.objects.filter(name=ways.provider(channel))
    faults = [result.code for result in results if _is_fault(result)]
    if wait := max((result.wait_seconds for result in results), default=0.0):
        _rest(here, faults[-1] if faults else results[-1].code, wait, now)
        return False
    if not results or len(faults) < len(results):
        here.filter(n_failures__gt=0).update(n_failures=0, opened_until=None)
        return True
    with transaction.atomic():
        provider = here.select_for_update().get()
        n_failures = provider.n_failures + 1
        opened_until = None
        if n_failures >= FAILURES_TO_OPEN:
            doubled = FIRST_PAUSE * 2 ** min(n_failures - FAILURES_TO_OPEN, 10)
            opened_until = now + min(doubled, LONGEST_PAUSE)
        here.update(
            n_failures=n_failures,
            opened_until=opened_until,
            last_error=faults[-1],
            failed_at=now,
        )
        if opened_until is not None and n_failures == FAILURES_TO_OPEN:
            alerting.tell("provider_shut", now, provider=provider.name, error=faults[-1])
    return opened_until is None


def _rest(here: QuerySet[Provider], error: str, seconds: float, now: datetime) -> None:
    """Leave the server alone for as long as it asked for, within reason."""
    until = now + min(timedelta(seconds=seconds), LONGEST_PAUSE)
    with transaction.atomic():
        provider = here.select_for_update().get()
        here.update(
            n_failures=max(provider.n_failures + 1, FAILURES_TO_OPEN),
            opened_until=until,
            last_error=error,
            failed_at=now,
        )


def limit(now: datetime, *, channel: str = "email") -> Limit | None:
    """Return what holds sending up as of `now`, if anything does."""
    provider = Provider.objects.filter(name=ways.provider(channel)).first()
    if provider is None:
        return None
    facts = (provider.per_minute, provider.opened_until, provider.last_error)
    if provider.is_shut(now):
        return Limit(provider.name, "breaker", *facts)
    recently = now - SHOWN_FOR
    if provider.limited_at is not None and provider.limited_at > recently:
        quota = provider.quota(now)
        if quota is not None and provider.counted(now) >= quota:
            return Limit(provider.name, "warm_up", quota, None, "")
        return Limit(provider.name, "rate", *facts)
    domains = Provider.objects.filter(name__startswith=DOMAIN, limited_at__gt=recently)
    if channel == ways.EMAIL and (one := domains.order_by("name").first()) is not None:
        return Limit(one.name, "rate", one.per_minute, None, "")
    return None


def in_words(found: Limit) -> StrOrPromise:
    """Say what holds sending up."""
    if found.kind == "rate":
        return _("Limited by the rate of %(provider)s: %(n)s a minute.") % {
            "provider": found.provider,
            "n": found.per_minute,
        }
    if found.kind == "warm_up":
        return _("Limited by the warm-up of %(provider)s: %(n)s messages today.") % {
            "provider": found.provider,
            "n": found.per_minute,
        }
    return _("Limited by %(provider)s, which fails (%(error)s): tried again at %(at)s UTC.") % {
        "provider": found.provider,
        "error": found.error,
        "at": f"{found.until:%H:%M:%S}" if found.until else "–",
    }


def _provider(channel: str) -> Provider:
    name = ways.provider(channel)
    return (
        Provider.objects.filter(name=name).first() or (Provider.objects.get_or_create(name=name)[0])
    )


def _take(provider: Provider, wanted: int, now: datetime) -> int:
    n, changes = wanted, dict[str, Any]()
    quota = provider.quota(now)
    if quota is not None:
        n = max(0, min(n, quota - provider.counted(now)))
    if provider.per_minute is not None:
        per_second = provider.per_minute / 60
        burst = max(1.0, per_second * BURST_SECONDS)
        since = provider.refilled_at
        gone = (now - since).total_seconds() if since else BURST_SECONDS
        # A clock set back refills nothing; one set ahead refills one burst.
        tokens = min(burst, provider.tokens + max(0.0, gone) * per_second)
        n = min(n, int(tokens))
        changes = {"tokens": tokens - n, "refilled_at": now}
    if quota is not None:
        changes |= {"counted_on": now.date(), "n_counted": provider.counted(now) + n}
    if n < wanted:
        changes["limited_at"] = now
    if changes:
        Provider.objects.filter(pk=provider.pk).update(**changes)
    return n


def _is_fault(result: Result) -> bool:
    open_ended = result.outcome in {Outcome.LATER, Outcome.UNKNOWN}
    return open_ended and result.code.startswith(_FAULTS)
