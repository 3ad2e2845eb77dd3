"""Ciphertext v1: AES-256-GCM, bound to the installation, column, subject and row it stands in.

Sealed value = version (1) · algorithm (1) · key generation (2) · nonce (12) · ciphertext · tag (16).
Wrapped key  = version (1) · algorithm (1) · nonce (12) · ciphertext (32) · tag (16).

Associated data is a list of parts, each behind its length in four bytes, so that no two lists
give the same bytes. Nonces are drawn for each value and never kept: a pool would be drawn
twice by a process and its fork.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
AES_256_GCM = 1
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
UUID_BYTES = 16
HEADER = struct.Struct(">BBH")
WRAP_HEADER = bytes([VERSION, AES_256_GCM])
WRAPPED_BYTES = len(WRAP_HEADER) + NONCE_BYTES + KEY_BYTES + TAG_BYTES
_UUID_LENGTH = struct.pack(">I", UUID_BYTES)
_NUMBERS = struct.Struct(">IHIH")
SMALLEST = HEADER.size + NONCE_BYTES + TAG_BYTES


class SealedIntegrityError(Exception):
    """A sealed value does not open: moved, altered, cut short, or of another key."""


class KeyGoneError(SealedIntegrityError):
    """There is no key of the generation a value was sealed with: destroyed, or just replaced."""


def associated_data(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def new_keys(n: int) -> list[bytes]:
    return _drawn(n, KEY_BYTES)


def _drawn(n: int, n_bytes: int) -> list[bytes]:
    """Return `n` random texts, drawn by one call of the system for a caller who uses all at once."""
    drawn = os.urandom(n * n_bytes)
    return [drawn[at : at + n_bytes] for at in range(0, len(drawn), n_bytes)]


def in_row(subject: bytes, row: bytes) -> bytes:
    """Return what binds values to their row: the part of associated data all its columns share.

    Both are the 16 bytes of a uuid; raises ValueError for others.
    """
    if len(subject) != UUID_BYTES or len(row) != UUID_BYTES:
        raise ValueError("subject and row are the 16 bytes of a uuid")
    return _UUID_LENGTH + subject + _UUID_LENGTH + row


def in_rows(subjects: Sequence[bytes], rows: Sequence[bytes]) -> list[bytes]:
    """Return `in_row` of each pair."""
    if {*map(len, subjects), *map(len, rows)} - {UUID_BYTES}:
        raise ValueError("subjects and rows are the 16 bytes of a uuid")
    middle = _UUID_LENGTH
    return [middle + subject + middle + row for subject, row in zip(subjects, rows, strict=True)]


def generation_of(sealed: bytes) -> int:
    """Return the generation of the key a value is sealed with, as its header says.

    Raises SealedIntegrityError for a value cut short.
    """
    if len(sealed) < HEADER.size:
        raise SealedIntegrityError("a sealed value is cut short")
    return sealed[2] << 8 | sealed[3]


class Column:
    """Where values are sealed: a field of a model in an installation.

    `label` and `field` are declared names that stay when table or column are renamed. Made
    once and used for many values: the head of the associated data is kept by header.
    """

    def __init__(self, installation: bytes, label: str, field: str) -> None:
        self.name = f"{label}.{field}"
        self._place = (installation, label.encode(), field.encode())
        self._heads: dict[bytes, bytes] = {}

    def seal(self, cipher: AESGCM, plaintext: bytes, *, generation: int, bound: bytes) -> bytes:
        """Encrypt for the row of `bound` (see `in_row`) under that generation of its key."""
        header = HEADER.pack(VERSION, AES_256_GCM, generation)
        nonce = os.urandom(NONCE_BYTES)
        head = self._heads.get(header) or self._head(header)
        return header + nonce + cipher.encrypt(nonce, plaintext, head + bound)

    def seal_many(
        self,
        keys: Iterable[tuple[int, AESGCM]],
        plaintexts: Sequence[bytes],
        bounds: Iterable[bytes],
    ) -> list[bytes]:
        """Seal a value of each row with its key, given by generation and cipher."""
        sealed = []
        header, head, last = b"", b"", -1
        nonces = _drawn(len(plaintexts), NONCE_BYTES)
        for (generation, cipher), nonce, plaintext, bound in zip(
            keys, nonces, plaintexts, bounds, strict=True
        ):
            if generation != last:
                header, last = HEADER.pack(VERSION, AES_256_GCM, generation), generation
                head = self._head(header)
            sealed.append(header + nonce + cipher.encrypt(nonce, plaintext, head + bound))
        return sealed

    def open(self, ciphers: Mapping[int, AESGCM], sealed: bytes, *, bound: bytes) -> bytes:
        """Return the plaintext by the cipher of its generation.

        Raises KeyGoneError if that is gone, and SealedIntegrityError for anything not sealed
        right here.
        """
        header = sealed[:4]
        head = self._heads.get(header) or self._head(header)
        cipher = ciphers.get(header[2] << 8 | header[3])
        if cipher is None:
            raise KeyGoneError(f"the key of {self.name} is gone")
        try:
            return cipher.decrypt(sealed[4:16], sealed[16:], head + bound)
        except (InvalidTag, ValueError):  # ValueError: a nonce cut short
            raise SealedIntegrityError(f"a sealed value of {self.name} does not open") from None

    def open_many(
        self,
        ciphers: Iterable[Mapping[int, AESGCM]],
        sealed: Iterable[bytes | None],
        bounds: Iterable[bytes],
    ) -> list[str | None]:
        """Open a value of each row as text, None where there is none; raises as `open`.

        One loop without calls of ours: at a million rows those cost more than the cipher.
        """
        plain: list[str | None] = []
        header, head, generation = b"", b"", 0
        try:
            for mine, value, bound in zip(ciphers, sealed, bounds, strict=True):
                if value is None:
                    plain.append(None)
                    continue
                if value[:4] != header:
                    header = value[:4]
                    head, generation = self._head(header), generation_of(header)
                plaintext = mine[generation].decrypt(value[4:16], value[16:], head + bound)
                plain.append(plaintext.decode())
        except KeyError:
            raise KeyGoneError(f"the key of {self.name} is gone") from None
        except (InvalidTag, ValueError):
            raise SealedIntegrityError(f"a sealed value of {self.name} does not open") from None
        return plain

    def _head(self, header: bytes) -> bytes:
        head = self._heads.get(header)
        if head is None:
            if len(header) < HEADER.size:
                raise SealedIntegrityError(f"a sealed value of {self.name} is cut short")
            version, algorithm, _generation = HEADER.unpack(header)
            if (version, algorithm) != (VERSION, AES_256_GCM):
                raise SealedIntegrityError(
                    f"version {version}.{algorithm} of sealed values is not known"
                )
            head = self._heads[header] = associated_data(header, *self._place)
        return head


class Wrapping:
    """Wraps subjects' keys under the key-encryption key of one epoch of an installation."""

    def __init__(self, kek: bytes, *, installation: bytes, epoch: int) -> None:
        self._cipher = AESGCM(kek)
        self._start = associated_data(WRAP_HEADER, installation) + _UUID_LENGTH
        self._epoch = epoch

    def _data(self, subject: bytes, generation: int) -> bytes:
        if len(subject) != UUID_BYTES:
            raise ValueError("a subject is the 16 bytes of a uuid")
        # The same bytes as associated_data(header, installation, subject, epoch, generation).
        return self._start + subject + _NUMBERS.pack(2, self._epoch, 2, generation)

    def wrap(self, key: bytes, *, subject: bytes, generation: int) -> bytes:
        return self.wrap_many({subject: key}, generation=generation)[0]

    def wrap_many(self, keys: Mapping[bytes, bytes], *, generation: int) -> list[bytes]:
        """Wrap the key of each subject, in their order."""
        encrypt, data = self._cipher.encrypt, self._data
        nonces = _drawn(len(keys), NONCE_BYTES)
        return [
            WRAP_HEADER + nonce + encrypt(nonce, key, data(subject, generation))
            for nonce, (subject, key) in zip(nonces, keys.items(), strict=True)
        ]

    def unwrap(self, wrapped: bytes, *, subject: bytes, generation: int) -> bytes:
        """Return the subject's key; raises SealedIntegrityError if it is not theirs or altered."""
        if wrapped[:2] != WRAP_HEADER or len(wrapped) != WRAPPED_BYTES:
            raise SealedIntegrityError("a wrapped key has an unknown form")
        try:
            return self._cipher.decrypt(
                wrapped[2:14], wrapped[14:], self._data(subject, generation)
            )
        except InvalidTag:
            raise SealedIntegrityError(
                "a wrapped key does not open: it is of another key epoch, or was altered"
            ) from None


def wrap_root(provider_key: AESGCM, key: bytes, *, context: bytes) -> bytes:
    """Wrap the root key of a use under the provider's key, bound to `context`."""
    nonce = os.urandom(NONCE_BYTES)
    data = associated_data(WRAP_HEADER, b"root", context)
    return WRAP_HEADER + nonce + provider_key.encrypt(nonce, key, data)


def unwrap_root(provider_key: AESGCM, wrapped: bytes, *, context: bytes) -> bytes:
    """Return the root key of a use; raises SealedIntegrityError for what does not open."""
    try:
        if wrapped[:2] == WRAP_HEADER:
            data = associated_data(WRAP_HEADER, b"root", context)
            return provider_key.decrypt(wrapped[2:14], wrapped[14:], data)
    except (InvalidTag, ValueError):
        pass
    raise SealedIntegrityError("a wrapped root key does not open")
