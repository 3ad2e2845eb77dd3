"""One effect for one `Idempotency-Key`: the first request acts, its repeats get the same reply.

A request in flight holds its name by a lease. Should its process die, the lease ends, and the
next repeat acts again: then once at least.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from privacy.models import ApiKey, Reply
from privacy.problems import DomainError

KEPT: Final = timedelta(hours=48)
LEASE: Final = timedelta(minutes=2)
NAME: Final = re.compile(r"[\x21-\x7e]{1,255}\Z")
# A repeat may fare better: nothing was done, or what stood in the way may have gone.
PASSING: Final = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


def begin(key: ApiKey, name: str, *, route: str, said: bytes, now: datetime) -> Reply:
    """Return the row of this name: new and ours to act on, or with the reply that was given.

    `said` is all that the request asks for. Raises DomainError: `invalid_idempotency_key`
    (400), `idempotency_key_reused` (422) where another request had this name,
    `request_in_flight` (409).
    """
    if not NAME.match(name):
        detail = _("Idempotency-Key takes 1 to 255 printable ASCII characters without spaces.")
        raise DomainError("invalid_idempotency_key", detail)
    door = {"key": key, "route": _digest(route.encode()), "name": name}
    fresh = {"fingerprint": _digest(said), "asked_at": now, "started_at": now}
    Reply.objects.filter(**door, asked_at__lte=now - KEPT).delete()
    try:
        with transaction.atomic():
            return Reply.objects.create(**door, **fresh)
    except IntegrityError:
        there = Reply.objects.filter(**door).first()
    if there is None:  # it ended without a reply a moment ago
        raise _in_flight()
    if bytes(there.fingerprint) != fresh["fingerprint"]:
        detail = _("This Idempotency-Key was used for another request; take a new one.")
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        raise DomainError("idempotency_key_reused", detail, status=status)
    if there.status is None and not _take_over(there, now):
        raise _in_flight()
    return there


def finish(reply: Reply, *, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Keep the reply for repeats; one that says nothing for good is forgotten at once."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING:
        Reply.objects.filter(pk=reply.pk, started_at=reply.started_at).delete()
        return
    ours = Reply.objects.filter(pk=reply.pk, started_at=reply.started_at)
    ours.update(status=status, headers=dict(headers), body=body)


def _take_over(there: Reply, now: datetime) -> bool:
    """Act again for a request whose process died; of several repeats one does."""
    if there.started_at > now - LEASE:
        return False
    stale = Reply.objects.filter(pk=there.pk, status=None, started_at=there.started_at)
    there.started_at = now
    return stale.update(started_at=now) == 1


def _in_flight() -> DomainError:
    detail = _("A request of this Idempotency-Key is being answered; ask again in a moment.")
    status = HTTPStatus.CONFLICT
    return DomainError("request_in_flight", detail, status=status, headers={"Retry-After": "1"})


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
