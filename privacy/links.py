"""The link that proves who asks: derived from the request, so that no copy of it is stored."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from uuid import UUID

from privacy.keystore import keystore
from privacy.models import PrivacyRequest

_TOKEN = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")


def token(request: PrivacyRequest) -> str:
    """Return what stands in the link: the request's id and 256 bits only this shop can make."""
    return f"{request.uuid.hex}.{_code(request.uuid)}"


def find(given: str) -> PrivacyRequest | None:
    """Return the request of a token, None for any that was not made here."""
    match = _TOKEN.fullmatch(given)
    if match is None or not hmac.compare_digest(_code(UUID(match[1])), match[2]):
        return None
    return PrivacyRequest.objects.filter(uuid=UUID(match[1])).first()


def _code(uuid: UUID) -> str:
    key = keystore.root("requests", "link")
    digest = hmac.digest(key, uuid.bytes, hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
