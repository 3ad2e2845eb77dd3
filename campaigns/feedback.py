"""What is learned of messages after they went out: bounces, complaints, proofs of arrival.

One door for providers' reports and for the mailbox. What is told twice counts once. An address
that is nobody's is never written to again; neither is one whose mail comes back five times
without a sign of life between, nor that of somebody who called a message spam.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from campaigns import event_catalogue
from campaigns.bounces.codes import Kind
from campaigns.models import Delivery, Feedback, Hit
from privacy import consent, suppression
from privacy.consent import Declaration
from privacy.crypto.blind_index import NotAnAddressError
from privacy.models import Consent, ConsentEntry, Suppression
from profiles.models.customer import ADDRESS_TAGS

SOFT_STREAK = 5
_MESSAGE_ID = re.compile(r"<?([0-9a-f]{32})\.([0-9]{1,18})(?:@|$)")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_FAILED = frozenset({Kind.HARD, Kind.SOFT, Kind.BLOCKED})
_SUPPRESSED = {Kind.HARD: Suppression.Reason.BOUNCED, Kind.COMPLAINT: Suppression.Reason.COMPLAINED,
               Kind.UNSUBSCRIBE: Suppression.Reason.UNSUBSCRIBED}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """Something told of a message: by its link token, or by Message-ID.

    `is_trusted` says that the teller proved who it is; else an id alone, which readers of a
    campaign can guess, counts only together with the address it was sent to.
    """

    kind: Kind
    source: str
    event_id: str
    at: datetime
    code: str = ""
    token: str = ""
    message_id: str = ""
    recipient: str = ""
    is_trusted: bool = False

    @property
    def key(self) -> str:
        facts = (self.source, self.event_id, self.kind, self.token, self.message_id, self.recipient)
        return sha256("\x00".join(facts).encode()).hexdigest()


@transaction.atomic
def take(notices: Sequence[Notice], *, now: datetime) -> int:
    """Write down what is new, with all that follows from it; returns how many had a message.

    As many queries for many as for one.
    """
    found = _deliveries(notices)
    rows = {
        notice.key: Feedback(
            delivery=found[notice.key],
            kind=notice.kind,
            code=notice.code[:40],
            source=notice.source[:40],
            key=notice.key,
            at=min(notice.at, now),
        )
        for notice in notices
        if notice.key in found
    }
    known = Feedback.objects.filter(key__in=rows).values_list("key", flat=True)
    fresh = [row for key, row in rows.items() if key not in set(known)]
    if fresh:
        Feedback.objects.bulk_create(fresh, ignore_conflicts=True)
        _settle(fresh)
        _announce(fresh, now)
        _keep_off(fresh, now)
        _withdraw(fresh, now)
    return len(rows)


def arrived(delivery: Delivery, at: datetime) -> None:
    """Learn from a visit that a message of which nothing was known did arrive."""
    if delivery.state == Delivery.State.UNKNOWN:
        _settle([Feedback(delivery=delivery, kind=Kind.DELIVERED, at=at)])
        delivery.refresh_from_db(fields=["state", "sent_at"])


def _deliveries(notices: Sequence[Notice]) -> dict[str, Delivery]:
    """Return by a notice's key the delivery it is about, if it may say so."""
    tokens = {notice.token for notice in notices if _TOKEN.fullmatch(notice.token)}
    named = {notice.key: _named(notice.message_id) for notice in notices}
    pks = {name[1] for name in named.values() if name}
    rows = Delivery.objects.select_related("campaign", "customer__subject")
    by_token = {row.token: row for row in rows.filter(token__in=tokens)}
    by_pk = {row.pk: row for row in rows.filter(pk__in=pks)}
    found: dict[str, Delivery] = {}
    for notice in notices:
        row = by_token.get(notice.token) if notice.token else None
        name = named[notice.key]
        if row is None and name is not None:
            row = by_pk.get(name[1])
            if row is not None and not (row.campaign.uuid == name[0] and _may_say(notice, row)):
                row = None
        if row is not None:
            found[notice.key] = row
    return found


def _named(message_id: str) -> tuple[UUID, int] | None:
    match = _MESSAGE_ID.match(message_id)
    return (UUID(match[1]), int(match[2])) if match and int(match[2]) < 2**63 else None


def _may_say(notice: Notice, row: Delivery) -> bool:
    if notice.is_trusted:
        return True
    try:
        tag = suppression.tag_of(row.campaign.channel, notice.recipient)
    except (NotAnAddressError, ValueError):
        return False
    return _tag(row) == tag


