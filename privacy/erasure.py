"""Erasing a person: freeze, cancel, empty the tables, destroy the key, prove it.

A durable job: each step commits with the job's cursor, so a killed one goes on where it was.
What it does to which table stands in the registry, declared by the apps themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from jobs import queue
from jobs.work import ObstacleError
from privacy import announcing, audit, certificates, ledger, recipients, registry, suppression
from privacy.announcing import Fact
from privacy.keystore import keystore
from privacy.models import (
    AuditEntry,
    Erasure,
    RecipientNotice,
    Subject,
    SubjectKey,
    Suppression,
)
from privacy.problems import DomainError
from privacy.registry import EMPTYING, Action, Carried, Holding

if TYPE_CHECKING:
    from jobs.work import Work

JOB = "privacy.erase"
BATCH = 1_000


class StillOnItsWayError(ObstacleError):
    """A message to the person is being handed over at this moment; try again in a minute."""


class NotErasedError(ObstacleError):
    """Rows of the person were left after everything was done; the text names the tables."""


def begin(subject: Subject, *, actor: str, now: datetime) -> Erasure:
    """Freeze the person and enqueue the erasure; the one that is running is returned again.

    From here on nothing may use the person's data. Raises DomainError `erased_already`.
    """
    if subject.erased_at is not None:
        raise DomainError("erased_already", _("This person is erased already."), status=409)
    try:
        with transaction.atomic():
            return _begin(subject, actor=actor, now=now)
    except IntegrityError:
        return Erasure.objects.get(subject=subject, state=Erasure.State.RUNNING)


def _begin(subject: Subject, *, actor: str, now: datetime) -> Erasure:
    erasure = Erasure.objects.create(
        subject=subject,
        subject_tag=ledger.tag_of(subject.uuid),
        actor=actor,
        started_at=now,
    )
    Subject.objects.filter(pk=subject.pk).update(restricted=True)
    audit.append(
        "subject.erasing", actor=actor, at=now, subjects=[subject.uuid.bytes], reason="frozen"
    )
    job = queue.enqueue(JOB, {"erasure": erasure.pk}, now=now, unique_key=f"{JOB}:{erasure.pk}")
    erasure.job_uuid = job.uuid
    erasure.save(update_fields=["job_uuid"])
    return erasure


# The job ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One attempt at an erasure: its row, the person, and the job's hand."""

    erasure: Erasure
    subject: UUID
    work: Work

    def once(self, name: str, act: Callable[[Run, dict[str, Any]], int]) -> None:
        """Do a step unless an earlier attempt did; its count and the cursor commit together."""
        if name in self.work.cursor.get("steps", {}):
            return
        with self.work.step() as cursor:
            n_rows = act(self, cursor)
            cursor.setdefault("steps", {})[name] = [self.work.now.isoformat(), n_rows]

    def count(self, cursor: dict[str, Any], label: str, n_rows: int) -> None:
        counts = cursor.setdefault("rows", {})
        counts[label] = counts.get(label, 0) + n_rows


def run(work: Work) -> dict[str, Any]:
    """Erase the person of `payload["erasure"]`; returns rows by table."""
    erasure = Erasure.objects.select_related("subject").get(pk=work.payload["erasure"])
    if erasure.state != Erasure.State.RUNNING or erasure.subject is None:
        return {"state": erasure.state}
    this = Run(erasure, erasure.subject.uuid, work)
    this.once("freeze", _freeze)
    this.once("cancel", _cancel)
    this.once("suppress", _suppress)
    # Before the tables, whose rows tell which files are the person's.
    this.once("files", _remove_files)
    tables = _tables()
    for n_done, holding in enumerate(tables):
        work.progress(n_done, len(tables), holding.label)
        if not holding.is_anchor:
            _empty(this, holding)
    this.once("recipients", _name_recipients)
    _tell_recipients(this)
    this.once("anchor", _let_go)
    _destroy_key(this)
    this.once("verify", _verify)
    _finish(this)
    return dict(work.cursor.get("rows", {}))


def _freeze(this: Run, _cursor: dict[str, Any]) -> int:
    return Subject.objects.filter(uuid=this.subject).update(restricted=True)


def _cancel(this: Run, _cursor: dict[str, Any]) -> int:
    return sum(cancel(this.subject, this.work.now) for _name, cancel in registry.cancels())


def _suppress(this: Run, _cursor: dict[str, Any]) -> int:
    """Keep the tags of the person's addresses, so that bringing them in again mails nobody."""
    tags = registry.addresses_of(this.subject)
    for channel, tag in tags:
        suppression.suppress_tag(
            channel, tag, reason=Suppression.Reason.ERASED, now=this.work.now, source="erasure"
        )
    return len(tags)


