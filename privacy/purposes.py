"""Whom a purpose may use, and the ticket without which no value opens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now, TruncDate
from django.utils import translation

from privacy import audit, masking, use_rules
from privacy.models import AuditEntry, Consent, ConsentEntry, PurposeRecord, Topic, UseRule
from privacy.purpose_registry import REGISTRY, Purpose

log = logging.getLogger(__name__)
_buyers: list[Callable[[], Q]] = []


class UnknownPurposeError(LookupError):
    """No purpose of that name is registered."""


class PurposeDeniedError(PermissionError):
    """Personal data was asked for without an open purpose and a use rule that cover it.

    `code` tells refusals by a rule apart: `no_rule`, `rule_ended`, `limit`; `not_covered` is one
    of people whom the purpose does not reach, or was not asked about.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def find(name: str) -> Purpose:
    try:
        return REGISTRY[name]
    except KeyError:
        raise UnknownPurposeError(
            f"the purpose {name!r} is not known; there are {', '.join(sorted(REGISTRY))}"
        ) from None


def mirror() -> None:
    """Bring the database's purposes and use rules up to date with the code; what the shop set stays."""
    with translation.override("en"):
        PurposeRecord.objects.bulk_create(
            (PurposeRecord(name=name, **_facts(REGISTRY[name])) for name in sorted(REGISTRY)),
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=list(_facts(next(iter(REGISTRY.values())))),
        )
    PurposeRecord.objects.exclude(name__in=REGISTRY).update(is_known=False)
    use_rules.mirror()


def is_mirrored() -> bool:
    known = PurposeRecord.objects.filter(is_known=True)
    return set(known.values_list("name", flat=True)) == set(REGISTRY)


def _facts(purpose: Purpose) -> dict[str, Any]:
    return {
        "basis": str(purpose.basis),
        "data_classes": sorted(purpose.data_classes),
        "channels": sorted(purpose.channels),
        "retention": str(purpose.retention),
        "needs_consent": purpose.needs_consent,
        "is_automated": purpose.is_automated,
        "is_known": True,
    }


# Whom ---------------------------------------------------------------------------------------


def may_use(name: str, *, channel: str | None = None) -> Q:
    """Return the condition on rows with a `subject` under which the purpose may use them.

    Not erased, not restricted; no objection for marketing; of age for it and for what spares
    minors; no "no profiling" for profiling; consent in force where the purpose needs it, or notice
    and no refusal. Nobody once the purpose or its last use rule has ended, by the database's clock.
    Raises UnknownPurposeError, ValueError.
    """
    purpose = find(name)
    channel = purpose.channel(channel)
    allowed = Q(subject__erased_at__isnull=True, subject__restricted=False) & _in_force(purpose)
    if purpose.is_marketing:
        allowed &= Q(subject__objected=False)
    if purpose.is_marketing or purpose.spares_minors:
        allowed &= ~minor()
    if purpose.is_profiling:
        allowed &= Q(subject__no_profiling=False)
    if purpose.is_declared:
        allowed &= _declared(purpose, channel)
    if purpose.needs_purchase:
        allowed &= _buyers[-1]() if _buyers else Q(pk__in=[])
    return allowed


def agreeing(name: str) -> list[str]:
    """Return the states of the consent ledger under which the purpose may use a person's data.

    A notice is none of a purpose that needs consent; consent is more than a notice.
    """
    informed = [ConsentEntry.State.INFORMED.value] if find(name).needs_notice else []
    return [ConsentEntry.State.GIVEN.value, *informed]


def tell_buyers(condition: Callable[[], Q]) -> None:
    """Have `condition` tell which rows are people who bought; `profiles` knows orders."""
    _buyers.append(condition)


def minor() -> Q:
    """Return the condition that the `subject` is too young today to be advertised to, or foretold."""
    return Q(subject__minor_until__isnull=False, subject__minor_until__gt=TruncDate(Now()))


def _in_force(purpose: Purpose) -> Q:
    ended = PurposeRecord.objects.filter(name=purpose.name, valid_until__lt=TruncDate(Now()))
    condition = Q(~Exists(ended))
    if purpose.data_classes:
        rules = UseRule.objects.filter(purpose=purpose.name)
        usable = rules.filter(Q(until__isnull=True) | Q(until__gt=Now()))
        condition &= Q(Exists(usable)) | Q(~Exists(rules))
    return condition


