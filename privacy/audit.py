"""The audit chain: each entry holds the hash of the one before, so a change shows.

Two writers cannot continue the same entry: `previous_hash` is unique, and the one who comes
second reads the end again. Entries hold subject ids, never values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, connections, router, transaction

from privacy import finder
from privacy.models import AuditEntry, ConsentEntry

GENESIS = bytes(32)
LISTED_SUBJECTS = 50
ATTEMPTS = 100
WALKED_AT_ONCE = 2_000
GUARDS = 4  # two a table

# The form that is hashed: made once, as it is asked for at every entry of a walk.
written = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


class Fault(StrEnum):
    """What is wrong with an entry, or with the checkpoint that names it."""

    CHANGED = "changed"
    DOES_NOT_FOLLOW = "does_not_follow"
    MISSING = "missing"
    RESEALED = "resealed"
    FORGED = "forged"


class Link(NamedTuple):
    """An entry as the chain is walked: its columns alone, for there are millions."""

    pk: int
    at: datetime
    actor: str
    action: str
    purpose: str
    subjects: list[str]
    n_subjects: int
    fields: list[str]
    reason: str
    outcome: str
    previous_hash: bytes
    hash: bytes


class ChainBusyError(Exception):
    """Other writers were always first; the caller may try again."""


def links(*, after: int = 0) -> Iterator[Link]:
    """Return the entries behind the one of number `after`, in the order of the chain."""
    rows = AuditEntry.objects.filter(pk__gt=after).order_by("pk").values_list(*Link._fields)
    return map(Link._make, rows.iterator(WALKED_AT_ONCE))


def digest(entry: AuditEntry | Link) -> bytes:
    """Return the SHA-256 of the entry's facts and its predecessor's hash."""
    facts: dict[str, Any] = {
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "action": entry.action,
        "purpose": entry.purpose,
        "subjects": entry.subjects,
        "n_subjects": entry.n_subjects,
        "fields": entry.fields,
        "reason": entry.reason,
        "outcome": entry.outcome,
    }
    return hashlib.sha256(bytes(entry.previous_hash) + written(facts).encode()).digest()


def named(subjects: Sequence[bytes]) -> list[str]:
    """Return the ids of few subjects, of many the SHA-256 over their sorted ids."""
    if len(subjects) <= LISTED_SUBJECTS:
        return [str(UUID(bytes=subject)) for subject in subjects]
    together = b"".join(sorted(subjects))
    return [f"sha256:{hashlib.sha256(together).hexdigest()}"]


def in_open_transaction() -> bool:
    """Whether what is written now could still be rolled back (a test's own frame aside)."""
    blocks = connections[router.db_for_write(AuditEntry)].atomic_blocks
    return any(not getattr(block, "_from_testcase", False) for block in blocks)


def append(
    action: str,
    *,
    actor: str,
    at: datetime,
    purpose: str = "",
    subjects: Sequence[bytes] = (),
    fields: Sequence[str] = (),
    reason: str = "",
    outcome: str = AuditEntry.Outcome.ALLOWED,
) -> AuditEntry:
    """Add an entry to the end of the chain; it is committed unless a transaction is open.

    `subjects` are the 16 bytes of their uuids. Personal data in `reason`, which people type,
    is masked: what is in the chain stays there, erasure or not.
    """
    entry = AuditEntry(
        at=at,
        actor=actor,
        action=action,
        purpose=purpose,
        subjects=named(subjects),
        n_subjects=len(subjects),
        fields=list(fields),
        reason=finder.redact(reason)[:300],
        outcome=outcome,
    )
    for _ in range(ATTEMPTS):
        last = AuditEntry.objects.order_by("-pk").values_list("hash", flat=True).first()
        entry.previous_hash = GENESIS if last is None else bytes(last)
        entry.hash = digest(entry)
        try:
            with transaction.atomic():
                entry.save(force_insert=True)
        except IntegrityError:
            entry.pk = None
        else:
            return entry
    raise ChainBusyError(f"{ATTEMPTS} others were first")


def fault_of(entry: AuditEntry | Link, previous: bytes) -> Fault | None:
    """Return what is wrong with the entry behind the one of hash `previous`, if anything."""
    if bytes(entry.previous_hash) != previous:
        return Fault.DOES_NOT_FOLLOW
    return None if digest(entry) == bytes(entry.hash) else Fault.CHANGED


def is_guarded() -> bool:
    """Whether the database itself refuses changes of audit log and consent ledger: its triggers are there and on."""
    tables = [model._meta.db_table for model in (AuditEntry, ConsentEntry)]
    connection = connections[router.db_for_write(AuditEntry)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text = ANY(%s)"
                " AND tgname LIKE %s AND tgenabled <> 'D'",
                [tables, "%\\_keeps%"],
            )
        else:
            cursor.execute(
                "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
                " AND tbl_name IN (%s, %s) AND name LIKE %s",
                [*tables, "%_keeps_%"],
            )
        return int(cursor.fetchone()[0]) == GUARDS
