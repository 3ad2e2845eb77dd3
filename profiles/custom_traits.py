"""Own traits, declared without code: checked, tried on a few customers, versioned, given up."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from privacy.problems import DomainError, Fault
from profiles import asking, figures, segment_rules
from profiles.features.vocabulary import BY_NAME
from profiles.models import (
    Customer,
    CustomTrait,
    CustomTraitValue,
    CustomTraitVersion,
    Event,
    EventName,
    Segment,
)
from profiles.models.custom_trait import DEFINING, DESCRIBING
from profiles.models.quality import counted
from profiles.segments.rules import conditions_of
from profiles.segments.vocabulary import FIELDS, Source
from profiles.traits import custom, featuring

NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
PROPERTY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,2}")
MOST_TRAITS: Final = 50
MOST_DAYS: Final = 1_095
LOOKED_AT: Final = 500
SAMPLES: Final = 5
Kind, Aggregate = CustomTrait.Kind, CustomTrait.Aggregate
ON_THE_WIRE: Final = {
    "property_path": "property",
    "window_days": "windowDays",
    "data_class": "dataClass",
}
# What each aggregate makes of values, and whether it needs a property to read.
MAKES: Final[Mapping[str, frozenset[str]]] = {
    Aggregate.COUNT: frozenset({Kind.NUMBER}),
    Aggregate.DISTINCT: frozenset({Kind.NUMBER}),
    Aggregate.SUM: frozenset({Kind.NUMBER}),
    Aggregate.AVERAGE: frozenset({Kind.NUMBER}),
    Aggregate.FIRST: frozenset({Kind.NUMBER, Kind.TEXT}),
    Aggregate.LAST: frozenset({Kind.NUMBER, Kind.TEXT}),
}


@dataclass(frozen=True)
class Sample:
    """A customer, masked, with the value the trait would have."""

    customer: Customer
    value: float | str


@dataclass(frozen=True)
class Trial:
    """What the newest events say of a trait that is not declared yet.

    Of `n_events` looked at, `n_told` carry what it reads and `n_other` something of another
    kind under that name; `near` are names of events like one that never came.
    """

    n_events: int
    n_told: int
    n_other: int
    samples: tuple[Sample, ...]
    near: tuple[str, ...]


def check(trait: CustomTrait) -> None:
    """Raise DomainError (`invalid_trait`) with a fault for each field that cannot stand."""
    found = {
        "name": _name_fault(trait),
        "label": _label_fault(trait),
        "kind": _kind_fault(trait),
        "event": _event_fault(trait),
        "property_path": _property_fault(trait),
        "aggregate": ""
        if trait.aggregate in Aggregate.values
        else _("Choose one of %(known)s.") % {"known": ", ".join(Aggregate.values)},
        "window_days": _window_fault(trait),
        "data_class": ""
        if trait.data_class in CustomTrait.DataClass.values
        else _("Choose one of %(known)s.") % {"known": ", ".join(CustomTrait.DataClass.values)},
    }
    faults = [
        Fault("invalid_trait", text, f"/{ON_THE_WIRE.get(field, field)}")
        for field, text in found.items()
        if text
    ]
    if faults:
        detail = " ".join(fault.detail for fault in faults)
        raise DomainError("invalid_trait", detail, errors=faults, pointer=faults[0].pointer)


def _name_fault(trait: CustomTrait) -> str:
    if not NAME.fullmatch(trait.name):
        return _("A name is 2 to 40 of a-z, 0-9 and _, and begins with a letter: loyalty_points.")
    if trait.name in BY_NAME or trait.name in FIELDS:
        return _("%(name)s is built in; choose another name.") % {"name": trait.name}
    if CustomTrait.objects.filter(name=trait.name).exclude(pk=trait.pk).exists():
        return _("There is a trait %(name)s already; change it, or choose another name.") % {
            "name": trait.name
        }
    return ""


def _label_fault(trait: CustomTrait) -> str:
    if not trait.label.strip():
        return _("Give it a label that people read.")
    if CustomTrait.objects.filter(label=trait.label).exclude(pk=trait.pk).exists():
        return _("Another own trait has this label; people could not tell them apart.")
    return ""


def _kind_fault(trait: CustomTrait) -> str:
    if trait.kind not in Kind.values:
        return _("Choose one of %(known)s.") % {"known": ", ".join(Kind.values)}
    if trait.kind not in MAKES.get(trait.aggregate, frozenset(Kind.values)):
        return _("Only the first or last value may be a text; what is counted is a number.")
    return ""


def _event_fault(trait: CustomTrait) -> str:
    if not trait.event.strip():
        return _("Name the event it is made of, such as Points Earned.")
    return "" if len(trait.event) <= 200 else _("At most 200 characters are allowed.")  # noqa: PLR2004 -- as the column


def _property_fault(trait: CustomTrait) -> str:
    if not trait.property_path:
        return (
            ""
            if trait.aggregate == Aggregate.COUNT
            else _("Name the property to read; only counting needs none.")
        )
    if not PROPERTY.fullmatch(trait.property_path):
        return _(
            "A property is a name of letters, digits and _, with up to two points into what it"
            " holds: price, or product.brand."
        )
    return ""


def _window_fault(trait: CustomTrait) -> str:
    if trait.window_days is None or 1 <= trait.window_days <= MOST_DAYS:
        return ""
    return _("Days are from 1 to %(most)s; leave it empty for all there is.") % {"most": MOST_DAYS}


@transaction.atomic
def declare(facts: Mapping[str, Any], *, now: datetime, actor: str = "") -> CustomTrait:
    """Make a trait of these facts and ask for its values; raises DomainError (`invalid_trait`)."""
    trait = CustomTrait(**facts, created_at=now)
    check(trait)
    if CustomTrait.objects.count() >= MOST_TRAITS:
        detail = _("There are %(most)s own traits, the most there may be; give one up first.")
        raise DomainError("too_many_traits", detail % {"most": MOST_TRAITS}, status=409)
    trait.save()
    _keep_version(trait, actor=actor, now=now)
    asking.ask_for_trait(trait, now)
    return trait


@transaction.atomic
def change(
    trait: CustomTrait, facts: Mapping[str, Any], *, now: datetime, actor: str = ""
) -> CustomTrait:
    """Give a trait other facts; what decides its values makes another version of it.

    Raises DomainError: `invalid_trait`, and `trait_in_use` for another kind while a segment
    compares it.
    """
    row = CustomTrait.objects.select_for_update().get(pk=trait.pk)
    before, kind = row.definition, row.kind
    for name in (*DEFINING, *DESCRIBING):
        setattr(row, name, facts.get(name, getattr(row, name)))
    check(row)
    if row.kind != kind and (segments := used_by(row)):
        raise _in_use(row, segments)
    if row.definition != before:
        row.version += 1
        _keep_version(row, actor=actor, now=now)
        asking.ask_for_trait(row, now)
    row.save()
    return row


@transaction.atomic
def remove(trait: CustomTrait) -> None:
    """Give a trait up with its values; raises DomainError (`trait_in_use`) while a segment asks."""
    if segments := used_by(trait):
        raise _in_use(trait, segments)
    trait.delete()


def used_by(trait: CustomTrait) -> list[Segment]:
    """Return the segments whose rule names the trait, by name."""
    naming = []
    for segment in Segment.objects.order_by("name"):
        try:
            rule = segment_rules.parsed(segment.rule)
        except DomainError:
            continue
        if any(
            condition.field.source == Source.CUSTOM and condition.scope.trait == trait.name
            for condition in conditions_of(rule)
        ):
            naming.append(segment)
    return naming


def _in_use(trait: CustomTrait, segments: list[Segment]) -> DomainError:
    detail = _("%(trait)s is used by %(segments)s; take it out of these segments first.") % {
        "trait": trait.name,
        "segments": ", ".join(f"“{segment.name}”" for segment in segments),
    }
    return DomainError("trait_in_use", detail, status=409)


def _keep_version(trait: CustomTrait, *, actor: str, now: datetime) -> None:
    CustomTraitVersion.objects.create(
        trait=trait, number=trait.version, definition=trait.definition, made_by=actor, made_at=now
    )


def meaning(trait: CustomTrait) -> str:
    """Return what the value is, in words."""
    made = {
        Aggregate.COUNT: _("How many “%(event)s” events"),
        Aggregate.DISTINCT: _("How many different values of %(property)s in “%(event)s”"),
        Aggregate.SUM: _("Sum of %(property)s in “%(event)s”"),
        Aggregate.AVERAGE: _("Average of %(property)s in “%(event)s”"),
        Aggregate.FIRST: _("First %(property)s in “%(event)s”"),
        Aggregate.LAST: _("Last %(property)s in “%(event)s”"),
    }
    text = made[Aggregate(trait.aggregate)] % {
        "property": trait.property_path,
        "event": trait.event,
    }
    if trait.aggregate == Aggregate.COUNT and trait.property_path:
        text = _("%(what)s with %(property)s") % {"what": text, "property": trait.property_path}
    if trait.window_days:
        window = ngettext("in the last day", "in the last %(days)s days", trait.window_days)
        text = _("%(phrase)s %(window)s") % {
            "phrase": text,
            "window": window % {"days": trait.window_days},
        }
    return _("%(text)s.") % {"text": text}


def shown(trait: CustomTrait, value: float | str | None) -> str:
    """Return a value as people read it, with its unit."""
    if value is None or isinstance(value, str):
        return value or "–"
    number = figures.number(value, get_language() or "en", "#,##0.######")
    return f"{number} {trait.unit}".strip()


def panel(customer: Customer, _now: datetime) -> dict[str, Any]:
    """What the customer's page shows: each own trait with its value and meaning."""
    kept = CustomTraitValue.objects.filter(customer=customer).values_list("trait", "number", "text")
    values = {trait: text if number is None else number for trait, number, text in kept}
    own = [
        (trait, shown(trait, values.get(trait.pk)), meaning(trait))
        for trait in CustomTrait.objects.order_by("label")
    ]
    return {"own_traits": own}


