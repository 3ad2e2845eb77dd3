"""A rule decided for one person in memory: the second opinion on the SQL."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from profiles.features.vocabulary import Kind, age_band
from profiles.segments.compile import fold
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


@dataclass(frozen=True)
class Person:
    """What a rule may know of one customer; a missing, None or empty value is not known."""

    values: Mapping[str, Scalar | None]
    birth_year: int | None = None
    purchases: Sequence[Purchase] = ()
    consents: frozenset[str] = field(default_factory=frozenset)


def matches(rule: Rule, person: Person, as_of: datetime) -> bool:
    """Tell whether the person is in the segment, by what happened before `as_of`."""
    return fold(rule, _Truth(person, as_of))


@dataclass(frozen=True)
class _Truth:
    person: Person
    as_of: datetime

    def all_of(self, parts: Sequence[bool]) -> bool:
        return all(parts)

    def any_of(self, parts: Sequence[bool]) -> bool:
        return any(parts)

    def negate(self, part: bool) -> bool:  # noqa: FBT001 -- the value of the algebra
        return not part

    def condition(self, condition: Condition) -> bool:
        if condition.field.source == Source.CONSENT:
            return (condition.value in self.person.consents) == (condition.operator == "=")
        if condition.field.source == Source.PURCHASE:
            return self._bought(condition) == (condition.operator == "=")
        known = self._known(condition)
        if condition.operator in {"null", "notNull"}:
            return (known is None) == (condition.operator == "null")
        return known is not None and COMPARE[condition.operator](known, condition.value)

    def _bought(self, condition: Condition) -> bool:
        by_product = condition.field.kind == Kind.PRODUCT
        start = (
            self.as_of - timedelta(days=condition.within_days) if condition.within_days else None
        )
        return any(
            (line.product_id if by_product else line.category) == condition.value
            and line.placed_at < self.as_of
            and (start is None or line.placed_at >= start)
            for line in self.person.purchases
        )

    def _known(self, condition: Condition) -> Scalar | None:
        if condition.field.source != Source.AGE:
            value = self.person.values.get(condition.field.name)
            return None if value == "" else value
        if self.person.birth_year is None:
            return None
        return age_band(self.as_of.year - self.person.birth_year) or None
