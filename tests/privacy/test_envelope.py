"""Ciphertext v1 is final: later versions must open what is in the known-answer file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from privacy.crypto.envelope import (
    Column,
    KeyGoneError,
    SealedIntegrityError,
    Wrapping,
    in_row,
    in_rows,
    new_keys,
    unwrap_root,
    wrap_root,
)

KNOWN = json.loads((Path(__file__).parent / "data" / "ciphertext_v1.json").read_text("utf-8"))
KEY = AESGCM(bytes(range(32)))
PLACE = Column(b"i" * 16, "customer", "email")
SUBJECT, ROW = b"s" * 16, b"r" * 16
BOUND = in_row(SUBJECT, ROW)


class Every(dict[int, AESGCM]):
    """One cipher for all generations, so that only the seal itself can refuse."""

    def get(self, generation: int, default: Any = None) -> AESGCM:
        return KEY


EVERY = Every()


def seal(plaintext: bytes = b"anna@example.com", generation: int = 1) -> bytes:
    return PLACE.seal(KEY, plaintext, generation=generation, bound=BOUND)


@pytest.mark.parametrize("case", KNOWN["sealed"], ids=lambda case: case["field"])
def test_the_known_answers_open(case: dict[str, Any]) -> None:
    place = Column(bytes.fromhex(case["installation"]), case["label"], case["field"])
    sealed = bytes.fromhex(case["sealed"])

    plaintext = place.open(
        {case["generation"]: AESGCM(bytes.fromhex(case["key"]))},
        sealed,
        bound=in_row(bytes.fromhex(case["subject"]), bytes.fromhex(case["row"])),
    )

    assert plaintext.decode() == case["plaintext"]


def test_the_known_wrapped_key_opens() -> None:
    case = KNOWN["wrapped"]

    wrapping = Wrapping(
        bytes.fromhex(case["kek"]),
        installation=bytes.fromhex(case["installation"]),
        epoch=case["epoch"],
    )
    key = wrapping.unwrap(
        bytes.fromhex(case["wrapped"]),
        subject=bytes.fromhex(case["subject"]),
        generation=case["generation"],
    )

    assert key == bytes.fromhex(case["key"])


@given(st.binary(max_size=2000), st.integers(0, 65535))
def test_what_was_sealed_opens_in_its_place(plaintext: bytes, generation: int) -> None:
    sealed = seal(plaintext, generation)

    assert PLACE.open(EVERY, sealed, bound=BOUND) == plaintext
    assert len(sealed) == len(plaintext) + 32


def test_the_same_value_is_never_sealed_the_same_way_twice() -> None:
    assert len({seal() for _ in range(100)}) == 100


@given(st.data())
def test_a_changed_bit_is_always_found(data: st.DataObject) -> None:
    sealed = bytearray(seal())
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(SealedIntegrityError):
        PLACE.open(EVERY, bytes(sealed), bound=BOUND)


@given(st.integers(0, 47))
def test_a_value_cut_short_is_always_found(length: int) -> None:
    with pytest.raises(SealedIntegrityError):
        PLACE.open(EVERY, seal()[:length], bound=BOUND)


Place = tuple[bytes, str, str, bytes, bytes]
ids = st.binary(min_size=16, max_size=16)
places = st.tuples(ids, st.text(max_size=9), st.text(max_size=9), ids, ids)


@given(places, places)
def test_a_value_opens_only_in_the_place_it_was_sealed_in(here: Place, there: Place) -> None:
    sealed = Column(*here[:3]).seal(KEY, b"x", generation=1, bound=in_row(*here[3:]))

    if here == there:
        return
    with pytest.raises(SealedIntegrityError):
        Column(*there[:3]).open(EVERY, sealed, bound=in_row(*there[3:]))


def test_parts_of_the_place_cannot_slide_into_each_other() -> None:
    sealed = Column(b"i" * 16, "ab", "c").seal(KEY, b"x", generation=1, bound=BOUND)

    with pytest.raises(SealedIntegrityError):
        Column(b"i" * 16, "a", "bc").open(EVERY, sealed, bound=BOUND)


@pytest.mark.parametrize(
    "changed",
    [{"subject": b"t" * 16}, {"installation": b"j" * 16}, {"epoch": 2}, {"generation": 2}],
)
def test_a_wrapped_key_opens_only_for_its_subject_epoch_and_generation(
    changed: dict[str, Any],
) -> None:
    facts: dict[str, Any] = {"installation": b"i" * 16, "epoch": 1}
    place: dict[str, Any] = {"subject": SUBJECT, "generation": 1}
    wrapped = Wrapping(bytes(32), **facts).wrap(bytes(32), **place)
    other = Wrapping(bytes(32), **facts | {k: v for k, v in changed.items() if k in facts})

    assert Wrapping(bytes(32), **facts).unwrap(wrapped, **place) == bytes(32)
    with pytest.raises(SealedIntegrityError):
        other.unwrap(wrapped, **place | {k: v for k, v in changed.items() if k in place})


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(SealedIntegrityError, match=r"version 2\.1"):
        PLACE.open(EVERY, b"\x02" + seal()[1:], bound=BOUND)


def test_a_value_of_a_destroyed_key_says_so() -> None:
    with pytest.raises(SealedIntegrityError, match=r"key of customer\.email is gone"):
        PLACE.open({2: KEY}, seal(generation=1), bound=BOUND)


@pytest.mark.parametrize(("subject", "row"), [(b"s", ROW), (SUBJECT, ROW + b"r"), (b"", b"")])
def test_only_whole_uuids_bind(subject: bytes, row: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        in_row(subject, row)
    with pytest.raises(ValueError, match="16 bytes"):
        in_rows([SUBJECT, subject], [ROW, row])
    assert in_rows([SUBJECT], [ROW]) == [in_row(SUBJECT, ROW)]


def many(generations: list[int]) -> tuple[list[dict[int, AESGCM]], list[bytes], list[bytes]]:
    """Rows sealed together: their keys, values and bounds."""
    keys = [AESGCM(bytes([n + 1] * 32)) for n in range(len(generations))]
    bounds = [in_row(SUBJECT, bytes([n] * 16)) for n in range(len(generations))]
    texts = [f"person {n}".encode() for n in range(len(generations))]
    sealed = PLACE.seal_many(zip(generations, keys, strict=True), texts, bounds)
    return [dict([pair]) for pair in zip(generations, keys, strict=True)], sealed, bounds


@given(st.lists(st.integers(min_value=1, max_value=3), min_size=1, max_size=8))
def test_rows_sealed_together_open_together_and_one_by_one(generations: list[int]) -> None:
    ciphers, sealed, bounds = many(generations)

    expected = [f"person {n}" for n in range(len(generations))]
    assert PLACE.open_many(ciphers, sealed, bounds) == expected
    singly = zip(ciphers, sealed, bounds, strict=True)
    assert [PLACE.open(mine, one, bound=b).decode() for mine, one, b in singly] == expected


def test_no_two_values_sealed_or_keys_wrapped_together_share_a_nonce() -> None:
    _ciphers, sealed, _bounds = many([1] * 250)
    _ciphers, again, _bounds = many([1] * 250)
    keys = dict(zip((bytes([n]) * 16 for n in range(250)), new_keys(250), strict=True))
    wrapped = Wrapping(bytes(32), installation=bytes(16), epoch=1).wrap_many(keys, generation=1)

    assert len({one[4:16] for one in sealed + again}) == 500
    assert len({one[2:14] for one in wrapped}) == len(set(keys.values())) == 250


def test_a_row_without_a_value_stays_without_among_others() -> None:
    ciphers, sealed, bounds = many([1, 1, 2])
    assert PLACE.open_many(ciphers, [sealed[0], None, sealed[2]], bounds) == [
        "person 0",
        None,
        "person 2",
    ]


def test_one_bad_row_among_many_is_refused_by_its_own_fault() -> None:
    ciphers, sealed, bounds = many([1, 1])
    with pytest.raises(KeyGoneError):
        PLACE.open_many([ciphers[0], {}], sealed, bounds)
    with pytest.raises(SealedIntegrityError, match="does not open"):
        PLACE.open_many(ciphers, sealed[::-1], bounds)
    with pytest.raises(SealedIntegrityError, match="cut short"):
        PLACE.open_many(ciphers, [sealed[0], sealed[1][:3]], bounds)
    with pytest.raises(SealedIntegrityError, match="does not open"):
        PLACE.open_many(ciphers, [sealed[0], sealed[1][:9]], bounds)


def test_a_root_key_opens_for_its_use_and_provider_alone() -> None:
    wrapped = wrap_root(KEY, b"k" * 32, context=b"kek/1")

    assert unwrap_root(KEY, wrapped, context=b"kek/1") == b"k" * 32
    for key, blob, context in (
        (KEY, wrapped, b"kek/2"),
        (AESGCM(bytes(32)), wrapped, b"kek/1"),
        (KEY, wrapped[:-1], b"kek/1"),
        (KEY, wrapped[:8], b"kek/1"),
        (KEY, b"\x02" + wrapped[1:], b"kek/1"),
    ):
        with pytest.raises(SealedIntegrityError, match="root key"):
            unwrap_root(key, blob, context=context)


def test_a_wrapped_key_of_an_unknown_form_or_for_no_subject_is_refused() -> None:
    wrapping = Wrapping(bytes(32), installation=b"i" * 16, epoch=1)
    wrapped = wrapping.wrap(b"k" * 32, subject=SUBJECT, generation=1)
    for blob in (wrapped[:-1], b"\x02" + wrapped[1:]):
        with pytest.raises(SealedIntegrityError, match="unknown form"):
            wrapping.unwrap(blob, subject=SUBJECT, generation=1)
    with pytest.raises(ValueError, match="uuid"):
        wrapping.wrap(b"k" * 32, subject=b"short", generation=1)