def _declared(purpose: Purpose, channel: str | None) -> Q:
    declared = Consent.objects.filter(subject=OuterRef("subject"), channel=channel)
    condition = Q(Exists(declared.filter(purpose=purpose.name, state__in=agreeing(purpose.name))))
    if purpose.needs_notice:
        # Whoever refused any advertising on the channel refused this one too.
        refused = declared.filter(state=ConsentEntry.State.WITHDRAWN)
        condition &= ~Q(Exists(refused.exclude(purpose__startswith=Topic.PREFIX)))
    return condition


# The ticket -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ticket:
    """An open purpose: who opens, for what, since when."""

    purpose: Purpose
    actor: str
    at: datetime
    reason: str = field(repr=False)
    is_audited: bool
    grant: use_rules.Grant = field(repr=False)


_open: ContextVar[Ticket | None] = ContextVar("open_purpose", default=None)


@contextmanager
def purpose(name: str, *, actor: str, now: datetime, reason: str = "") -> Iterator[Ticket]:
    """Open a purpose for the block: only inside may values of its data classes be revealed.

    Opened before a transaction, it is audited at once, and values may then be revealed inside
    that transaction; opened within one, it opens nothing, since its trace could be rolled back.
    Raises PurposeDeniedError if the purpose has ended.
    """
    found, is_audited = find(name), not audit.in_open_transaction()
    has_ended = PurposeRecord.objects.filter(name=name, valid_until__lt=now.date()).exists()
    if is_audited:
        outcome = AuditEntry.Outcome.REFUSED if has_ended else AuditEntry.Outcome.ALLOWED
        audit.append(
            "purpose.opened", actor=actor, at=now, purpose=name, reason=reason, outcome=outcome
        )
    if has_ended:
        raise PurposeDeniedError(f"the purpose {name} has ended; see the page of purposes")
    ticket = Ticket(found, actor, now, reason, is_audited, use_rules.grant(actor, name))
    token = _open.set(ticket)
    try:
        with masking.doing(name):
            yield ticket
    finally:
        _open.reset(token)


def _check_people(purpose: Purpose, found_for: str, *, meant_for: str) -> None:
    """Refuse rows of people whom the purpose was not asked about, and another purpose than meant."""
    if meant_for not in {"", purpose.name}:
        raise PurposeDeniedError(f"{meant_for} is meant and {purpose.name} is open")
    if purpose.is_limited and found_for != purpose.name:
        raise PurposeDeniedError(
            f"{purpose.name} reaches only some people: find them with for_purpose({purpose.name!r})",
            code="not_covered",
        )


class PurposeGate:
    """Lets a value out under a ticket and a use rule that cover it, and writes that down."""

    def admit(
        self,
        data_classes: Iterable[str],
        *,
        subjects: Sequence[bytes],
        fields: Sequence[str],
        found_for: str = "",
        purpose: str = "",
    ) -> None:
        ticket = _open.get()
        if ticket is None:
            log.warning("value refused: no purpose is open", extra={"fields": list(fields)})
            raise PurposeDeniedError(
                f"{', '.join(fields)}: no purpose is open; use `with purpose(...)`"
            )
        try:
            _check_people(ticket.purpose, found_for, meant_for=purpose)
            self._check(ticket, set(data_classes), n_rows=len(subjects))
        except PurposeDeniedError:
            self._write(ticket, subjects, fields, outcome=AuditEntry.Outcome.REFUSED)
            raise
        self._write(ticket, subjects, fields, outcome=AuditEntry.Outcome.ALLOWED)

    def _check(self, ticket: Ticket, data_classes: set[str], *, n_rows: int) -> None:
        if lacking := sorted(data_classes - ticket.purpose.data_classes):
            raise PurposeDeniedError(f"{ticket.purpose.name} does not cover {', '.join(lacking)}")
        if not ticket.is_audited:
            raise PurposeDeniedError(
                f"{ticket.purpose.name} was opened inside a transaction; open it before"
            )
        try:
            ticket.grant.check(data_classes, n_rows=n_rows, at=ticket.at)
        except use_rules.NotAllowedError as error:
            raise PurposeDeniedError(str(error), code=error.code) from error

    def _write(
        self, ticket: Ticket, subjects: Sequence[bytes], fields: Sequence[str], *, outcome: str
    ) -> None:
        def write() -> None:
            audit.append(
                "value.revealed",
                actor=ticket.actor,
                at=ticket.at,
                purpose=ticket.purpose.name,
                subjects=subjects,
                fields=fields,
                reason=ticket.reason,
                outcome=outcome,
            )

        # Inside a transaction the opening of the purpose is the trace that stays; the entry of
        # the value follows after commit, so that no transaction holds the end of the chain.
        if audit.in_open_transaction():
            transaction.on_commit(write)
        else:
            write()
