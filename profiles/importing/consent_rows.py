"""Bringing in consents: each row is one declaration, written into the ledger once.

A row never makes a customer, and never overrides a later withdrawal, an objection or a
suppression. An import is taken back entry by entry (`consent.retract`); nothing is deleted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q

from privacy import consent
from privacy.consent import Declaration
from privacy.models import Consent, ConsentEntry, Subject, Suppression
from privacy.problems import DomainError
from profiles.importing.comparing import Compared
from profiles.importing.customer_rows import RejectedError
from profiles.models import Customer
from profiles.models.customer import ADDRESS_TAGS

NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)

STATES = {
    name: state
    for state, names in {
        ConsentEntry.State.GIVEN: "given yes true 1 granted opt-in optin subscribed 同意 是",
        ConsentEntry.State.INFORMED: "informed told notified 已告知",
        ConsentEntry.State.WITHDRAWN: (
            "withdrawn no false 0 revoked opt-out optout unsubscribed 撤回 拒绝 否"
        ),
    }.items()
    for name in names.split()
}
CHANNELS = {"e-mail": "email", "mail": "email", "邮件": "email", "短信": "sms", "text": "sms"}


@dataclass(frozen=True)
class ConsentRow:
    """A declaration of the customer with the shop's id."""

    external_id: str
    purpose: str
    channel: str
    state: str
    wording: str
    source: str
    happened_at: dt.datetime
    locale: str = ""


@dataclass
class Inserted:
    """What became of rows: `rejected` gives a code by place.

    `n_idle` of the new ones change nothing now: a later withdrawal, an objection, or a
    suppressed address stands against them.
    """

    n_new: int = 0
    n_same: int = 0
    n_idle: int = 0
    rejected: dict[int, str] = field(default_factory=dict)


def parse(values: Mapping[str, str], *, zone: ZoneInfo) -> ConsentRow:
    """Check the cells of a row; times without an offset are of `zone`.

    Raises RejectedError with the code of the first fault.
    """
    cells = {name: " ".join(value.split()) for name, value in values.items()}
    if not cells["external_id"]:
        raise RejectedError("customer_id_missing")
    channel = cells["channel"].casefold()
    if (state := STATES.get(cells["state"].casefold())) is None:
        raise RejectedError("unknown_state")
    return ConsentRow(
        external_id=cells["external_id"],
        purpose=cells["purpose"],
        channel=CHANNELS.get(channel, channel),
        state=state,
        wording=cells["wording"],
        source=cells["source"],
        happened_at=_moment(cells["happened_at"], zone),
        locale=cells.get("locale", "")[:12],
    )


def _moment(text: str, zone: ZoneInfo) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise RejectedError("date_invalid") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def insert(
    rows: Sequence[ConsentRow], *, batch: UUID, now: dt.datetime, preview: bool = False
) -> Inserted:
    """Write the rows into the ledger, or only say what would become of them."""
    done, declarations = _checked(rows, batch=batch, now=now)
    known = set(
        ConsentEntry.objects.filter(subject__uuid__in={one.subject for one in declarations})
        .exclude(state=ConsentEntry.State.RETRACTED)
        .values_list("subject__uuid", "purpose", "channel", "state", "happened_at")
    )
    fresh = {_key(one): one for one in declarations if _key(one) not in known}
    done.n_new, done.n_same = len(fresh), len(declarations) - len(fresh)
    done.n_idle = _count_idle(list(fresh.values()))
    if not preview:
        consent.record_many(list(fresh.values()), now=now)
    return done


def compared(rows: Sequence[ConsentRow]) -> Compared:
    """The declarations beside what holds of the same customer, purpose and channel."""
    customers = Customer.objects.filter(external_id__in={row.external_id for row in rows})
    whose = {one.subject_id: one.external_id for one in customers}
    known = Consent.objects.filter(subject__in=list(whose))
    return Compared(
        [
            _cells(row.external_id, row.purpose, row.channel, row.state, row.happened_at)
            for row in rows
        ],
        [
            _cells(whose[one.subject_id], one.purpose, one.channel, one.state, one.since)
            for one in known
        ],
    )


def _cells(
    external_id: str, purpose: str, channel: str, state: str, since: dt.datetime
) -> dict[str, str]:
    return {
        "key": f"{external_id}|{purpose}|{channel}",
        "state": state,
        "happened_at": f"{since.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}",
    }


def _checked(
    rows: Sequence[ConsentRow], *, batch: UUID, now: dt.datetime
) -> tuple[Inserted, list[Declaration]]:
    known = dict(
        Customer.objects.filter(external_id__in={row.external_id for row in rows}).values_list(
            "external_id", "subject__uuid"
        )
    )
    done, declarations = Inserted(), []
    for at, row in enumerate(rows):
        subject = known.get(row.external_id)
        if subject is None:
            done.rejected[at] = "unknown_customer"
            continue
        declaration = Declaration(
            subject=subject,
            purpose=row.purpose,
            channel=row.channel,
            state=row.state,
            wording=row.wording,
            source=row.source,
            happened_at=row.happened_at,
            locale=row.locale,
            evidence={"import": str(batch)},
            batch=batch,
        )
        try:
            consent.check(declaration, now=now)
        except DomainError as error:
            done.rejected[at] = error.code
        else:
            declarations.append(declaration)
    return done, declarations


def _key(one: Declaration) -> tuple[UUID, str, str, str, dt.datetime]:
    return (one.subject, one.purpose, one.channel, one.state, one.happened_at)


def _count_idle(declarations: Sequence[Declaration]) -> int:
    """Count what agrees to a use that something said later, or by other means, forbids."""
    agreeing = [one for one in declarations if one.state != ConsentEntry.State.WITHDRAWN]
    subjects = {one.subject for one in agreeing}
    barred = set(
        Subject.objects.filter(
            Q(objected=True) | Q(restricted=True) | Q(erased_at__isnull=False), uuid__in=subjects
        ).values_list("uuid", flat=True)
    )
    withdrawn = {
        (subject, purpose, channel): since
        for subject, purpose, channel, since in Consent.objects.filter(
            subject__uuid__in=subjects, state=ConsentEntry.State.WITHDRAWN
        ).values_list("subject__uuid", "purpose", "channel", "since")
    }
    suppressed = {
        (subject, channel)
        for channel, tag in ADDRESS_TAGS.items()
        for subject in Customer.objects.filter(
            Exists(Suppression.objects.filter(channel=channel, address_tag=OuterRef(tag))),
            subject__uuid__in=subjects,
        ).values_list("subject__uuid", flat=True)
    }
    return sum(
        one.subject in barred
        or (one.subject, one.channel) in suppressed
        or withdrawn.get((one.subject, one.purpose, one.channel), NEVER) >= one.happened_at
        for one in agreeing
    )
