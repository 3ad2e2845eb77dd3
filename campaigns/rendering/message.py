"""The bytes of an e-mail: two parts, safe headers, one-click unsubscription (RFC 8058)."""

from __future__ import annotations

import binascii
import re
from base64 import encodebytes
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
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
    recipient = mailable(envelope.recipient)
    boundary = f"=_{sha256(envelope.message_id.encode()).hexdigest()[:32]}"
    headers = {
        "From": formataddr((_safe(envelope.sender_name), _safe(envelope.sender_email)), "utf-8"),
        "To": recipient,
        "Subject": _encoded(one_line(subject)),
        "Date": format_datetime(envelope.date),
        "Message-ID": envelope.message_id,
        "MIME-Version": "1.0",
        **_unsubscription(envelope),
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    head = "".join(f"{name}: {_checked(value)}\r\n" for name, value in headers.items())
    return b"".join(
        (
            head.encode("ascii"),
            f"\r\n--{boundary}\r\n".encode("ascii"),
            _part("plain", text),
            f"\r\n--{boundary}\r\n".encode("ascii"),
            _part("html", html),
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


def _part(subtype: str, body: str) -> bytes:
    raw = "\n".join(body.splitlines()).encode("utf-8")
    if len(body) * 1.25 >= len(raw):
        coding, coded = b"quoted-printable", binascii.b2a_qp(raw, istext=True)
    else:
        coding, coded = b"base64", encodebytes(raw)
    return b"".join(
        (
            b"Content-Type: text/",
            subtype.encode("ascii"),
            b'; charset="utf-8"\r\nContent-Transfer-Encoding: ',
            coding,
            b"\r\n\r\n",
            coded.replace(b"\n", b"\r\n"),
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


def _checked(value: str) -> str:
    _safe(value.replace("\r\n ", ""))
    return value
