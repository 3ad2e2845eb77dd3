"""Signed checkpoints of the audit chain, in a file apart from the database.

The chain alone shows an entry that was changed, taken out or moved. Whoever rewrites it to its
end, or cuts that end off, is found by the checkpoints: each names an entry and its hash, signs
both by Ed25519, and holds the signature of the checkpoint before. What was added since the last
one can be cut off unseen, and so can the end of chain and file together: copy the file elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO

from django.conf import settings
from django.utils.translation import gettext as _

from jobs.models import Job
from privacy import audit
from privacy.audit import Fault, Link
from privacy.crypto import signing
from privacy.keystore import keystore
from privacy.models import AuditEntry

JOB = "privacy.verify_audit"
EVERY_ENTRIES = 1_000
EVERY = timedelta(minutes=10)
LONGEST_LINE = 4_096
BATCH = 500


class BrokenChainError(Exception):
    """The chain does not hold at this entry, so nothing from it on is signed."""

    def __init__(self, entry: int, fault: Fault) -> None:
        super().__init__(f"audit entry {entry}: {fault}")
        self.entry = entry
        self.fault = fault


@dataclass(frozen=True)
class Checkpoint:
    """What was the chain's last entry at a time; hash in hex, signatures in base64."""

    entry: int
    hash: str
    at: str
    previous: str
    signature: str = ""

    @property
    def signed_at(self) -> datetime:
        return datetime.fromisoformat(self.at)

    def signed(self, seed: bytes) -> Checkpoint:
        signature = signing.sign(seed, self._document())
        return replace(self, signature=base64.b64encode(signature).decode())

    def is_genuine(self, public_key: bytes) -> bool:
        try:
            signature = base64.b64decode(self.signature, validate=True)
        except (binascii.Error, ValueError):
            return False
        return signing.is_signed(public_key, self._document(), signature)

    def comes_after(self, other: Checkpoint) -> bool:
        return self.previous == other.signature and self.entry > other.entry

    def _document(self) -> dict[str, object]:
        facts = {name: value for name, value in asdict(self).items() if name != "signature"}
        return {"form": "candor-audit-checkpoint-1", **facts}


NONE_YET = Checkpoint(entry=0, hash=audit.GENESIS.hex(), at="", previous="")


@dataclass(frozen=True)
class Verdict:
    """What a walk through chain and checkpoints found; `entry` is the bad one, else the last."""

    n_entries: int
    n_checkpoints: int
    entry: int
    fault: Fault | None = None
    hash: str = ""


def path() -> Path:
    return Path(settings.VAR_DIR) / "audit" / "checkpoints.jsonl"


