"""Certificates of what was done to a person's data, signed so that anybody can check them."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Any

from privacy.crypto import signing
from privacy.keystore import keystore

FORM = "candor-erasure-1"


class CertificateError(ValueError):
    """The file is no certificate, or not as it was signed; the text says which."""


def certify(facts: dict[str, Any]) -> dict[str, Any]:
    """Return `facts` with this installation's signature and public key beside them."""
    document = {"form": FORM, "installation": keystore.installation().hex(), **facts}
    seed = _seed()
    return {
        "document": document,
        "signature": b64encode(signing.sign(seed, document)).decode(),
        "public_key": b64encode(signing.public_key(seed)).decode(),
    }


def public_key() -> str:
    """Return this installation's public key in base64, to hand to whoever checks."""
    return b64encode(signing.public_key(_seed())).decode()


def verify(certificate: Any, *, expected_key: str) -> dict[str, Any]:
    """Return the signed document. Raises CertificateError if it is not that key's, or altered."""
    try:
        document, given = certificate["document"], certificate["public_key"]
        signature = b64decode(certificate["signature"], validate=True)
        key = b64decode(expected_key, validate=True)
        form = document["form"]
    except (KeyError, TypeError, binascii.Error, ValueError):
        raise CertificateError("this is not a certificate of Candor") from None
    if form != FORM:
        raise CertificateError(f"certificates of the form {form!r} are not known here")
    if given != expected_key:
        raise CertificateError("it names another key than the one expected")
    if not signing.is_signed(key, document, signature):
        raise CertificateError("the signature does not fit: it was altered, or never signed")
    found: dict[str, Any] = document
    return found


def _seed() -> bytes:
    return keystore.root("signing", "certificates")
