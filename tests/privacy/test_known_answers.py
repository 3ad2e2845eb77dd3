"""What version 1 made and every later version must make, open or verify all the same."""

from __future__ import annotations

import io
import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy import audit, certificates
from privacy.certificates import CertificateError
from privacy.checkpoints import NONE_YET, Checkpoint
from privacy.crypto import envelope, roots
from privacy.crypto.envelope import SealedIntegrityError
from privacy.crypto.stream import AlteredStreamError, SealedReader, SealedWriter, n_plain_bytes
from privacy.models import AuditEntry
from privacy.root_keys import context_of

KNOWN = json.loads((Path(__file__).parent / "data" / "known_answers_v1.json").read_text("utf-8"))


def raw(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case[name])


def stream_of(case: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, raw(case, "key"), bound=raw(case, "bound"))
    writer.write((case["text"] * case["times"]).encode())
    writer.finish()
    return target.getvalue()


def read(case: dict[str, Any], sealed: bytes) -> bytes:
    key, bound, n_bytes = raw(case, "key"), raw(case, "bound"), n_plain_bytes(len(sealed))
    return SealedReader(io.BytesIO(sealed), key, bound=bound, n_bytes=n_bytes).read() or b""


@pytest.mark.parametrize("case", KNOWN["stream"], ids=lambda case: case["sha256"][:8])
def test_a_stream_is_sealed_to_the_byte_as_it_was(case: dict[str, Any]) -> None:
    sealed = stream_of(case)

    assert sha256(sealed).hexdigest() == case["sha256"]
    assert case.get("sealed", sealed.hex()) == sealed.hex()
    assert read(case, sealed).decode() == case["text"] * case["times"]
    with pytest.raises(AlteredStreamError):
        read(case, sealed[:-1] + bytes([sealed[-1] ^ 1]))


@pytest.mark.parametrize("case", KNOWN["wrapped_roots"], ids=lambda case: case["use"])
def test_a_wrapped_root_opens_in_its_use_and_no_other(case: dict[str, Any]) -> None:
    provider, wrapped = AESGCM(raw(case, "provider_key")), raw(case, "wrapped")
    place = raw(case, "installation"), case["use"], case["version"]

    assert envelope.unwrap_root(provider, wrapped, context=context_of(*place)) == raw(case, "key")
    with pytest.raises(SealedIntegrityError):
        envelope.unwrap_root(provider, wrapped, context=context_of(place[0], "tracking", 1))


@pytest.mark.parametrize("case", KNOWN["derived"], ids=lambda case: "/".join(case["path"]))
def test_a_key_is_derived_by_its_path(case: dict[str, Any]) -> None:
    assert roots.derive(raw(case, "root"), *case["path"]) == raw(case, "key")


@pytest.mark.parametrize("case", KNOWN["audit"], ids=lambda case: case["action"])
def test_an_audit_entry_has_its_hash(case: dict[str, Any]) -> None:
    hashes = {name: raw(case, name) for name in ("previous_hash", "hash")}
    entry = AuditEntry(**case | hashes | {"at": datetime.fromisoformat(case["at"])})

    assert audit.digest(entry) == hashes["hash"]
    assert audit.fault_of(entry, hashes["previous_hash"]) is None


def test_checkpoints_stay_genuine_and_in_their_order() -> None:
    public_key = raw(KNOWN["checkpoints"], "public_key")
    first, second = (Checkpoint(**line) for line in KNOWN["checkpoints"]["lines"])

    assert first.is_genuine(public_key)
    assert second.is_genuine(public_key)
    assert first.comes_after(NONE_YET)
    assert second.comes_after(first)


def test_a_certificate_stays_verified() -> None:
    certificate = KNOWN["certificate"]
    key = certificate["public_key"]

    assert certificates.verify(certificate, expected_key=key) == certificate["document"]
    altered = certificate | {"document": certificate["document"] | {"kept": []}}
    with pytest.raises(CertificateError):
        certificates.verify(altered, expected_key=key)
