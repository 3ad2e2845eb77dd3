"""Who was given whose data: what the shop must be able to say, and whom it tells of an erasure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from privacy import registry
from privacy.models import Disclosure, Recipient

BATCH = 1_000


def named(name: str, kind: str, *, since: date) -> Recipient:
    """Return the recipient of that kind and name; a new one gets those persons that are noted."""
    found, _is_new = Recipient.objects.get_or_create(
        kind=kind, name=name[:200], defaults={"since": since, "gets_everybody": False}
    )
    return found


def note(recipient: Recipient, subjects: Iterable[UUID], *, now: datetime) -> int:
    """Write down that the recipient was given those persons' data; returns how many persons.

    Call it in the transaction, or before the moment, in which the data leaves.
    """
    rows = [
        Disclosure(recipient=recipient, subject_id=subject, first_at=now, last_at=now)
        for subject in set(subjects)
    ]
    Disclosure.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["recipient", "subject"],
        update_fields=["last_at"],
    )
    return len(rows)


def of(subject: UUID, *, today: date) -> QuerySet[Recipient]:
    """Return who has the person's data: by record, by standing, or because an app says so."""
    spoken_of = Q(pk__in=[])
    for kind, name in registry.recipients_of(subject):
        spoken_of |= Q(pk=named(name, kind, since=today).pk)
    given = Q(pk__in=Disclosure.objects.filter(subject__uuid=subject).values("recipient"))
    standing = Q(gets_everybody=True, since__lte=today)
    return Recipient.objects.filter(given | standing | spoken_of)
