"""API keys: the doors through which machines come in. Shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from copy import copy
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from privacy import audit, prepared
from privacy.models import ApiKey, Source
from privacy.problems import DomainError
from privacy.sealed import keys
from privacy.throttling import Limit

PUBLISHABLE_SCOPES: Final = frozenset(
    {"decisions:read", "events:write", "push:write", "recommendations:read"}
)
SECRET_SCOPES: Final = PUBLISHABLE_SCOPES | {
    "orders:read",
    "orders:write",
    "products:read",
    "products:write",
    "customers:read",
    "customers:write",
    "consents:write",
    "jobs:read",
    "webhooks:read",
    "segments:read",
    "segments:write",
    "campaigns:read",
    "messages:read",
}
# Asked for by name only: they open sealed fields, erase people, and have facts go out elsewhere.
SCOPES: Final = SECRET_SCOPES | {
    "pii:read",
    "customers:erase",
    "webhooks:write",
    "campaigns:write",
    "messages:write",
}

# Requests a minute: of a key in all, and of one caller that uses it. A publishable key is
# everybody's, so one visitor gets little of it; an app's less than a browser's.
LIMITS: Final[dict[str, tuple[Limit, Limit]]] = {
    ApiKey.Kind.WRITE: (Limit("key", 60_000, 60), Limit("caller", 1_200, 60)),
    ApiKey.Kind.APP: (Limit("key", 30_000, 60), Limit("caller", 600, 60)),
    ApiKey.Kind.SECRET: (Limit("key", 60_000, 60), Limit("caller", 60_000, 60)),
}
GUESSES: Final = Limit("guesses", 60, 60)

SHAPE: Final = re.compile(r"(?:wk|ak|sk)_(?:live|test)_[A-Za-z0-9_-]{43}\Z")
PREFIX_LENGTH: Final = 16
HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
PORTS: Final = {"http": 80, "https": 443}
OWN_MACHINE: Final = frozenset({"localhost", "127.0.0.1"})
VOUCHED_FOR: Final = timedelta(hours=24)
OVERLAP: Final = timedelta(days=7)
USE_NOTED_EVERY: Final = timedelta(minutes=1)
# Each change of a row makes another version of it, so what was read of the same one still holds.
VERSION: Final = """
SELECT concat_ws(' ', k.xmin, k.ctid, s.xmin, s.ctid)
FROM privacy_apikey k JOIN privacy_source s ON s.id = k.source_id
WHERE k.digest = %(digest)s::bytea AND k.revoked_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > %(now)s::timestamptz)
"""
MOST_READ: Final = 1_000


class Recalled(NamedTuple):
    """A key as it was read last. It opens if `VERSION` says the same still, and only then."""

    version: str
    key: ApiKey


_read: dict[bytes, Recalled] = {}


@transaction.atomic
def issue(
    source: Source,
    *,
    kind: str,
    now: datetime,
    scopes: Iterable[str] = (),
    origins: Iterable[str] = (),
    expires_at: datetime | None = None,
    is_test: bool = False,
    actor: str = "",
) -> tuple[ApiKey, str]:
    """Make a key of 256 random bits and return it with its plaintext, which is not kept.

    What somebody (`actor`) makes is audited; what the installation makes for itself is not.
    Publishable and app keys have fixed scopes; a secret key gets those it is given.
    Raises DomainError for a scope that is unknown or an origin that is not exact.
    """
    granted = PUBLISHABLE_SCOPES if kind != ApiKey.Kind.SECRET else frozenset(scopes)
    if unknown := sorted(granted - SCOPES):
        detail = _("Unknown scope %(scope)s; known are: %(known)s.") % {
            "scope": unknown[0],
            "known": ", ".join(sorted(SCOPES)),
        }
        raise DomainError("unknown_scope", detail, pointer="/scopes")
    is_test = is_test or source.is_test
    plaintext = f"{kind}_{'test' if is_test else 'live'}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        source=source,
        kind=kind,
        is_test=is_test,
        prefix=plaintext[:PREFIX_LENGTH],
        digest=digest(plaintext),
        scopes=sorted(granted),
        origins=[exact_origin(origin) for origin in origins],
        created_at=now,
        expires_at=expires_at,
    )
    if actor:
        audit.append("api_key.made", actor=actor, at=now, fields=[_called(key)])
    return key, plaintext


@transaction.atomic
def rotate(
    key: ApiKey, *, now: datetime, actor: str = "", overlap: timedelta = OVERLAP
) -> tuple[ApiKey, str]:
    """Make the successor of a live key and return it with its plaintext.

    Both open the same doors until `overlap` has gone by; then the old one expires. So there are
    never more than two: a key that is being replaced cannot be replaced again, and its
    successor not before the old one has gone. Raises DomainError `not_rotatable`.
    """
    locked = ApiKey.objects.select_for_update(of=("self",)).select_related("source", "replaces")
    key = locked.get(pk=key.pk)
    before = key.replaces
    is_being_replaced = key.successors.live(now).exists() or (before and before.is_live(now))
    if not key.is_live(now) or is_being_replaced:
        detail = _("Only a live key that is not being replaced can be rotated; revoke the old one.")
        raise DomainError("not_rotatable", detail, status=HTTPStatus.CONFLICT)
    successor, plaintext = issue(
        key.source,
        kind=key.kind,
        scopes=key.scopes,
        origins=key.origins,
        expires_at=key.expires_at,
        is_test=key.is_test,
        now=now,
    )
    successor.replaces = key
    successor.save(update_fields=["replaces"])
    until = now + overlap
    key.expires_at = min(key.expires_at or until, until)
    key.save(update_fields=["expires_at"])
    if actor:
        named = [_called(key), _called(successor)]
        audit.append("api_key.rotated", actor=actor, at=now, fields=named)
    return successor, plaintext


@transaction.atomic
def revoke(key: ApiKey, *, now: datetime, actor: str = "") -> None:
    """Close the door at once and for good; revoking twice keeps the first time."""
    live = ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True)
    if live.update(revoked_at=now) and actor:
        audit.append("api_key.revoked", actor=actor, at=now, fields=[_called(key)])
    key.refresh_from_db(fields=["revoked_at"])


def find(plaintext: str, *, now: datetime) -> ApiKey:
    """The live key with this plaintext, its source loaded; notes its use once a minute.

    Raises DomainError `invalid_key` (401) alike for malformed, unknown, revoked and expired
    keys, so that a caller learns nothing about which it was.
    """
    key = _live(digest(plaintext), now) if SHAPE.match(plaintext) else None
    if key is None:
        raise DomainError(
            "invalid_key",
            _("The API key is not known, or no longer valid."),
            status=HTTPStatus.UNAUTHORIZED,
        )
    _note_use(key, now)
    return key


def recall(plaintext: str, *, now: datetime) -> Recalled | None:
    """Return a key of which nothing needs to be read or noted but its version, or None."""
    known = _read.get(digest(plaintext))
    return None if known is None or _is_use_stale(known.key, now) else known


def _live(digest: bytes, now: datetime) -> ApiKey | None:
    """The live key of a digest. On PostgreSQL it is read again where it or its source changed.

    To ask for the versions costs a fifth of reading both, and every request of a machine asks;
    what is revoked or narrowed is so for the next one.
    """
    if not prepared.is_possible():
        return _from_database(digest, now)
    found = next(iter(prepared.rows(VERSION, {"digest": digest, "now": now})), None)
    if found is None:
        return None
    there = _read.get(digest)
    if there is None or there.version != found[0]:
        if (key := _from_database(digest, now)) is None:
            return None
        if len(_read) >= MOST_READ:
            _read.clear()
        _read[digest] = there = Recalled(found[0], key)
    return copy(there.key)


def _from_database(digest: bytes, now: datetime) -> ApiKey | None:
    return ApiKey.objects.live(now).select_related("source").filter(digest=digest).first()


def allows_origin(key: ApiKey, origin: str) -> bool:
    """Whether a page of `origin` may use `key`; only browser keys are bound to origins."""
    return key.kind != ApiKey.Kind.WRITE or origin in key.origins


def is_known_origin(origin: str, *, now: datetime) -> bool:
    """Whether any live browser key names `origin`: a preflight does not say which key it is."""
    keys = ApiKey.objects.live(now).filter(kind=ApiKey.Kind.WRITE)
    return any(origin in origins for origins in keys.values_list("origins", flat=True))


def exact_origin(text: str) -> str:
    """`text` as browsers send it in `Origin`; raises DomainError for what no page can have.

    Whoever sits between page and visitor reads what goes over plain http, so that is for pages
    on one's own machine.
    """
    try:
        parts = urlsplit(text.strip().rstrip("/"))
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:  # a port or a name that cannot be; UnicodeError is one
        host = ""
    if not HOST.fullmatch(host) or parts.scheme not in PORTS or _has_more_than_a_place(parts):
        detail = _("Write each origin as https://shop.example, without path or wildcard.")
        raise DomainError("invalid_origin", detail, pointer="/origins")
    if parts.scheme == "http" and host not in OWN_MACHINE:
        detail = _("Write %(host)s with https; http is only for localhost and 127.0.0.1.")
        raise DomainError("insecure_origin", detail % {"host": host}, pointer="/origins")
    return f"{parts.scheme}://{host}" + (
        f":{port}" if port not in {None, PORTS[parts.scheme]} else ""
    )


def _has_more_than_a_place(parts: SplitResult) -> bool:
    return bool(parts.path or parts.query or parts.fragment) or "@" in parts.netloc


def digest(plaintext: str) -> bytes:
    """SHA-256 is enough here: a key of 256 random bits cannot be guessed from its digest."""
    return hashlib.sha256(plaintext.encode()).digest()


def scopes_of(key: ApiKey) -> Sequence[str]:
    return sorted(PUBLISHABLE_SCOPES) if key.kind != ApiKey.Kind.SECRET else list(key.scopes)


def _note_use(key: ApiKey, now: datetime) -> None:
    if not _is_use_stale(key, now):
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _is_use_stale(key: ApiKey, now: datetime) -> bool:
    return key.last_used_at is None or key.last_used_at <= now - USE_NOTED_EVERY


def identity_secret(source: Source, *, generation: int | None = None) -> str:
    """The secret with which the shop's server vouches for a user id; derived, never stored."""
    number = source.identity_generation if generation is None else generation
    return keys().index_key("identity", f"{source.pk}.{number}").hex()


