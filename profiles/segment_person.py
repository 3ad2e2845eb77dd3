"""One customer as the rules in memory know them, read with a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from privacy.models import Consent, ConsentEntry
from profiles import registry
from profiles.models import (
    Customer,
    CustomerTraits,
    CustomTraitValue,
    Event,
    OrderLine,
    StaticListMember,
)
from profiles.models.event import Kind as EventKind
from profiles.models.quality import counted
from profiles.segments.evaluate import Happening, Person, Purchase
from profiles.segments.rules import Rule, Scalar, conditions_of
from profiles.segments.vocabulary import FIELDS, Source


def person(customer: Customer, rules: Iterable[Rule], now: datetime) -> Person:
    """Return what the rules may know of the customer; of events only those they name."""
    return Person(
        _values(customer, now),
        customer.birth_year,
        _purchases(customer),
        frozenset(f"{purpose}:{channel}" for purpose, channel in _consents(customer)),
        _events(customer, rules),
        _tags(customer),
        frozenset(str(uuid) for uuid in _lists(customer)),
        custom=_own_traits(customer),
    )


def _values(customer: Customer, now: datetime) -> dict[str, Scalar | None]:
    named = [field.name for field in FIELDS.values() if field.source == Source.CUSTOMER]
    values: dict[str, Scalar | None] = {name: getattr(customer, name) for name in named}
    found = CustomerTraits.objects.filter(customer=customer).select_related("persona").first()
    if found is None:
        return values
    traits = found.seen_from(now)
    told = [field.name for field in FIELDS.values() if field.source == Source.TRAIT]
    values |= {name: getattr(traits, name) for name in told}
    return values | {"persona": traits.persona.key if traits.persona else None}


def _own_traits(customer: Customer) -> dict[str, float | str]:
    rows = CustomTraitValue.objects.filter(customer=customer)
    values = rows.values_list("trait__name", "number", "text")
    numbers = {name: number for name, number, _text in values if number is not None}
    return numbers | {name: text for name, _number, text in values if text}


def _purchases(customer: Customer) -> list[Purchase]:
    lines = OrderLine.objects.countable().filter(order__customer=customer)
    rows = list(lines.select_related("order").order_by("pk"))
    brands = registry.brands_of({line.product_id for line in rows})
    return [
        Purchase(
            line.product_id,
            line.category,
            line.order.placed_at,
            order=line.order.number,
            brand=brands.get(line.product_id, ""),
            quantity=line.quantity,
            total_minor=line.total_minor,
            currency=line.order.currency,
        )
        for line in rows
    ]


def _events(customer: Customer, rules: Iterable[Rule]) -> list[Happening]:
    wanted: set[str] = set()
    for condition in (one for rule in rules for one in conditions_of(rule)):
        if condition.field.source == Source.SEQUENCE:
            wanted.add(str(condition.value))
        if condition.scope.event:
            wanted.add(condition.scope.event)
    if not wanted:
        return []
    found = Event.objects.filter(
        counted(), customer=customer, kind=EventKind.TRACK, name__in=wanted
    )
    rows = found.order_by("happened_at").values_list("name", "happened_at", "properties")
    return [Happening(name, at, properties) for name, at, properties in rows]


def _consents(customer: Customer) -> Iterable[tuple[str, str]]:
    given = Consent.objects.filter(
        subject__uuid=customer.subject_id, state=ConsentEntry.State.GIVEN
    )
    return given.values_list("purpose", "channel")


def _tags(customer: Customer) -> dict[str, str]:
    known = {"email": customer.email_suppression_tag, "phone": customer.phone_suppression_tag}
    return {name: f"tag:{bytes(tag).hex()}" for name, tag in known.items() if tag is not None}


def _lists(customer: Customer) -> Iterable[object]:
    on = StaticListMember.objects.filter(customer=customer)
    return on.values_list("static_list__uuid", flat=True)
