"""A message of the bounce mailbox, read: a delivery report, a complaint, an automatic reply."""

from __future__ import annotations

import email
import email.errors
import email.header
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage, Message
from enum import StrEnum
from hashlib import sha256

from campaigns.bounces.codes import Kind, classify, code_in

# Real reports hold the returned message's head early; the rest of a long one is not needed.
LONGEST = 262_144
_LINK = re.compile(r"/u/([A-Za-z0-9_-]{43})\b")
_ID = re.compile(r"<[^<>\s]{1,250}>")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")
_OUT_OF_OFFICE = re.compile(
    r"^(re: |aw: )?(out of (the )?office|automatic reply|auto(-| )?reply|auto(-| )?response|"
    r"abwesen|automatische antwort|réponse automatique|respuesta automática|自动回复|自動回覆)",
    re.IGNORECASE,
)
_BOUNCED = re.compile(
    r"undeliver|delivery (status notification|failure|has failed)|mail delivery failed|"
    r"returned mail|failure notice|退信|系统退信|投递失败",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"mailer-daemon|postmaster|mail delivery (sub)?system", re.IGNORECASE)
_COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other", "opt-out", "opt-out-list"})


class Sort(StrEnum):
    """What a message of the mailbox is."""

    REPORT = "report"
    AUTOMATIC = "automatic"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class About:
    """Which message a report is about: the token of its links proves it, the id only names it."""

    token: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """One thing a report says: what became of which message, and for which recipient."""

    kind: Kind
    code: str
    about: About
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A message of the mailbox; `key` names it, the same at every reading."""

    key: str
    sort: Sort
    words: tuple[Word, ...] = ()


def read(content: bytes) -> Read:
    """Read one message, whole or its first part; never raises, whatever is in it."""
    message = email.message_from_bytes(content[:LONGEST], policy=email.policy.compat32)
    key = sha256((_header(message, "Message-ID") or "").encode() or content).hexdigest()
    words = tuple(_words(message))
    if words:
        return Read(key, Sort.REPORT, words)
    return Read(key, Sort.AUTOMATIC if is_automatic(message) else Sort.REPLY)


def is_automatic(message: Message) -> bool:
    """Say whether a program wrote it: out of office, a ticket number, a list (RFC 3834)."""
    submitted = _header(message, "Auto-Submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if _header(message, "Precedence").lower() in {"auto_reply", "bulk", "junk", "list"}:
        return True
    marks = ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "X-Failed-Recipients")
    if any(message.get(mark) is not None for mark in marks):
        return True
    if _DAEMON.search(_header(message, "From")):
        return True
    return _OUT_OF_OFFICE.search(_decoded(message, "Subject")) is not None


def _words(message: Message) -> Iterator[Word]:
    parts = list(message.walk())
    about = _about(message, parts)
    kinds = {part.get_content_type(): part for part in reversed(parts)}
    if (told := kinds.get("message/feedback-report")) is not None:
        yield from _complaint(told, about)
    elif (told := kinds.get("message/delivery-status")) is not None:
        yield from _statuses(told, about)
    elif _is_informal_bounce(message):
        text = _text(parts)
        code = code_in(text)
        yield Word(classify(code, text), code, about, _address(text))


def _statuses(part: Message, about: About) -> Iterator[Word]:
    """RFC 3464: the first block is about the message, each further one about a recipient."""
    payload = part.get_payload()
    blocks = payload if isinstance(payload, list) else []
    for block in blocks:
        if not isinstance(block, Message) or block.get("Action") is None:
            continue
        action = _header(block, "Action").lower()
        status = code_in(_header(block, "Status"))
        words = _header(block, "Diagnostic-Code")
        recipient = _address(_header(block, "Original-Recipient")) or _address(
            _header(block, "Final-Recipient")
        )
        if action == "failed":
            # A gateway that knows no more says 5.0.0; the server's own words then say it.
            vague = status in {"", "5.0.0", "4.0.0"}
            code = (code_in(words) or status) if vague else status
            yield Word(classify(code, words), code, about, recipient)
        elif action in {"delivered", "relayed", "expanded"}:
            yield Word(Kind.DELIVERED, status, about, recipient)


def _complaint(part: Message, about: About) -> Iterator[Word]:
    """RFC 5965: what a reader marked as spam; "not-spam" and failed signatures are none."""
    payload = part.get_payload()
    block = payload[0] if isinstance(payload, list) and payload else None
    text = payload if isinstance(payload, str) else ""
    told = block if isinstance(block, Message) else email.message_from_string(text)
    kind = _header(told, "Feedback-Type").lower()
    if kind in _COMPLAINTS:
        yield Word(Kind.COMPLAINT, kind, about, _address(_header(told, "Original-Rcpt-To")))


def _about(message: Message, parts: list[Message]) -> About:
    """Find the returned message's own head, wherever the report keeps it."""
    for part in parts:
        head = _returned(part)
        if head is None:
            continue
        link = _LINK.search(_header(head, "List-Unsubscribe"))
        name = _ID.search(_header(head, "Message-ID"))
        if link or name:
            return About(link[1] if link else "", name[0] if name else "")
    link = _LINK.search(_text(parts))
    name = _ID.search(_header(message, "In-Reply-To"))
    return About(link[1] if link else "", name[0] if name else "")


def _returned(part: Message) -> Message | None:
    kind = part.get_content_type()
    payload = part.get_payload()
    if kind in {"message/rfc822", "message/global"}:
        return payload[0] if isinstance(payload, list) and payload else None  # type: ignore[return-value]
    if kind in {"text/rfc822-headers", "message/global-headers"}:
        raw = part.get_payload(decode=True)
        return email.message_from_bytes(raw) if isinstance(raw, bytes) else None
    return None


def _is_informal_bounce(message: Message) -> bool:
    """Old servers and some large ones write plain letters: from the daemon, of a failure."""
    by_daemon = _DAEMON.search(_header(message, "From")) is not None
    return by_daemon and _BOUNCED.search(_decoded(message, "Subject")) is not None


def _text(parts: list[Message]) -> str:
    found = []
    for part in parts:
        raw = part.get_payload(decode=True) if part.get_content_maintype() == "text" else None
        if isinstance(raw, bytes):
            found.append(raw[:LONGEST].decode("utf-8", "replace"))
    return "\n".join(found)


def _header(message: Message, name: str) -> str:
    """Return a header on one line, and nothing for one that is not there or not text."""
    return " ".join(str(message.get(name) or "").split())


def _decoded(message: Message, name: str) -> str:
    parsed = EmailMessage(email.policy.default)
    try:
        parsed[name] = str(
            email.header.make_header(email.header.decode_header(_header(message, name)))
        )
    except (ValueError, LookupError, UnicodeError, email.errors.MessageError):
        return _header(message, name)
    return str(parsed[name])


def _address(text: str) -> str:
    found = _ADDRESS.search(text.rpartition(";")[2] or text)
    return found[0].strip(".'") if found else ""
