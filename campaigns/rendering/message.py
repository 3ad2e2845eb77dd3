"""The bytes of an e-mail: two parts, safe headers, one-click unsubscription (RFC 8058)."""

from __future__ import annotations

import binascii
import re
from base64 import encodebytes
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from hashlib import sha256

MAX_ADDRESS = 254
MAX_LOCAL_PART = 64

_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


class AddressError(ValueError):
    """An address that no mail can be sent to in plain SMTP."""


class HeaderError(ValueError):
    """A header value with a line break or another control character."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Everything about one message that is not its content. Times in UTC, URLs absolute."""

    sender_name: str
    sender_email: str
    recipient: str
    message_id: str
    date: datetime
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""


def mailable(address: str) -> str:
    """Return `address` as SMTP takes it, an international domain in its ASCII form.

    Raises AddressError for anything else than one plain address of at most 254 characters.
    """
    local, at, domain = address.strip().rpartition("@")
    try:
        host = domain.encode("idna").decode("ascii").lower() if not domain.isascii() else domain
    except UnicodeError:
        host = ""
    if not at or not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(host):
        raise AddressError("not an address that can be mailed")
    if len(local) > MAX_LOCAL_PART or len(local) + len(host) + 1 > MAX_ADDRESS:
        raise AddressError("the address is too long")
    return f"{local}@{host}"


def one_line(text: str) -> str:
    """Return `text` without line breaks and control characters, as a header may hold it."""
    return _CONTROL.sub(" ", text).strip()


def build(envelope: Envelope, *, subject: str, html: str, text: str) -> bytes:
    """Return the whole message with CRLF line ends, plain text first, then HTML.

    Raises HeaderError if a fixed header holds a control character; the subject, which is
    rendered from data, is put on one line instead.
    """
    return assembled(envelope, subject, part("plain", text), part("html", html))


def assembled(envelope: Envelope, subject: str, plain: bytes, html: bytes) -> bytes:
    """Return the message of two parts as `part` makes them; raises what `build` does."""
    recipient = mailable(envelope.recipient)
    boundary = f"=_{sha256(envelope.message_id.encode()).hexdigest()[:32]}"
    headers = {
        "From": _sender(_safe(envelope.sender_name), _safe(envelope.sender_email)),
        "To": recipient,
        "Subject": _encoded(one_line(subject)),
        "Date": _date(envelope.date),
        "Message-ID": envelope.message_id,
        "MIME-Version": "1.0",
        **_unsubscription(envelope),
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    _safe("|".join(headers.values()).replace("\r\n ", ""))
    head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return b"".join(
        (
            head.encode("ascii"),
            f"\r\n--{boundary}\r\n".encode("ascii"),
            plain,
            f"\r\n--{boundary}\r\n".encode("ascii"),
            html,
            f"\r\n--{boundary}--\r\n".encode("ascii"),
        )
    )


def _unsubscription(envelope: Envelope) -> dict[str, str]:
    if not envelope.unsubscribe_url:
        return {}
    ways = [f"<{envelope.unsubscribe_url}>"]
    if envelope.unsubscribe_mailto:
        ways.append(f"<mailto:{envelope.unsubscribe_mailto}?subject=unsubscribe>")
    return {
        "List-Unsubscribe": ", ".join(ways),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


@lru_cache(maxsize=64)
def _sender(name: str, address: str) -> str:
    return formataddr((name, address), "utf-8")


@lru_cache(maxsize=64)
def _date(moment: datetime) -> str:
    return format_datetime(moment)


def part(subtype: str, body: str) -> bytes:
    """Return the `plain` or `html` part of a message: two header lines, then the coded text."""
    text = "\n".join(body.splitlines())
    raw = text.encode("utf-8")
    return coded(subtype, raw, quotes=is_quotable(len(text), len(raw)))


def is_quotable(n_letters: int, n_bytes: int) -> bool:
    """Say whether a text is mostly ASCII, which quoted-printable leaves to be read."""
    return n_letters * 1.25 >= n_bytes


def quoted(raw: bytes) -> bytes:
    """Return text as quoted-printable, with CRLF line ends."""
    return binascii.b2a_qp(raw, istext=True).replace(b"\n", b"\r\n")


def coded(subtype: str, raw: bytes, *, quotes: bool | None) -> bytes:
    """Return a part of `raw` text, quoted-printable or base64; None where it is quoted already."""
    if quotes is False:
        coding, ready = b"base64", encodebytes(raw).replace(b"\n", b"\r\n")
    else:
        coding, ready = b"quoted-printable", quoted(raw) if quotes else raw
    return b"".join(
        (
            b"Content-Type: text/",
            subtype.encode("ascii"),
            b'; charset="utf-8"\r\nContent-Transfer-Encoding: ',
            coding,
            b"\r\n\r\n",
            ready,
        )
    )


def _encoded(value: str) -> str:
    if value.isascii() and len(value) <= 70:  # noqa: PLR2004 -- fits one line after "Subject: "
        return value
    return Header(value, "utf-8", maxlinelen=75, header_name="Subject").encode(linesep="\r\n")


def _safe(value: str) -> str:
    if _CONTROL.search(value):
        raise HeaderError("a header must stand on one line")
    return value
