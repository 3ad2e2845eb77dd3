"""Signatures against the vectors of RFC 8032, over one spelling of a document."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from privacy.crypto import signing

# RFC 8032, section 7.1, test 3.
SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
DOCUMENT = {"b": [1, 2], "a": "张三"}


def test_a_public_key_is_that_of_rfc_8032() -> None:
    assert signing.public_key(SEED) == PUBLIC
    assert signing.key_id(PUBLIC) != signing.key_id(bytes(32))
    assert len(signing.key_id(PUBLIC)) == signing.KEY_ID_DIGITS


def test_a_document_has_one_spelling_whatever_the_order_of_its_members() -> None:
    spelled = '{"a":"张三","b":[1,2]}'.encode()
    assert signing.canonical(DOCUMENT) == signing.canonical({"a": "张三", "b": [1, 2]}) == spelled
    with pytest.raises(ValueError, match="Out of range"):
        signing.canonical({"a": float("nan")})


def test_a_signature_is_ed25519_over_that_spelling_and_fits_nothing_else() -> None:
    signature = signing.sign(SEED, DOCUMENT)

    # Ed25519 draws nothing, so a second way gives the same bytes.
    spelled = signing.canonical(DOCUMENT)
    assert signature == Ed25519PrivateKey.from_private_bytes(SEED).sign(spelled)
    assert signing.is_signed(PUBLIC, DOCUMENT, signature)
    assert not signing.is_signed(PUBLIC, DOCUMENT | {"a": "李四"}, signature)
    assert not signing.is_signed(signing.public_key(bytes(32)), DOCUMENT, signature)
    assert not signing.is_signed(PUBLIC, DOCUMENT, signature[:-1])
    assert not signing.is_signed(b"short", DOCUMENT, signature)
