"""Sealed streams: whole and in order, or not at all."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from privacy.crypto.envelope import new_key
from privacy.crypto.stream import (
    FRAME_BYTES,
    SEALED_FRAME_BYTES,
    AlteredStreamError,
    SealedReader,
    SealedWriter,
    n_plain_bytes,
)

KEY, BOUND = bytes(range(32)), b"installation and file"
THREE_FRAMES = bytes(range(256)) * (5 * FRAME_BYTES // 512)


def seal(plain: bytes, *, key: bytes = KEY, pieces: int = 1 << 20) -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, key, bound=BOUND)
    for start in range(0, len(plain), pieces):
        writer.write(plain[start : start + pieces])
    writer.finish()
    return target.getvalue()


def unseal(sealed: bytes, *, key: bytes = KEY, bound: bytes = BOUND) -> bytes:
    n_bytes = n_plain_bytes(len(sealed))
    with SealedReader(io.BytesIO(sealed), key, bound=bound, n_bytes=n_bytes) as reader:
        return reader.readall()


def frames(sealed: bytes) -> list[bytes]:
    starts = range(0, len(sealed), SEALED_FRAME_BYTES)
    return [sealed[start : start + SEALED_FRAME_BYTES] for start in starts]


@given(
    n_bytes=st.sampled_from([0, 1, *(k * FRAME_BYTES + d for k in (1, 2) for d in (-1, 0, 1))]),
    pieces=st.integers(min_value=1_000, max_value=3 * FRAME_BYTES),
)
def test_what_was_sealed_opens_however_it_was_cut_into_pieces(n_bytes: int, pieces: int) -> None:
    plain = (bytes(range(251)) * (1 + n_bytes // 251))[:n_bytes]

    sealed = seal(plain, pieces=pieces)

    assert unseal(sealed) == plain
    assert n_plain_bytes(len(sealed)) == n_bytes
    assert sealed == seal(plain)


def test_frames_are_aes_gcm_under_their_index_and_the_mark_of_the_last() -> None:
    """The form of version 1, put together a second way: it must open for ever."""
    cipher, last = AESGCM(KEY), len(THREE_FRAMES) // FRAME_BYTES
    by_hand = [
        cipher.encrypt(
            bytes(10) + bytes([index, index == last]),
            THREE_FRAMES[index * FRAME_BYTES : (index + 1) * FRAME_BYTES],
            BOUND,
        )
        for index in range(last + 1)
    ]

    assert frames(seal(THREE_FRAMES)) == by_hand
    assert len(by_hand) == 3


def altered() -> dict[str, bytes]:
    sealed = seal(THREE_FRAMES)
    one, two, three = frames(sealed)
    return {
        "cut behind a frame": one + two,
        "cut within a frame": sealed[:-1],
        "cut to nothing": b"",
        "without its first frame": two + three,
        "without its middle": one + three,
        "in another order": two + one + three,
        "a frame twice": one + one + two + three,
        "continued": sealed + b"\0",
        "continued by its own frame": sealed + three,
        "with the end of another": one + two + frames(seal(THREE_FRAMES, key=new_key()))[2],
        "with one bit changed": sealed[:70_000] + bytes([sealed[70_000] ^ 1]) + sealed[70_001:],
        "of another key": seal(THREE_FRAMES, key=new_key()),
    }


@pytest.mark.parametrize("how", altered())
def test_a_stream_that_was_altered_does_not_open(how: str) -> None:
    with pytest.raises(AlteredStreamError):
        unseal(altered()[how])


def test_a_stream_of_another_place_does_not_open() -> None:
    with pytest.raises(AlteredStreamError):
        unseal(seal(b"plain"), bound=b"another file")


def test_no_byte_of_an_altered_frame_is_given_out() -> None:
    sealed = seal(THREE_FRAMES)
    broken = sealed[: SEALED_FRAME_BYTES + 100] + b"\0" + sealed[SEALED_FRAME_BYTES + 101 :]
    reader = SealedReader(io.BytesIO(broken), KEY, bound=BOUND, n_bytes=0)

    given_out = reader.read(FRAME_BYTES)

    assert given_out == THREE_FRAMES[:FRAME_BYTES]
    assert reader.tell() == FRAME_BYTES
    with pytest.raises(AlteredStreamError):
        reader.read(1)


def test_a_long_stream_is_read_in_little_memory() -> None:
    source = io.BytesIO(seal(bytes(64 * FRAME_BYTES)))
    tracemalloc.start()
    try:
        reader = SealedReader(source, KEY, bound=BOUND, n_bytes=0)
        n_bytes = sum(len(piece) for piece in iter(lambda: reader.read(FRAME_BYTES), b""))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert n_bytes == 64 * FRAME_BYTES
    assert peak < 8 * FRAME_BYTES
