"""Files at rest: each sealed with a key of its own, opened only for a purpose that covers files.

Sealed file = mark (8) · wrapped key (62) · sealed stream (see `crypto/stream.py`). Mark,
installation and the file's uuid are bound to key and frames, so that one file cannot stand
in for another. Deleting the file deletes its key.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from privacy.crypto import envelope, stream
from privacy.crypto.stream import AlteredStreamError, SealedReader, SealedWriter
from privacy.keystore import keystore
from privacy.sealed import gate

MARK = b"CANDORF\x01"
DATA_CLASS = "file"


@contextmanager
def created(path: Path, uuid: UUID) -> Iterator[SealedWriter]:
    """Seal what the block writes into a new file that only this account may read.

    It is on the disk when the block ends; a block that fails leaves none. Raises
    FileExistsError, and KeyUnavailableError before there is a file.
    """
    key = envelope.new_key()
    wrapped = _wrapping().wrap(key, subject=uuid.bytes, generation=1)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(MARK + wrapped)
            writer = SealedWriter(file, key, bound=_bound(uuid))
            yield writer
            writer.finish()
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def opened(path: Path, uuid: UUID) -> SealedReader:
    """Open a sealed file for reading; audited first.

    Raises PurposeDeniedError without an open purpose that covers files, OSError, and
    AlteredStreamError (also while reading) for anything that was not sealed as this file.
    """
    gate().admit([DATA_CLASS], subjects=[], fields=[f"{DATA_CLASS}.{uuid}"])
    file = path.open("rb")
    try:
        head = file.read(len(MARK) + envelope.WRAPPED_BYTES)
        n_bytes = stream.n_plain_bytes(os.fstat(file.fileno()).st_size - len(head))
        return SealedReader(file, _key(head, uuid), bound=_bound(uuid), n_bytes=n_bytes)
    except BaseException:
        file.close()
        raise


def _key(head: bytes, uuid: UUID) -> bytes:
    if not head.startswith(MARK):
        raise AlteredStreamError("a file is not a sealed one")
    try:
        return _wrapping().unwrap(head[len(MARK) :], subject=uuid.bytes, generation=1)
    except envelope.SealedIntegrityError as error:
        raise AlteredStreamError(str(error)) from None


def _wrapping() -> envelope.Wrapping:
    return envelope.Wrapping(keystore.root("file"), installation=keystore.installation(), epoch=1)


def _bound(uuid: UUID) -> bytes:
    return envelope.associated_data(MARK, keystore.installation(), uuid.bytes)


# Small pieces, in a row instead of a file ----------------------------------------------------


def sealed(data: bytes, uuid: UUID) -> bytes:
    """Return `data` in the form of a sealed file, for the row of `uuid`."""
    key = envelope.new_key()
    wrapped = _wrapping().wrap(key, subject=uuid.bytes, generation=1)
    kept = io.BytesIO()
    writer = SealedWriter(kept, key, bound=_bound(uuid))
    writer.write(data)
    writer.finish()
    return MARK + wrapped + kept.getvalue()


def plain(pieces: Mapping[UUID, bytes], *, label: str) -> dict[UUID, bytes]:
    """Open pieces that `sealed` made, with one audit entry for all of them.

    Raises PurposeDeniedError without an open purpose that covers files, and AlteredStreamError.
    """
    gate().admit([DATA_CLASS], subjects=[], fields=[f"{DATA_CLASS}.{label}"])
    return {uuid: _plain(kept, uuid) for uuid, kept in pieces.items()}


def _plain(kept: bytes, uuid: UUID) -> bytes:
    head_bytes = len(MARK) + envelope.WRAPPED_BYTES
    key, body = _key(kept[:head_bytes], uuid), kept[head_bytes:]
    n_bytes = stream.n_plain_bytes(len(body))
    return SealedReader(io.BytesIO(body), key, bound=_bound(uuid), n_bytes=n_bytes).read() or b""