def _empty(this: Run, holding: Holding) -> None:
    """Empty a table of the person, some rows a step."""
    n_done = BATCH
    while n_done == BATCH:
        with this.work.step() as cursor:
            n_done = _some(holding, this.subject)
            this.count(cursor, holding.label, n_done)


def _some(holding: Holding, subject: UUID) -> int:
    rows = holding.rows(subject)
    keys = list(rows.order_by().values_list("pk", flat=True)[:BATCH])
    these = holding.model._base_manager.filter(pk__in=keys)
    if holding.take_out is not None:
        holding.take_out(subject, keys)
    elif holding.action is Action.DELETE:
        these.delete()
    else:
        these.update(**holding.clear)
    return len(keys)


def _remove_files(this: Run, _cursor: dict[str, Any]) -> int:
    paths = [path for one in registry.all_files() for path in one.find(this.subject)]
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def _name_recipients(this: Run, _cursor: dict[str, Any]) -> int:
    """Note who has to be told: those who have the person's data, and no others."""
    concerned = recipients.of(this.subject, today=this.work.now.date())
    RecipientNotice.objects.bulk_create(
        [RecipientNotice(erasure=this.erasure, recipient=one) for one in concerned],
        ignore_conflicts=True,
    )
    return len(concerned)


def _tell_recipients(this: Run) -> None:
    """Mail those with an address, while the id they know the person by is still known.

    What is not taken stays to be told by hand: a mail server that is away delays no erasure.
    """
    pending = this.erasure.notices.filter(state=RecipientNotice.State.PENDING)
    for notice in pending.exclude(recipient__email="").select_related("recipient"):
        title = _("Erase a customer: %(ids)s") % {
            "ids": ", ".join(registry.names_of(this.subject)) or this.erasure.uuid
        }
        text = _(
            "A customer whose data you have from us is erased. Please erase it too and confirm; "
            "our number is %(number)s."
        ) % {"number": this.erasure.uuid}
        now = this.work.now
        carried, _code = registry.carry(
            f"notice-{notice.pk}", notice.recipient.email, title, text, now
        )
        if carried is Carried.SENT:
            with this.work.step():
                advance(notice, now=now)


def _let_go(this: Run, cursor: dict[str, Any]) -> int:
    """Empty every table once more, then delete what the person was known by, all in one.

    What came in since the table's turn is caught here; after it, nothing leads to the person.
    """
    for holding in _tables():
        if holding.is_anchor:
            # Whoever would add rows to the person waits here, and then finds nobody.
            anchors = holding.rows(this.subject).select_for_update(of=("self",))
            list(anchors.values_list("pk", flat=True))
    _announce(this.erasure, this.subject, this.work.now)
    n_anchors = 0
    for holding, n_rows in _empty_all(this.subject):
        this.count(cursor, holding.label, n_rows)
        n_anchors += n_rows if holding.is_anchor else 0
    Subject.objects.filter(uuid=this.subject).update(**_erased(this.work.now))
    return n_anchors


def _announce(erasure: Erasure, subject: UUID, now: datetime) -> None:
    """Tell webhooks, which know the person by the shop's id, while that is still known."""
    told = {"customerId": registry.names_by_subject([subject]).get(subject)}
    told["erasureId"] = str(erasure.uuid)
    announcing.announce([Fact("customer.erased", told)], now=now)


def _empty_all(subject: UUID) -> Iterator[tuple[Holding, int]]:
    for holding in _tables():
        n_now = n_rows = _some(holding, subject)
        while n_now == BATCH:
            n_now = _some(holding, subject)
            n_rows += n_now
        yield holding, n_rows


def _tables() -> list[Holding]:
    """Every table an erasure empties, in turn; keys apart, which stand in the keystore."""
    emptied = EMPTYING - {Action.SHRED}
    return [holding for holding in registry.holdings() if holding.action in emptied]


def _erased(now: datetime) -> dict[str, Any]:
    return {"erased_at": now, "restricted": True, "objected": True, "no_profiling": True}


def _destroy_key(this: Run) -> None:
    """Destroy the key and write the ledger; the keystore is a database of its own.

    Outside a step of the job, whose transaction it could not join: so it may happen twice,
    which does nothing the second time.
    """
    if "key" in this.work.cursor.get("steps", {}):
        return
    ledger.note(ledger.Entry(this.erasure.uuid, bytes(this.erasure.subject_tag), this.work.now))
    n_keys = destroy_key(this.subject)
    with this.work.step() as cursor:
        label = SubjectKey._meta.label
        cursor.setdefault("steps", {})["key"] = [this.work.now.isoformat(), n_keys]
        this.count(cursor, label, n_keys)


def destroy_key(subject: UUID) -> int:
    """Delete every generation of the person's key; what was sealed with it never opens again."""
    return keystore.destroy([subject.bytes])


