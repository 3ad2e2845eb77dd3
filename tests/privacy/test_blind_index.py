"""Tags and derived keys against published vectors; addresses against their many spellings."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.crypto import blind_index, roots
from privacy.crypto.blind_index import NotAnAddressError, mailbox, normalise_email, normalise_phone


def hkdf(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 written from its text, without salt."""
    prk = hmac.digest(bytes(32), key, hashlib.sha256)
    out, block = b"", b""
    for n in range(1, length // 32 + 2):
        block = hmac.digest(prk, block + info + bytes([n]), hashlib.sha256)
        out += block
    return out[:length]


def test_a_tag_is_the_head_of_the_hmac_of_rfc_4231_case_1() -> None:
    assert blind_index.tag(b"\x0b" * 20, "Hi There").hex() == "b0344c61d8db38535ca8afceaf0bf12b"


def test_derived_keys_are_hkdf_as_of_rfc_5869_case_3() -> None:
    okm = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert hkdf(b"\x0b" * 22, b"", 42).hex() == okm

    derived = roots.derive(bytes(range(32)), "index", "customer.email", "1")

    assert derived == hkdf(bytes(range(32)), b"candor/v1/index/customer.email/1", 32)


def test_every_use_has_a_key_of_its_own() -> None:
    uses = [("kek", "1"), ("kek", "2"), ("index", "a"), ("suppression", "a"), ("audit",)]

    assert len({roots.derive(bytes(32), *use) for use in uses}) == len(uses)


@pytest.mark.parametrize("bad", [(bytes(31), ("kek",)), (bytes(32), ("a/b",))])
def test_a_short_root_or_an_ambiguous_use_is_refused(bad: tuple[bytes, tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match=r"root key|slash"):
        roots.derive(bad[0], *bad[1])


@pytest.mark.parametrize(
    ("spelling", "normalised"),
    [
        ("anna@example.com", "anna@example.com"),
        ("  Anna@EXAMPLE.com\n", "anna@example.com"),
        ("ａｎｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "anna@example.com"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("straße@example.com", "strasse@example.com"),
        ("a.n+tag@example.co.uk", "a.n+tag@example.co.uk"),
        ("王@例子.中国", "王@xn--fsqu00a.xn--fiqs8s"),
    ],
)
def test_spellings_of_one_address_are_one(spelling: str, normalised: str) -> None:
    assert normalise_email(spelling) == normalised


@pytest.mark.parametrize(
    "text",
    ["", "anna", "@shop.example", "anna@", "a b@example.com", "a@b@example.com", "anna@example",
     "anna@-x.com", "anna@example..com", "a\x00@example.com", "a@example.com, b@example.com",
     f"{'a' * 65}@example.com", f"a@{'b' * 250}.com", "Anna <anna@example.com>"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(NotAnAddressError) as caught:
        normalise_email(text)
    assert not text or text not in str(caught.value)


@given(st.emails())
def test_normalising_twice_is_normalising_once(address: str) -> None:
    try:
        once = normalise_email(address)
    except NotAnAddressError:
        return  # quoted and exotic local parts, which shops do not have
    assert normalise_email(once) == once
    assert mailbox(mailbox(once)) == mailbox(once)


def test_a_mailbox_is_the_same_under_every_tag() -> None:
    assert mailbox("anna+news@example.com") == mailbox("anna@example.com") == "anna@example.com"
    assert mailbox("+@example.com") == "+@example.com"


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("+86 138 1234 8000", None, "+8613812348000"),
        ("138-1234-8000", "CN", "+8613812348000"),
        ("07700 900123", "GB", "+447700900123"),
        ("＋８６１３８１２３４８０００", None, "+8613812348000"),
        ("(212) 555-0142", "US", "+12125550142"),
    ],
)
def test_numbers_become_e164(text: str, region: str | None, e164: str) -> None:
    assert normalise_phone(text, region) == e164


@pytest.mark.parametrize("text", ["", "13812348000", "+1", "+86138", "no number", "+999999999999"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(NotAnAddressError):
        normalise_phone(text)
