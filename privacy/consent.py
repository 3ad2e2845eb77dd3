"""Consent: an append-only ledger, and its projection that every audience is asked of.

The state of a purpose and channel is the one that happened last, a withdrawal before a
consent of the same moment. So entries may arrive in any order and any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from privacy import announcing, finder, moments, purposes, topics
from privacy.announcing import Fact
from privacy.models import Channel, Consent, ConsentEntry
from privacy.problems import DomainError
from privacy.purpose_registry import REGISTRY

if TYPE_CHECKING:
    from privacy.models import Subject

Key = tuple[UUID, str, str]
BATCH = 1_000
CHANGED = "consent.changed"
NOT_YET = ""
_told: list[Callable[[Collection[UUID]], None]] = []


def tell_changed(told: Callable[[Collection[UUID]], None]) -> None:
    """Have `told` hear of the subjects of each change, in the transaction that makes it."""
    _told.append(told)


@dataclass(frozen=True)
class Declaration:
    """What a person declared: consent given or withdrawn, in which words, where and when.

    `subject` is the subject's uuid; `evidence` says how it came about, by ids; `batch` is the
    import that brings it.
    """

    subject: UUID
    purpose: str
    channel: str
    state: str
    wording: str
    source: str
    happened_at: datetime
    locale: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    batch: UUID | None = None

    def as_entry(self, now: datetime) -> ConsentEntry:
        return ConsentEntry(
            subject_id=self.subject,
            purpose=self.purpose,
            channel=self.channel,
            state=self.state,
            wording=self.wording,
            wording_hash=version_of(self.wording),
            locale=self.locale[:12],
            source=self.source,
            evidence={name: finder.redact(value) for name, value in self.evidence.items()},
            batch=self.batch,
            happened_at=self.happened_at,
            recorded_at=now,
        )


def version_of(wording: str) -> str:
    """Return the version of a text: the SHA-256 of its words, whatever the blanks between."""
    return sha256(" ".join(wording.split()).encode()).hexdigest()


def check(declaration: Declaration, *, now: datetime) -> None:
    """Raise DomainError, naming the field, for what cannot go into the ledger."""
    known = [purpose for purpose in REGISTRY.values() if purpose.is_declared]
    topic = topics.find(declaration.purpose)
    if topic is None and declaration.purpose not in {purpose.name for purpose in known}:
        names = ", ".join(sorted(purpose.name for purpose in known))
        raise DomainError(
            "unknown_purpose",
            _("This is no purpose that people agree to; there are: %(known)s.") % {"known": names},
            pointer="/purpose",
        )
    used = topics.CHANNELS if topic else purposes.find(declaration.purpose).channels
    if declaration.channel not in used:
        channels = ", ".join(sorted(used))
        raise DomainError(
            "unknown_channel",
            _("The purpose does not use this channel; it uses: %(known)s.") % {"known": channels},
            pointer="/channel",
        )
    agreeing = [ConsentEntry.State.GIVEN.value]
    if topic is None:
        agreeing = purposes.agreeing(declaration.purpose)
    states = [*agreeing, ConsentEntry.State.WITHDRAWN.value]
    if declaration.state not in states:
        raise DomainError(
            "unknown_state",
            _("The state is one of: %(known)s.") % {"known": ", ".join(states)},
            pointer="/state",
        )
    _check_moment(declaration.happened_at, now)
    for name in ("wording", "source"):
        if not getattr(declaration, name).strip():
            raise DomainError(
                "required", _("Say in %(field)s.") % {"field": name}, pointer=f"/{name}"
            )


def _check_moment(happened_at: datetime, now: datetime) -> None:
    if happened_at > now:
        detail = _("A consent cannot be of the future.")
        raise DomainError("in_the_future", detail, pointer="/happenedAt")
    if moments.is_lost(happened_at):
        detail = _("This lies before 2 January 1970, as a time that was lost does.")
        raise DomainError("long_past", detail, pointer="/happenedAt")


def record(
    subject: Subject,
    purpose: str,
    channel: str,
    state: str,
    *,
    wording: str,
    source: str,
    happened_at: datetime,
    now: datetime,
    locale: str = "",
    evidence: Mapping[str, str] | None = None,
) -> Consent:
    """Write one declaration into the ledger and return what is in force now.

    Raises DomainError as `check` does. The same declaration again changes nothing.
    """
    declaration = Declaration(
        subject.uuid,
        purpose,
        channel,
        state,
        wording,
        source,
        happened_at,
        locale=locale,
        evidence=evidence or {},
    )
    check(declaration, now=now)
    record_many([declaration], now=now)
    return Consent.objects.get(subject=subject, purpose=purpose, channel=channel)


@transaction.atomic
def record_many(declarations: Sequence[Declaration], *, now: datetime) -> int:
    """Write checked declarations; return how many were new."""
    if not declarations:
        return 0
    n_before = _n_known(declarations)
    ConsentEntry.objects.bulk_create(
        (one.as_entry(now) for one in declarations), ignore_conflicts=True, batch_size=BATCH
    )
    _add_rows(declarations)
    _project({(one.subject, one.purpose, one.channel) for one in declarations}, now=now)
    return _n_known(declarations) - n_before


def is_in_force(subject: Subject, purpose: str, channel: str = Channel.EMAIL) -> bool:
    return Consent.objects.filter(
        subject=subject, purpose=purpose, channel=channel, state=ConsentEntry.State.GIVEN
    ).exists()


def _n_known(declarations: Sequence[Declaration]) -> int:
    subjects = {one.subject for one in declarations}
    return ConsentEntry.objects.filter(subject__uuid__in=subjects).count()


def _add_rows(declarations: Iterable[Declaration]) -> None:
    """Make sure there is a row of each, which `_project` brings to what the ledger says."""
    wanted = {(one.subject, one.purpose, one.channel): one for one in declarations}
    Consent.objects.bulk_create(
        (
            Consent(
                subject_id=subject,
                purpose=purpose,
                channel=channel,
                state=NOT_YET,
                since=one.happened_at,
            )
            for (subject, purpose, channel), one in wanted.items()
        ),
        ignore_conflicts=True,
        batch_size=BATCH,
    )


def _project(keys: Iterable[Key], *, now: datetime) -> None:
    """Bring the rows of these subjects, purposes and channels to what the ledger says.

    Rows it says nothing of, since all was retracted, go. What changed is announced.
    """
    subjects, names, channels = (set(part) for part in zip(*keys, strict=True))
    touched = Consent.objects.filter(
        subject__uuid__in=subjects, purpose__in=names, channel__in=channels
    )
    # Locked first: the statement after it then sees every entry another writer committed.
    before = _states(touched.select_for_update().order_by("pk"))
    last = standing().filter(
        subject=OuterRef("subject"), purpose=OuterRef("purpose"), channel=OuterRef("channel")
    )
    last = last.order_by("-happened_at", "-state")
    touched.filter(~Exists(last)).delete()
    touched.update(
        state=Subquery(last.values("state")[:1]), since=Subquery(last.values("happened_at")[:1])
    )
    for told in _told:
        told(subjects)
    if announcing.is_heard(CHANGED):
        _announce(before, _states(touched), now=now)


def _states(rows: QuerySet[Consent]) -> dict[Key, str]:
    columns = ("subject_id", "purpose", "channel", "state")
    return {(of, name, by): state for of, name, by, state in rows.values_list(*columns)}


def _announce(before: Mapping[Key, str], after: Mapping[Key, str], *, now: datetime) -> None:
    retracted = ConsentEntry.State.RETRACTED.value
    states = {key: after.get(key, retracted if was else NOT_YET) for key, was in before.items()}
    announcing.announce(
        (
            Fact(CHANGED, {"purpose": purpose, "channel": channel, "state": state}, subject)
            for (subject, purpose, channel), state in states.items()
            if state != before[subject, purpose, channel]
        ),
        now=now,
    )


def standing() -> QuerySet[ConsentEntry]:
    """Return the entries that count: no retractions, and none that was retracted."""
    retracted = ConsentEntry.objects.filter(retracts=OuterRef("pk"))
    entries = ConsentEntry.objects.exclude(state=ConsentEntry.State.RETRACTED)
    return entries.filter(~Exists(retracted))


@transaction.atomic
def retract(batch: UUID, *, source: str, now: datetime, limit: int = BATCH) -> int:
    """Take back up to `limit` entries of an import and return how many; 0 when all are.

    Each gets an entry that names it: nothing is deleted, and each person's consent is what it
    would be had the import not been, whatever they declared since.
    """
    entries = list(standing().filter(batch=batch).order_by("pk")[:limit])
    if not entries:
        return 0
    ConsentEntry.objects.bulk_create(
        ConsentEntry(
            subject_id=entry.subject_id,
            purpose=entry.purpose,
            channel=entry.channel,
            state=ConsentEntry.State.RETRACTED,
            wording=entry.wording,
            wording_hash=entry.wording_hash,
            source=source,
            retracts=entry,
            happened_at=now,
            recorded_at=now,
        )
        for entry in entries
    )
    _project({(entry.subject_id, entry.purpose, entry.channel) for entry in entries}, now=now)
    return len(entries)
