"""Ed25519 signatures (RFC 8032) over canonical JSON, so that a document stays checkable."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_ID_DIGITS = 16


def canonical(document: Any) -> bytes:
    """Return the one spelling of a JSON document that is signed: sorted, without blanks."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def public_key(seed: bytes) -> bytes:
    """Return the 32 bytes of the public key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def key_id(public: bytes) -> str:
    """Return a short name of a public key, to compare by eye."""
    return sha256(public).hexdigest()[:KEY_ID_DIGITS]


def sign(seed: bytes, document: Any) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(canonical(document))


def is_signed(public: bytes, document: Any, signature: bytes) -> bool:
    """Whether the owner of `public` signed exactly this document."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, canonical(document))
    except (InvalidSignature, ValueError):
        return False
    return True