@transaction.atomic
def rotate_identity_secret(
    source: Source, *, actor: str, now: datetime, overlap: timedelta = OVERLAP
) -> str:
    """Begin a new identity secret and return it; the one before vouches too for seven days.

    Raises DomainError `not_rotatable` while an old one still vouches: there are never three.
    """
    locked = Source.objects.select_for_update().get(pk=source.pk)
    if locked.vouches_by_two(now):
        detail = _("The old secret still vouches; end it before you make another.")
        raise DomainError("not_rotatable", detail, status=HTTPStatus.CONFLICT)
    locked.identity_generation += 1
    locked.identity_rotated_until = now + overlap
    locked.save(update_fields=["identity_generation", "identity_rotated_until"])
    audit.append("identity_secret.rotated", actor=actor, at=now, fields=[_named(source)])
    source.refresh_from_db()
    return identity_secret(source)


@transaction.atomic
def end_old_identity_secret(source: Source, *, actor: str, now: datetime) -> None:
    """Have the newest secret alone vouch from now on."""
    rotating = Source.objects.filter(pk=source.pk, identity_rotated_until__gt=now)
    if rotating.update(identity_rotated_until=now):
        audit.append("identity_secret.old_ended", actor=actor, at=now, fields=[_named(source)])
    source.refresh_from_db()


def _called(key: ApiKey) -> str:
    return f"api_key.{key.pk}"


def _named(source: Source) -> str:
    return f"source.{source.pk}"


def vouches(source: Source, user_id: str, user_hash: str, expires_at: int, now: datetime) -> bool:
    """Whether `user_hash` is the HMAC-SHA256 in hex of `user_id.expires_at` under a live secret.

    `expires_at` is in seconds since 1970, at most 24 hours ahead.
    """
    today = now.timestamp()
    if not today < expires_at <= today + VOUCHED_FOR.total_seconds():
        return False
    said = f"{user_id}.{expires_at}".encode()
    newest = source.identity_generation
    live = (newest, newest - 1) if source.vouches_by_two(now) else (newest,)
    return any(
        hmac.compare_digest(
            hmac.new(
                bytes.fromhex(identity_secret(source, generation=generation)), said, hashlib.sha256
            )
            .hexdigest()
            .encode(),
            user_hash.encode(),
        )
        for generation in live
    )
