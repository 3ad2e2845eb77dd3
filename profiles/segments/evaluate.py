"""A rule decided for one person in memory: the second opinion on the SQL."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, TypeGuard

from profiles.features.vocabulary import Kind, age_band
from profiles.segments.compile import fold
from profiles.segments.measures import (
    LITERALS,
    MILLIONTHS,
    MOST_SUMMED,
    ORDERED,
    compared,
    days_since,
    millionths,
)
from profiles.segments.rules import Condition, Rule, Scalar
from profiles.segments.vocabulary import Source

COMPARE: dict[str, Callable[..., bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda known, values: known in values,
    "notIn": lambda known, values: known not in values,
    "between": lambda known, ends: ends[0] <= known <= ends[1],
    "notBetween": lambda known, ends: not ends[0] <= known <= ends[1],
}


@dataclass(frozen=True)
class Purchase:
    """One line of an order that was not cancelled."""

    product_id: str
    category: str
    placed_at: datetime
    order: str = ""
    brand: str = ""
    quantity: int = 1
    total_minor: int = 0
    currency: str = ""


@dataclass(frozen=True)
class Happening:
    """Something a person did, with what the shop told about it."""

    name: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """What a rule may know of one customer; a missing, None or empty value is not known.

    `tags` are those of sealed fields, `lists` the uuids of the lists the person is on, `custom`
    the values of the shop's own traits.
    """

    values: Mapping[str, Scalar | None]
    birth_year: int | None = None
    purchases: Sequence[Purchase] = ()
    consents: frozenset[str] = field(default_factory=frozenset)
    events: Sequence[Happening] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    lists: frozenset[str] = field(default_factory=frozenset)
    custom: Mapping[str, float | str] = field(default_factory=dict)


def matches(
    rule: Rule,
    person: Person,
    as_of: datetime,
    *,
    rules: Mapping[str, Rule] | None = None,
    currency: str = "",
    zone: tzinfo = UTC,
) -> bool:
    """Tell whether the person is in the segment, by what happened before `as_of`.

    `rules` holds every segment the rule may name, by uuid; money is counted in `currency`, and
    dates are days of `zone`.
    """
    return fold(rule, Truth(person, as_of, rules or {}, currency, zone))


@dataclass(frozen=True)
class Truth:
    """The algebra of true and false for one person."""

    person: Person
    as_of: datetime
    rules: Mapping[str, Rule]
    currency: str
    zone: tzinfo

    def all_of(self, parts: Sequence[bool]) -> bool:
        return all(parts)

    def any_of(self, parts: Sequence[bool]) -> bool:
        return any(parts)

    def negate(self, part: bool) -> bool:  # noqa: FBT001 -- the value of the algebra
        return not part

    def condition(self, condition: Condition) -> bool:
        match condition.field.source:
            case Source.CONSENT | Source.PURCHASE | Source.SEGMENT | Source.LIST:
                return self._is_in(condition) == (condition.operator in {"=", "in"})
            case Source.SEQUENCE:
                return self._followed(condition)
        known = self.known(condition)
        if condition.operator in {"null", "notNull"}:
            return (known is None) == (condition.operator == "null")
        if condition.field.name == "event_sum" and known is not None:
            known = millionths(float(known))
        return known is not None and COMPARE[condition.operator](known, compared(condition))

    def known(self, condition: Condition) -> Scalar | None:
        """Return the person's value that is compared; None where it is not known."""
        match condition.field.source:
            case Source.AGE:
                if self.person.birth_year is None:
                    return None
                return age_band(self.as_of.year - self.person.birth_year) or None
            case Source.SEALED:
                return self.person.tags.get(condition.field.name)
            case Source.ORDERS | Source.EVENTS:
                return self._measured(condition)
            case Source.CUSTOM:
                own = self.person.custom.get(condition.scope.trait)
                return own if isinstance(own, str) == (condition.field.kind == Kind.TEXT) else None
            case _:
                value = self.person.values.get(condition.field.name)
                return None if value == "" else value

    def _is_in(self, condition: Condition) -> bool:
        values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        match condition.field.source:
            case Source.CONSENT:
                return condition.value in self.person.consents
            case Source.LIST:
                return not self.person.lists.isdisjoint(map(str, values))
            case Source.SEGMENT:
                return any(fold(self.rules[str(uuid)], self) for uuid in values)
        return bool(self.moments(condition))

    def moments(self, condition: Condition) -> list[datetime]:
        """Return when the person bought what is meant, or did the first of two events."""
        if condition.field.source == Source.SEQUENCE:
            return [event.at for event in self._happened(condition)]
        kind = condition.field.kind
        key = {Kind.PRODUCT: "product_id", Kind.BRAND: "brand"}.get(kind, "category")
        bought = self._bought(condition)
        return [line.placed_at for line in bought if getattr(line, key) == condition.value]

    def _bought(self, condition: Condition) -> list[Purchase]:
        start, end = condition.window.bounds(self.as_of, self.zone)
        scope = condition.scope
        return [
            line
            for line in self.person.purchases
            if line.placed_at < end
            and (start is None or line.placed_at >= start)
            and scope.product in {"", line.product_id}
            and scope.category in {"", line.category}
            and scope.brand in {"", line.brand}
        ]

    def _happened(self, condition: Condition) -> list[Happening]:
        start, end = condition.window.bounds(self.as_of, self.zone)
        scope = condition.scope
        return [
            event
            for event in self.person.events
            if event.name == scope.event
            and event.at < end
            and (start is None or event.at >= start)
            and (not scope.property or _has(event.properties, scope.property, scope.equals))
        ]

    def _measured(self, condition: Condition) -> int | float | None:
        if condition.field.source == Source.EVENTS:
            return self._measured_events(condition)
        lines = self._bought(condition)
        match condition.field.name:
            case "bought_times":
                return len({line.order for line in lines})
            case "bought_units":
                return sum(line.quantity for line in lines)
            case "bought_money":
                return sum(line.total_minor for line in lines if line.currency == self.currency)
        return self._days_since(condition, [line.placed_at for line in lines])

    def _measured_events(self, condition: Condition) -> int | float | None:
        events = self._happened(condition)
        match condition.field.name:
            case "event_times":
                return len(events)
            case "event_sum":
                told = (event.properties.get(condition.scope.summed) for event in events)
                return sum(millionths(one) for one in told if _is_amount(one)) / MILLIONTHS
        return self._days_since(condition, [event.at for event in events])

    def _days_since(self, condition: Condition, times: Sequence[datetime]) -> int | None:
        if not times:
            return None
        is_first = condition.field.name.endswith("first_days")
        return days_since(min(times) if is_first else max(times), self.as_of)

    def _followed(self, condition: Condition) -> bool:
        wait = timedelta(hours=condition.within_hours or 0)
        second = [one.at for one in self.person.events if one.name == condition.value]
        if condition.value == ORDERED:
            second += [line.placed_at for line in self.person.purchases]
        firsts = self.moments(condition)
        answered = [
            at for at in firsts if any(at < b <= at + wait and b < self.as_of for b in second)
        ]
        if condition.operator == "then":
            return bool(answered)
        return any(at + wait < self.as_of and at not in answered for at in firsts)


def _is_amount(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MOST_SUMMED


def _has(properties: Mapping[str, Any], name: str, wanted: Scalar) -> bool:
    if name not in properties:
        return False
    known = properties[name]
    if isinstance(wanted, str):
        spelt = wanted in LITERALS and known is LITERALS[wanted]
        return spelt or (isinstance(known, str) and known == wanted)
    return isinstance(known, int | float) and not isinstance(known, bool) and known == wanted