def _settle(rows: Iterable[Feedback]) -> None:
    """Bring `unknown` to what is known now; note on what was sent that it came back."""
    states, rows = Delivery.State, list(rows)
    failed = {row.delivery_id: row for row in rows if row.kind in _FAILED}
    here = [row for row in rows if row.delivery_id not in failed and row.kind != Kind.UNSUBSCRIBE]
    if here:
        unknown = Delivery.objects.filter(
            pk__in=[row.delivery_id for row in here], state=states.UNKNOWN
        )
        unknown.update(state=states.SENT, sent_at=max(row.at for row in here), reason="")
    for kind in _FAILED:
        back = Delivery.objects.filter(
            pk__in=[pk for pk, row in failed.items() if row.kind == kind]
        )
        back.filter(state=states.UNKNOWN).update(state=states.FAILED, reason=f"bounce_{kind}")
        back.filter(state=states.SENT).update(reason=f"bounce_{kind}")


def _announce(rows: Sequence[Feedback], now: datetime) -> None:
    event_catalogue.tell(
        {
            event_catalogue.BOUNCED: {
                row.delivery_id: row.code for row in rows if row.kind in _FAILED
            },
            event_catalogue.COMPLAINED: {
                row.delivery_id: "" for row in rows if row.kind == Kind.COMPLAINT
            },
        },
        now,
    )


def _keep_off(rows: Sequence[Feedback], now: datetime) -> None:
    """Suppress the addresses that these rows, with what came before, speak against."""
    entries = [
        suppression.Entry(
            row.delivery.campaign.channel, tag, _SUPPRESSED[Kind(row.kind)], row.source
        )
        for row in rows
        if row.kind in _SUPPRESSED and (tag := _tag(row.delivery)) is not None
    ]
    soft = {
        (row.delivery.campaign.channel, row.delivery.customer_id): row.delivery
        for row in rows
        if row.kind == Kind.SOFT
    }
    for channel in sorted({channel for channel, _customer in soft}):
        dead = _over_and_over(channel, [pk for found, pk in soft if found == channel])
        entries += [
            suppression.Entry(channel, tag, Suppression.Reason.BOUNCED, "soft bounces")
            for customer in dead
            if (tag := _tag(soft[channel, customer])) is not None
        ]
    if new := suppression.unknown(entries):
        suppression.suppress_many(new, now=now)


def _over_and_over(channel: str, customers: Collection[int]) -> list[int]:
    """Which of these had so many soft bounces in a row that the address counts as dead."""
    of_them = Feedback.objects.filter(
        delivery__customer__in=list(customers), delivery__campaign__channel=channel
    )
    signs: Mapping[int, datetime] = dict(
        of_them.filter(kind=Kind.DELIVERED)
        .values_list("delivery__customer")
        .annotate(last=Max("at"))
        .order_by()
    )
    visits = Hit.objects.filter(
        delivery__customer__in=list(customers),
        delivery__campaign__channel=channel,
        by_machine=False,
    )
    seen = dict(visits.values_list("delivery__customer").annotate(last=Max("at")).order_by())
    back: dict[int, set[int]] = {}
    soft = of_them.filter(kind=Kind.SOFT)
    for customer, delivery, at in soft.values_list("delivery__customer", "delivery", "at"):
        lives = [sign[customer] for sign in (signs, seen) if customer in sign]
        if not lives or at > max(lives):
            back.setdefault(customer, set()).add(delivery)
    return [customer for customer, deliveries in back.items() if len(deliveries) >= SOFT_STREAK]


def _withdraw(rows: Sequence[Feedback], now: datetime) -> None:
    """A complaint, and an unsubscription at the provider, take the consent back."""
    said = {
        (row.delivery.customer.subject_id, row.delivery.campaign.purpose): row
        for row in rows
        if row.kind in {Kind.COMPLAINT, Kind.UNSUBSCRIBE}
    }
    in_force = Consent.objects.filter(subject__in=[subject for subject, _name in said]).exclude(
        state=ConsentEntry.State.WITHDRAWN
    )
    agreed: set[tuple[object, str, str]] = set(
        in_force.values_list("subject_id", "purpose", "channel")
    )
    wording = {Kind.COMPLAINT: _("Marked as spam"), Kind.UNSUBSCRIBE: _("Unsubscribe")}
    consent.record_many(
        [
            Declaration(
                subject,
                purpose,
                row.delivery.campaign.channel,
                ConsentEntry.State.WITHDRAWN.value,
                wording[Kind(row.kind)],
                f"campaign:{row.delivery.campaign.uuid}",
                row.at,
                evidence={"told_by": row.source},
            )
            for (subject, purpose), row in said.items()
            if (subject, purpose, row.delivery.campaign.channel) in agreed
        ],
        now=now,
    )


def _tag(delivery: Delivery) -> bytes | None:
    name = ADDRESS_TAGS.get(delivery.campaign.channel)
    tag = getattr(delivery.customer, name) if name in {*ADDRESS_TAGS.values()} else None
    return bytes(tag) if tag is not None else None
