"""Own traits in the build: which are due for everybody, and their values for some customers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import F, Q

from profiles.models import CustomTrait, CustomTraitValue
from profiles.traits.sources import custom

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper
    from django.db.models import QuerySet

DAY = timedelta(days=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Value:
    """What the events of one customer give."""

    customer: int
    number: float | None
    text: str


def unfilled() -> QuerySet[CustomTrait]:
    """Traits whose values are not all of their newest version."""
    return CustomTrait.objects.exclude(filled_version=F("version"))


def filled() -> None:
    """Note that a build just gave every customer the values of every trait as it stands."""
    CustomTrait.objects.update(filled_version=F("version"))


def noted(trait: CustomTrait) -> None:
    """Note that every customer has the value of this version of the trait."""
    CustomTrait.objects.filter(pk=trait.pk).update(filled_version=trait.version)


def due(as_of: datetime) -> Q:
    """Whose values change by themselves until then, as a condition on customers."""
    falling = CustomTraitValue.objects.filter(due_at__lt=as_of)
    return Q(pk__in=falling.values("customer"))


def refresh(cursor: CursorWrapper, as_of: datetime) -> None:
    """Make all own traits of the customers in `profiles_scope` anew: one statement each."""
    cursor.execute(custom.GONE)
    for trait in CustomTrait.objects.order_by("pk"):
        put(cursor, trait, as_of)


def put(cursor: CursorWrapper, trait: CustomTrait, as_of: datetime) -> int:
    """Add the values of one trait for the customers in `profiles_scope`, who have none yet."""
    cursor.execute(custom.insert(connection.vendor, trait), _values(trait, as_of))
    return int(cursor.rowcount)


def read(cursor: CursorWrapper, trait: CustomTrait, as_of: datetime) -> list[Value]:
    """Return what the trait would say of the customers in `profiles_scope`; nothing is kept."""
    cursor.execute(custom.select(connection.vendor, trait), _values(trait, as_of))
    return [
        Value(customer, None if number is None else float(number), text or "")
        for customer, number, text, _due in cursor.fetchall()
    ]


def _values(trait: CustomTrait, as_of: datetime) -> dict[str, Any]:
    def stored(moment: datetime) -> Any:
        return connection.ops.adapt_datetimefield_value(moment)

    window = trait.window_days and trait.window_days * DAY
    return {
        "trait": trait.pk,
        "event": trait.event,
        "as_of": stored(as_of),
        "start": stored(max(as_of - window, BEGINNING) if window else BEGINNING),
        "seconds": int(window.total_seconds()) if window else None,
    }
