"""What a person may ask to have switched: restriction, objection, no profiling, correction.

`purposes.may_use` honours each from the moment it is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext as _

from privacy import announcing, audit, registry
from privacy.announcing import Fact
from privacy.models import Subject
from privacy.problems import DomainError


class Right(StrEnum):
    """A switch on the subject; the value is its column."""

    RESTRICTION = "restricted"
    OBJECTION = "objected"
    NO_PROFILING = "no_profiling"


def switch(subject: Subject, right: Right, *, on: bool, actor: str, now: datetime) -> bool:
    """Set a right or lift it again, audited; returns whether that changed anything.

    Raises DomainError `erased_already`: nothing is lifted from who was erased.
    """
    _refuse_erased(subject)
    if not _switch(subject, right, on=on, now=now):
        return False
    audit.append(
        f"subject.{right.value}",
        actor=actor,
        at=now,
        subjects=[subject.uuid.bytes],
        reason="set" if on else "lifted",
    )
    subject.refresh_from_db()
    return True


@transaction.atomic
def _switch(subject: Subject, right: Right, *, on: bool, now: datetime) -> bool:
    rows = Subject.objects.filter(pk=subject.pk, **{right.value: not on})
    if not rows.update(**{right.value: on}):
        return False
    told = {"right": right.value, "isSet": on}
    announcing.announce([Fact("customer.rights_changed", told, subject.uuid)], now=now)
    return True


def correct(
    subject: Subject, changes: Mapping[str, str], *, actor: str, now: datetime
) -> list[str]:
    """Set the fields given, audited by name only; returns their names.

    Raises DomainError for a value that cannot be, with its field in `pointer`.
    """
    _refuse_erased(subject)
    changed = registry.correct(subject.uuid, changes, now)
    if changed:
        audit.append(
            "subject.corrected",
            actor=actor,
            at=now,
            subjects=[subject.uuid.bytes],
            fields=sorted(changed),
        )
    return sorted(changed)


def _refuse_erased(subject: Subject) -> None:
    if subject.erased_at is not None:
        raise DomainError("erased_already", _("This person is erased already."), status=409)
