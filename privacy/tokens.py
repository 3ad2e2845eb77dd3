"""Signed tokens of links in messages: nothing is stored, and nothing personal is in them."""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from privacy.keystore import keystore

TAG_BYTES = 16
FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def token(use: str, uuid: UUID) -> str:
    """Return 43 characters that say "this row, for this use", and that nobody can make up."""
    return urlsafe_b64encode(uuid.bytes + _tag(use, uuid.bytes)).decode().rstrip("=")


def read(use: str, text: str) -> UUID | None:
    """Return the row of a token, or None if it is not one of ours for that use."""
    if not FORM.fullmatch(text):
        return None
    try:
        told = urlsafe_b64decode(f"{text}=")
    except (binascii.Error, ValueError):
        return None
    uuid, tag = told[:16], told[16:]
    return UUID(bytes=uuid) if hmac.compare_digest(tag, _tag(use, uuid)) else None


def _tag(use: str, uuid: bytes) -> bytes:
    return hmac.digest(keystore.root("tracking", use), uuid, "sha256")[:TAG_BYTES]