def try_out(trait: CustomTrait, now: datetime) -> Trial:
    """Return what the newest events of that name say, and the values of a few customers."""
    check(trait)
    events = Event.objects.filter(counted(), kind="track", name=trait.event, happened_at__lt=now)
    if trait.window_days:
        events = events.filter(happened_at__gte=now - timedelta(days=trait.window_days))
    newest = list(events.order_by("-happened_at").values_list("customer", "properties")[:LOOKED_AT])
    told = [_told(properties, trait) for _customer, properties in newest]
    doers = dict.fromkeys(
        customer
        for (customer, _properties), fits in zip(newest, told, strict=True)
        if customer and fits
    )
    return Trial(
        n_events=len(newest),
        n_told=sum(fits is True for fits in told),
        n_other=sum(fits is False for fits in told),
        samples=_samples(trait, list(doers)[: SAMPLES * 4], now),
        near=() if newest else _near(trait.event),
    )


def _told(properties: Mapping[str, Any], trait: CustomTrait) -> bool | None:
    """Whether what stands under the name is what the trait reads; None if nothing does."""
    value: Any = properties
    for part in trait.property_path.split(".") if trait.property_path else ():
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return None
    if not trait.property_path:
        return True
    if trait.aggregate in {Aggregate.COUNT, Aggregate.DISTINCT}:
        return isinstance(value, str | int | float)
    if trait.kind == Kind.TEXT:
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


@transaction.atomic
def _samples(trait: CustomTrait, keys: list[int], now: datetime) -> tuple[Sample, ...]:
    allowed = Customer.objects.for_purpose("profile.build").filter(pk__in=keys).order_by("pk")
    shown = {customer.pk: customer for customer in allowed[:SAMPLES]}
    if not shown:
        return ()
    with connection.cursor() as cursor:
        featuring.fill(
            cursor, "profiles_scope", Customer.objects.filter(pk__in=list(shown)).values("pk")
        )
        found = custom.read(cursor, trait, now)
    return tuple(
        Sample(shown[one.customer], one.text if one.number is None else one.number)
        for one in sorted(found, key=lambda one: one.customer)
    )


def _near(event: str) -> tuple[str, ...]:
    known = EventName.objects.filter(kind="track").values_list("name", flat=True)
    return tuple(difflib.get_close_matches(event, known))
