"""The mailbox that bounces and complaints come back to, read by IMAP: each message once.

Nothing is deleted or marked there. How far it was read stands in a row, which is committed
together with what a batch of messages meant.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from campaigns import feedback
from campaigns.bounces.reading import LONGEST, Read, Sort, read
from campaigns.feedback import Notice
from campaigns.models import Mailbox
from jobs import queue
from jobs.models import Job
from jobs.work import ObstacleError

if TYPE_CHECKING:
    from jobs.work import Work

JOB: Final = "campaigns.read_mailbox"
SOURCE: Final = "mailbox"
BATCH: Final = 50
TIMEOUT_SECONDS: Final = 20
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"imap": 143, "imaps": 993}


class MailboxAwayError(ObstacleError):
    """The mailbox could not be read; the text says why, and names nobody."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where bounces arrive; `scheme` is imap (only on the same machine) or imaps."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"

    @classmethod
    def from_url(cls, url: str) -> Account:
        """Read `imaps://user:password@host:port/FOLDER`; raises ImproperlyConfigured."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (KeyError, ValueError):
            raise ImproperlyConfigured("BOUNCE_MAILBOX_URL must start with imaps://") from None
        if not parts.hostname or not parts.username:
            raise ImproperlyConfigured("BOUNCE_MAILBOX_URL must name a user and a host")
        if parts.scheme == "imap" and parts.hostname not in _HERE:
            raise ImproperlyConfigured("BOUNCE_MAILBOX_URL must use imaps:// to another machine")
        folder = unquote(parts.path.strip("/")) or "INBOX"
        user, password = unquote(parts.username), unquote(parts.password or "")
        return cls(parts.scheme, parts.hostname, port, user, password, folder)

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}/{self.folder}"


def ask(now: datetime) -> Job | None:
    """Ask that the mailbox be read, where there is one and nobody is at it."""
    if not settings.BOUNCE_MAILBOX_URL:
        return None
    return queue.enqueue(JOB, {}, now=now, unique_key=JOB)


def read_new(work: Work) -> dict[str, Any]:
    """Read what is new, a batch a step; raises MailboxAwayError to be tried again."""
    account = Account.from_url(settings.BOUNCE_MAILBOX_URL)
    box = Mailbox.objects.get_or_create(name=account.name)[0]
    n_read = 0
    try:
        with _opened(account, box) as imap:
            uids = _new_uids(imap, box)
            for start in range(0, len(uids), BATCH):
                some = uids[start : start + BATCH]
                found = [read(content) for content in _contents(imap, some)]
                with work.step():
                    _take(found, box, last_uid=some[-1], now=work.now)
                n_read += len(some)
                work.progress(n_read, len(uids))
    except (OSError, imaplib.IMAP4.error) as error:
        code = _code(error)
        Mailbox.objects.filter(pk=box.pk).update(last_error=code)
        raise MailboxAwayError(
            _("The bounce mailbox could not be read (%(c)s).") % {"c": code}
        ) from None
    Mailbox.objects.filter(pk=box.pk).update(read_at=work.now, last_error="")
    return {"n_read": n_read}


@contextmanager
def _opened(account: Account, box: Mailbox) -> Iterator[imaplib.IMAP4]:
    """Open the folder read-only; one that was made anew, as its UIDVALIDITY tells, from its start."""
    imap = _connect(account)
    try:
        imap.login(account.user, account.password)
        status, _told = imap.select(f'"{account.folder}"', readonly=True)
        if status != "OK":
            raise imaplib.IMAP4.error("no such folder")
        told = imap.response("UIDVALIDITY")[1]
        validity = int(told[0]) if told and told[0] else 0
        if validity != box.uid_validity:
            box.uid_validity, box.last_uid = validity, 0
            box.save(update_fields=["uid_validity", "last_uid"])
        yield imap
    finally:
        imap.shutdown()


def _connect(account: Account) -> imaplib.IMAP4:
    if account.scheme == "imaps":
        context = ssl.create_default_context()
        return imaplib.IMAP4_SSL(
            account.host, account.port, ssl_context=context, timeout=TIMEOUT_SECONDS
        )
    return imaplib.IMAP4(account.host, account.port, timeout=TIMEOUT_SECONDS)


def _new_uids(imap: imaplib.IMAP4, box: Mailbox) -> list[int]:
    _status, told = imap.uid("SEARCH", f"UID {box.last_uid + 1}:*")
    uids = sorted(int(uid) for uid in (told[0] or b"").split())
    # "n:*" also gives the newest message where all are older than n.
    return [uid for uid in uids if uid > box.last_uid]


def _contents(imap: imaplib.IMAP4, uids: list[int]) -> Iterator[bytes]:
    """Give the first part of each message, without marking it as seen."""
    numbers = ",".join(str(uid) for uid in uids)
    _status, told = imap.uid("FETCH", numbers, f"(UID BODY.PEEK[]<0.{LONGEST}>)")
    for part in told:
        if isinstance(part, tuple) and re.search(rb"BODY\[\]", part[0]):
            yield part[1]


def _take(found: list[Read], box: Mailbox, *, last_uid: int, now: datetime) -> None:
    notices = [
        Notice(
            kind=word.kind,
            source=SOURCE,
            event_id=one.key,
            at=now,
            code=word.code,
            token=word.about.token,
            message_id=word.about.message_id,
            recipient=word.recipient,
        )
        for one in found
        for word in one.words
    ]
    n_matched = feedback.take(notices, now=now)
    sorts = [one.sort for one in found]
    box.last_uid = last_uid
    box.n_reports += sorts.count(Sort.REPORT)
    box.n_automatic += sorts.count(Sort.AUTOMATIC)
    box.n_replies += sorts.count(Sort.REPLY)
    box.n_unmatched += len(notices) - n_matched
    box.save()


def _code(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "tls_failed"
    if isinstance(error, imaplib.IMAP4.abort):
        return "connection_lost"
    return "login_refused" if isinstance(error, imaplib.IMAP4.error) else "no_connection"
