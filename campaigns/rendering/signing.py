"""DKIM (RFC 6376): a signature over a finished message, where no server adds one."""

from __future__ import annotations

from typing import Final

# What Gmail and Yahoo want under the signature, the unsubscription of RFC 8058 among it.
SIGNED: Final = (
    b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type",
    b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip


def sign(content: bytes, *, domain: str, selector: str, key: bytes) -> bytes:
    """Return the message with its signature before it; raises ValueError for a bad key."""
    import dkim  # noqa: PLC0415 -- only where mail is signed here

    there = {
        line.partition(b":")[0].lower() for line in content.split(b"\r\n\r\n")[0].split(b"\r\n")
    }
    try:
        mark = dkim.sign(
            content,
            selector.encode(),
            domain.encode(),
            key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name for name in SIGNED if name in there],
        )
    except (dkim.DKIMException, ValueError) as error:
        raise ValueError("the DKIM key cannot be read; it must be an RSA key in PEM") from error
    return bytes(mark) + content
