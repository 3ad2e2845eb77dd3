"""Long plaintexts, sealed frame by frame: written and read in bounded memory.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption
and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015, section 7) over AES-256-GCM. A frame's
nonce is its index (11 bytes) and whether it is the last one (1 byte), so a stream that was cut
short, continued, or put in another order does not open. A key therefore seals one stream only.

Sealed stream = frames of 64 KiB ciphertext · tag (16); the last one is shorter, or as long.
"""

from __future__ import annotations

import io
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.crypto.envelope import NONCE_BYTES, TAG_BYTES, SealedIntegrityError

FRAME_BYTES = 1 << 16
SEALED_FRAME_BYTES = FRAME_BYTES + TAG_BYTES


class AlteredStreamError(SealedIntegrityError):
    """A sealed stream does not open: altered, cut short, of another place or of another key."""


def n_plain_bytes(n_sealed_bytes: int) -> int:
    """Return how long the plaintext of a stream is."""
    n_frames = -(-n_sealed_bytes // SEALED_FRAME_BYTES)
    return max(0, n_sealed_bytes - n_frames * TAG_BYTES)


class SealedWriter:
    """Seals what is written and puts it into `target`; before `finish` it does not open.

    `key` is new and used for nothing else; `bound` names the place the stream belongs to.
    """

    def __init__(self, target: IO[bytes], key: bytes, *, bound: bytes) -> None:
        self._target = target
        self._cipher = AESGCM(key)
        self._bound = bound
        self._waiting = bytearray()
        self._index = 0

    def write(self, piece: bytes) -> None:
        self._waiting += piece
        # A full frame waits for more, since only then it is known not to be the last.
        while len(self._waiting) > FRAME_BYTES:
            self._put(bytes(self._waiting[:FRAME_BYTES]), is_last=False)
            del self._waiting[:FRAME_BYTES]

    def finish(self) -> None:
        self._put(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _put(self, plain: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._index, is_last=is_last)
        self._target.write(self._cipher.encrypt(nonce, plain, self._bound))
        self._index += 1


class SealedReader(io.RawIOBase):
    """Reads the plaintext of the sealed stream in `source`, which it closes with itself.

    No byte is given out before its frame is found unaltered. Raises AlteredStreamError.
    """

    def __init__(self, source: IO[bytes], key: bytes, *, bound: bytes, n_bytes: int) -> None:
        super().__init__()
        self.n_bytes = n_bytes
        self._source = source
        self._cipher = AESGCM(key)
        self._bound = bound
        self._index = 0
        self._position = 0
        self._plain = memoryview(b"")
        self._next = source.read(SEALED_FRAME_BYTES)
        self._is_over = False

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        """Return how much of the plaintext is read."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        if not self._plain and not self._is_over:
            self._plain = memoryview(self._open_next())
        n = min(len(buffer), len(self._plain))
        buffer[:n] = self._plain[:n]
        self._plain = self._plain[n:]
        self._position += n
        return n

    def close(self) -> None:
        self._source.close()
        super().close()

    def _open_next(self) -> bytes:
        sealed, self._next = self._next, self._source.read(SEALED_FRAME_BYTES)
        self._is_over = not self._next
        nonce = _nonce(self._index, is_last=self._is_over)
        self._index += 1
        try:
            return self._cipher.decrypt(nonce, sealed, self._bound)
        except InvalidTag:
            raise AlteredStreamError(
                f"frame {self._index} of a sealed stream does not open"
            ) from None


def _nonce(index: int, *, is_last: bool) -> bytes:
    return index.to_bytes(NONCE_BYTES - 1, "big") + bytes([is_last])