def left_over(subject: UUID) -> dict[str, int]:
    """Return by table how many rows still lead to the person; empty after an erasure."""
    found = {}
    for holding in registry.holdings():
        if holding.action not in EMPTYING:
            continue
        shreds = holding.action is Action.SHRED
        rows = holding.rows(subject) if shreds else holding.linked(subject)
        if n_rows := rows.count():
            found[holding.label] = n_rows
    return found


def _verify(this: Run, _cursor: dict[str, Any]) -> int:
    """Look through every table and return how many; raises NotErasedError naming the guilty."""
    if left := left_over(this.subject):
        raise NotErasedError(
            _("Rows of the person are left in: %(tables)s.") % {"tables": ", ".join(sorted(left))}
        )
    return len(_tables()) + 1


def _finish(this: Run) -> None:
    with this.work.step():
        now = this.work.now
        entry = audit.append(
            "subject.erased", actor=this.erasure.actor, at=now, subjects=[this.subject.bytes]
        )
        facts = _facts(this.erasure, this.work.cursor, entry, now)
        Erasure.objects.filter(pk=this.erasure.pk, state=Erasure.State.RUNNING).update(
            state=Erasure.State.DONE,
            finished_at=now,
            certificate=certificates.certify(facts),
        )


def _facts(
    erasure: Erasure, cursor: dict[str, Any], entry: AuditEntry, now: datetime
) -> dict[str, Any]:
    """Return what the certificate says: nothing in it names the person."""
    return {
        "erasure": str(erasure.uuid),
        "subject_tag": bytes(erasure.subject_tag).hex(),
        "started_at": erasure.started_at.isoformat(),
        "finished_at": now.isoformat(),
        "steps": [
            {"step": name, "at": at, "n": n_rows} for name, (at, n_rows) in cursor["steps"].items()
        ],
        "tables": [
            {"table": one.label, "action": one.action, "rows": cursor["rows"].get(one.label, 0)}
            for one in registry.holdings()
            if one.action in EMPTYING
        ],
        "kept": [
            {"table": one.label, "reason": str(one.reason), "until": str(one.until)}
            for one in registry.holdings()
            if one.action is Action.KEEP
        ],
        "audit_head": {"entry": entry.pk, "hash": bytes(entry.hash).hex()},
    }


def advance(notice: RecipientNotice, *, now: datetime) -> None:
    """Note that a recipient was told, and the next time that it confirmed."""
    states = RecipientNotice.State
    if notice.state == states.PENDING:
        notice.state, notice.told_at = states.TOLD, now
    elif notice.state == states.TOLD:
        notice.state, notice.confirmed_at = states.CONFIRMED, now
    notice.save(update_fields=["state", "told_at", "confirmed_at"])


# After a restore --------------------------------------------------------------------------


def replay(entry: ledger.Entry, *, now: datetime) -> Erasure:
    """Erase again whom a restored database or keystore brought back; one transaction.

    A person who is in neither is noted as erased, so that this database is whole again.
    """
    subject = _subject_of(entry.tag)
    with transaction.atomic():
        erasure, _is_new = Erasure.objects.update_or_create(
            uuid=entry.erasure,
            defaults={
                "subject": subject,
                "subject_tag": entry.tag,
                "state": Erasure.State.REPLAYED,
                "actor": "command:restore_check",
                "started_at": entry.erased_at,
                "finished_at": now,
            },
        )
        if subject is not None:
            _announce(erasure, subject.uuid, now)
            _erase_at_once(subject, now=now)
    for uuid in {subject.uuid} if subject else set(_keys_of(entry.tag)):
        destroy_key(uuid)
    ledger.note(entry)
    return erasure


def _erase_at_once(subject: Subject, *, now: datetime) -> None:
    for _name, cancel in registry.cancels():
        cancel(subject.uuid, now)
    for channel, tag in registry.addresses_of(subject.uuid):
        suppression.suppress_tag(
            channel, tag, reason=Suppression.Reason.ERASED, now=now, source="erasure"
        )
    for one in registry.all_files():
        for path in one.find(subject.uuid):
            path.unlink(missing_ok=True)
    list(_empty_all(subject.uuid))
    Subject.objects.filter(pk=subject.pk).update(**_erased(now))
    audit.append(
        "subject.erased",
        actor="command:restore_check",
        at=now,
        subjects=[subject.uuid.bytes],
        reason="ledger replayed after a restore",
    )


def _subject_of(tag: bytes) -> Subject | None:
    """Find whom a tag of the ledger means: tags are keyed, so every subject is tried."""
    for uuid in Subject.objects.values_list("uuid", flat=True).iterator():
        if ledger.tag_of(uuid) == tag:
            return Subject.objects.get(uuid=uuid)
    return None


def _keys_of(tag: bytes) -> list[UUID]:
    uuids = SubjectKey.objects.values_list("subject_uuid", flat=True).distinct()
    return [uuid for uuid in uuids.iterator() if ledger.tag_of(uuid) == tag]
