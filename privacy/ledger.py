"""The ledger of erasures: what a database restored from a backup has to be told again.

It stands in the keystore and, line by line, in a file of `VAR_DIR`, so that restoring either
database leaves it. It holds keyed tags of subjects, which say nothing without the root key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings

from privacy.crypto import blind_index
from privacy.keystore import keystore
from privacy.models import Erasure, LedgerEntry


class DamagedLedgerError(ValueError):
    """A line of the ledger's file cannot be read; the text says which."""


@dataclass(frozen=True)
class Entry:
    """One erasure: `tag` is the keyed tag of the subject."""

    erasure: UUID
    tag: bytes
    erased_at: datetime


def path() -> Path:
    return Path(settings.VAR_DIR) / "ledger" / "erasures.jsonl"


def tag_of(subject: UUID) -> bytes:
    return blind_index.tag(keystore.index_key("ledger", "subject"), subject.hex)


def note(entry: Entry) -> None:
    """Write an erasure into the keystore, then into the file; safe to repeat."""
    LedgerEntry.objects.get_or_create(
        erasure_uuid=entry.erasure,
        defaults={"subject_tag": entry.tag, "erased_at": entry.erased_at},
    )
    if entry.erasure not in _in_file():
        _append(entry)


def entries() -> dict[UUID, Entry]:
    """Return every erasure that the keystore or the file knows."""
    return _in_file() | _in_keystore()


def missing() -> list[Entry]:
    """Return the erasures that this database or the keystore was not told of: after a restore.

    One that is being made has its row before it has its entry, so it is never among them.
    """
    known = entries()
    told = set(Erasure.objects.values_list("uuid", flat=True)) & _in_keystore().keys()
    running = set(
        Erasure.objects.filter(state=Erasure.State.RUNNING).values_list("uuid", flat=True)
    )
    lacking = known.keys() - told - running
    return sorted((known[uuid] for uuid in lacking), key=lambda entry: entry.erased_at)


def is_whole() -> bool:
    """Whether this database was told of every erasure; three cheap queries when it was."""
    return not missing()


def mark_restored(now: datetime) -> None:
    """Note that a backup was put back: nothing is served until `restore_check` has run.

    The ledger alone does not tell where it came from the same backup.
    """
    mark = _mark()
    mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.write_text(now.isoformat() + "\n", encoding="ascii")


def is_marked_restored() -> bool:
    return _mark().exists()


def unmark_restored() -> None:
    _mark().unlink(missing_ok=True)


def _mark() -> Path:
    return path().with_name("restored")


def _in_keystore() -> dict[UUID, Entry]:
    rows = LedgerEntry.objects.values_list("erasure_uuid", "subject_tag", "erased_at")
    return {uuid: Entry(uuid, bytes(tag), at) for uuid, tag, at in rows}


def _in_file() -> dict[UUID, Entry]:
    return {entry.erasure: entry for entry in _lines()}


def _lines() -> Iterator[Entry]:
    try:
        text = path().read_text(encoding="ascii")
    except FileNotFoundError:
        return
    *whole, _torn = text.split("\n")
    # A line without its end was being written when the power went: the keystore has it.
    for number, line in enumerate(whole, start=1):
        try:
            facts = json.loads(line)
            yield Entry(
                UUID(facts["erasure"]),
                bytes.fromhex(facts["tag"]),
                datetime.fromisoformat(facts["at"]),
            )
        except (ValueError, KeyError, TypeError):
            raise DamagedLedgerError(
                f"line {number} of {path()} cannot be read; put the file back from a copy"
            ) from None


def _append(entry: Entry) -> None:
    where = path()
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = json.dumps(
        {
            "erasure": str(entry.erasure),
            "tag": entry.tag.hex(),
            "at": entry.erased_at.isoformat(),
        }
    )
    handle = os.open(where, os.O_CREAT | os.O_RDWR, 0o600)
    with os.fdopen(handle, "r+b") as file:
        data = file.read()
        # What a crash left of a half-written line is cut off before the next one.
        file.seek(data.rfind(b"\n") + 1)
        file.truncate()
        file.write(line.encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())
