"""How files of feeds come: by hand, by a command, or fetched from an address when it is due."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from jobs.running import JobFailedError
from privacy import outbound, webhooks
from privacy.outbound import Guard, OutboundError
from privacy.problems import DomainError
from profiles.importing import uploads
from profiles.importing.uploads import Incoming
from recommendations import asking
from recommendations.feeds.report import path_of
from recommendations.models import Feed, FeedImport

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from jobs.work import Work
    from privacy.models import Staff

MAX_BYTES: Final = 1 << 30
SECONDS: Final = 600.0
KEPT_FOR: Final = timedelta(days=90)
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


def feed_named(name: str, *, now: datetime, **columns: Any) -> Feed:
    """Return the feed of that name, made if there is none, and changed to what is told.

    Raises DomainError for a country or language that is none.
    """
    feed = Feed.objects.filter(name=name).first() or Feed(name=name, created_at=now)
    for column, value in columns.items():
        setattr(feed, column, value)
    check(feed)
    feed.save()
    return feed


def check(feed: Feed) -> None:
    """Put a feed's columns in order. Raises DomainError naming the field and the fix."""
    feed.country, feed.language = feed.country.strip().upper(), feed.language.strip().lower()
    feed.url = feed.url.strip()
    if feed.country and not re.fullmatch(r"[A-Z]{2}", feed.country):
        detail = _("Write the country as two letters of ISO 3166, such as DE.")
        raise DomainError("invalid_country", detail, pointer="/country")
    if feed.language and not LANGUAGE.fullmatch(feed.language):
        detail = _("Write the language as a code such as zh-hans.")
        raise DomainError("invalid_language", detail, pointer="/language")
    if feed.url:
        _check_url(feed.url)


def _check_url(url: str) -> None:
    try:
        target = outbound.parse(url)
    except OutboundError:
        detail = _(
            "Write the address as https://shop.example/feed.xml, without user name or blanks."
        )
        raise DomainError("invalid_feed_url", detail, pointer="/url") from None
    if not (target.is_ordinary or settings.WEBHOOK_ALLOWED_NETWORKS):
        detail = _("Feeds are fetched by https only.")
        raise DomainError("invalid_feed_url", detail, pointer="/url")


# By hand and by command -----------------------------------------------------------------------


@transaction.atomic
def bring(
    feed: Feed, held: UUID, filename: str, *, staff: Staff | None, now: datetime
) -> FeedImport:
    """Bring in a held file; it is deleted when its rows are in."""
    brought = FeedImport.objects.create(
        feed=feed,
        held=held,
        filename=Path(filename).name[:200],
        encoding=feed.encoding,
        staff=staff,
        created_at=now,
    )
    job = asking.ask_for_feed(brought, now)
    brought.job_uuid = job.uuid
    brought.save(update_fields=["job_uuid"])
    return brought


def filed(feed: Feed, path: Path, *, now: datetime) -> FeedImport:
    """Return the import of a file that stays where it is, as a command is given it.

    The same file is the same import until that has ended, so that a killed command is gone on
    with. Raises UnreadableFileError if there is no such file.
    """
    found, _is_new = FeedImport.objects.get_or_create(
        feed=feed,
        path=str(path),
        fingerprint=uploads.fingerprint(path),
        encoding=feed.encoding,
        finished_at=None,
        defaults={"filename": path.name[:200], "created_at": now},
    )
    return found


def confirm(brought: FeedImport, *, now: datetime) -> None:
    """Have what the feed no longer holds go off sale. Raises DomainError."""
    newer = FeedImport.objects.filter(feed=brought.feed_id, pk__gt=brought.pk)
    if not brought.asks or newer.exists():
        detail = _("There is nothing to decide: a newer file of this feed was brought in since.")
        raise DomainError("newer_import", detail, status=HTTPStatus.CONFLICT)
    asking.ask_for_end(brought, now)


def dismiss(brought: FeedImport) -> None:
    """Leave on sale what the feed no longer holds, until its next file."""
    brought.asks = False
    brought.save(update_fields=["asks"])


# From an address ------------------------------------------------------------------------------


def ask_due(now: datetime) -> int:
    """Ask that each feed whose time has come be fetched; return how many."""
    due = list(Feed.objects.due(now))
    for feed in due:
        asking.ask_for_fetch(feed, now)
    return len(due)


def guard() -> Guard:
    """What a feed may be fetched from: what a webhook may reach, with more time for more bytes."""
    return replace(webhooks.guard(), seconds=SECONDS)


def fetch(feed: Feed, work: Work, *, guard: Guard, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Fetch a feed and have it brought in, unless it is as it was.

    What hinders it is written on the feed; the next try is when it is due again.
    """
    now = work.now
    incoming = Incoming(max_bytes=max_bytes)
    digest = hashlib.sha256()

    def take(piece: bytes) -> None:
        digest.update(piece)
        incoming.write(piece)

    asked = {"If-None-Match": feed.etag, "If-Modified-Since": feed.last_modified}
    try:
        answer = outbound.get(
            feed.url,
            {name: value for name, value in asked.items() if value},
            take,
            guard=guard,
            max_bytes=max_bytes,
        )
        incoming.finish()
    except OutboundError as error:
        incoming.drop()
        return _hindered(feed, error.code, now)
    is_same = answer.status == HTTPStatus.NOT_MODIFIED or (
        answer.status == HTTPStatus.OK and digest.hexdigest() == feed.fingerprint
    )
    if answer.status != HTTPStatus.OK or is_same:
        incoming.drop()
    if is_same:
        return _fetched(feed, now, "unchanged")
    if answer.status != HTTPStatus.OK:
        return _hindered(feed, f"status_{answer.status}", now)
    with work.step():
        feed.etag, feed.last_modified = answer.etag[:200], answer.last_modified[:100]
        feed.fingerprint = digest.hexdigest()
        name = outbound.parse(feed.url).path.partition("?")[0].rpartition("/")[2] or feed.name
        bring(feed, incoming.uuid, name, staff=None, now=now)
        return _fetched(feed, now, "brought in")


def _fetched(feed: Feed, now: datetime, outcome: str) -> dict[str, Any]:
    feed.fetched_at, feed.fetch_error = now, ""
    feed.next_fetch_at = now + timedelta(hours=feed.every_hours)
    feed.save()
    return {"outcome": outcome}


def _hindered(feed: Feed, code: str, now: datetime) -> dict[str, Any]:
    feed.fetch_error = code[:40]
    feed.next_fetch_at = now + timedelta(hours=feed.every_hours)
    feed.save(update_fields=["fetch_error", "next_fetch_at"])
    raise JobFailedError(code, _("The feed could not be fetched; its address answers otherwise."))


def forget_old(now: datetime) -> int:
    """Delete imports older than 90 days with their reports; return how many."""
    old = list(FeedImport.objects.filter(finished_at__lt=now - KEPT_FOR).order_by("pk")[:1_000])
    for brought in old:
        with suppress(FileNotFoundError):
            path_of(brought).unlink()
    FeedImport.objects.filter(pk__in=[brought.pk for brought in old]).delete()
    return len(old)