def sign(now: datetime) -> int:
    """Sign each thousandth new entry, and the chain's end ten minutes after the last checkpoint.

    Returns how many were written; 0 also while another process is at it. Raises
    BrokenChainError at an entry that does not follow; what stands before it is signed.
    """
    path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    n_written = 0
    handle = os.open(path(), os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    with os.fdopen(handle, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        _cut_torn_line(file)
        for checkpoint in _due(_last(file) or NONE_YET, now):
            file.write(json.dumps(asdict(checkpoint)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            n_written += 1
    return n_written


def last() -> Checkpoint | None:
    """Return the newest checkpoint as it stands in the file."""
    try:
        with path().open("rb") as file:
            return _last(file)
    except FileNotFoundError:
        return None


def verify() -> Verdict:
    """Walk the chain, then the checkpoints, and return the first fault, or none."""
    n_entries, at, previous = 0, 0, audit.GENESIS
    for entry in audit.links():
        if (fault := audit.fault_of(entry, previous)) is not None:
            return Verdict(n_entries, 0, entry.pk, fault)
        previous, n_entries, at = bytes(entry.hash), n_entries + 1, entry.pk
    n_good, bad = _compare()
    if bad is not None:
        return Verdict(n_entries, n_good, *bad)
    return Verdict(n_entries, n_good, at, hash=previous.hex())


def last_verdict() -> tuple[Verdict, datetime] | None:
    """Return what the latest verification by a job found, and when; None before the first."""
    done = Job.objects.filter(kind=JOB, state=Job.State.DONE).order_by("-pk").first()
    if done is None or done.finished_at is None:
        return None
    facts = dict(done.result)
    fault = Fault(facts["fault"]) if facts["fault"] else None
    return Verdict(**facts | {"fault": fault}), done.finished_at


def explain(fault: Fault, entry: int) -> str:
    """Return in words what is wrong with that entry."""
    words = {
        Fault.CHANGED: _("Entry %(entry)d was changed."),
        Fault.DOES_NOT_FOLLOW: _(
            "Entry %(entry)d does not follow the one before: one was taken out or moved."
        ),
        Fault.MISSING: _("Entry %(entry)d was signed and is missing: the end was cut off."),
        Fault.RESEALED: _(
            "Entry %(entry)d is not the one that was signed: the chain was rewritten before it."
        ),
        Fault.FORGED: _("The checkpoint of entry %(entry)d does not hold: its file was changed."),
    }
    return words[fault] % {"entry": entry}


def _compare() -> tuple[int, tuple[int, Fault] | None]:
    """Return how many checkpoints hold, and the entry and fault of the first that does not."""
    public_key, before, n_good = signing.public_key(_seed()), NONE_YET, 0
    for batch in _batches():
        named = AuditEntry.objects.filter(pk__in=[checkpoint.entry for checkpoint in batch])
        hashes = {pk: bytes(hash_).hex() for pk, hash_ in named.values_list("pk", "hash")}
        for checkpoint in batch:
            fault = _fault(checkpoint, before, public_key, hashes)
            if fault is not None:
                return n_good, (checkpoint.entry, fault)
            before, n_good = checkpoint, n_good + 1
    return n_good, None


def _fault(
    checkpoint: Checkpoint, before: Checkpoint, public_key: bytes, hashes: dict[int, str]
) -> Fault | None:
    if not checkpoint.is_genuine(public_key) or not checkpoint.comes_after(before):
        return Fault.FORGED
    if checkpoint.entry not in hashes:
        return Fault.MISSING
    return None if hashes[checkpoint.entry] == checkpoint.hash else Fault.RESEALED


def _due(last: Checkpoint, now: datetime) -> Iterator[Checkpoint]:
    """The checkpoints that the entries behind `last` call for, in their order."""
    seed, n_since, entry = _seed(), 0, None
    previous = bytes.fromhex(last.hash)
    for entry in audit.links(after=last.entry):
        if (fault := audit.fault_of(entry, previous)) is not None:
            raise BrokenChainError(entry.pk, fault)
        previous, n_since = bytes(entry.hash), n_since + 1
        if n_since == EVERY_ENTRIES:
            last, n_since = _signed(entry, last, seed, now), 0
            yield last
    if entry is not None and n_since and (not last.at or now - last.signed_at >= EVERY):
        yield _signed(entry, last, seed, now)


def _signed(entry: Link, last: Checkpoint, seed: bytes, now: datetime) -> Checkpoint:
    at = now.astimezone(UTC).isoformat(timespec="seconds")
    return Checkpoint(entry.pk, bytes(entry.hash).hex(), at, last.signature).signed(seed)


def _seed() -> bytes:
    return keystore.root("audit")


def _read(line: bytes) -> Checkpoint:
    """Return the checkpoint of a line; one that cannot be read has no signature that holds."""
    try:
        return Checkpoint(**json.loads(line))
    except (ValueError, TypeError):
        return NONE_YET


def _cut_torn_line(file: IO[bytes]) -> None:
    """Take away what a crash left of a line that was being written."""
    end = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, end - LONGEST_LINE))
    whole = file.read().rfind(b"\n") + 1
    if start + whole < end:
        file.truncate(start + whole)


def _last(file: IO[bytes]) -> Checkpoint | None:
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - LONGEST_LINE))
    lines = file.read().splitlines()
    return _read(lines[-1]) if lines else None


def _batches() -> Iterator[list[Checkpoint]]:
    try:
        with path().open("rb") as file:
            while lines := list(islice(file, BATCH)):
                yield [_read(line) for line in lines]
    except FileNotFoundError:
        return
