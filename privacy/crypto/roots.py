"""Separate roots from the one root key: HKDF-SHA256 (RFC 5869), one label per use."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ROOT_BYTES = 32


def derive(root: bytes, *path: str) -> bytes:
    """Return the 32-byte key of a use such as `("index", "customer.email", "1")`.

    Raises ValueError if the root is not 32 bytes or a part of the path holds a slash.
    """
    if len(root) != ROOT_BYTES:
        raise ValueError(f"the root key has {len(root)} bytes instead of {ROOT_BYTES}")
    if any("/" in part for part in path):
        raise ValueError("a part of a key's path holds a slash")
    info = "/".join(("candor", "v1", *path)).encode()
    return HKDF(algorithm=SHA256(), length=ROOT_BYTES, salt=None, info=info).derive(root)
