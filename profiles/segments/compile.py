"""One walk over a rule for everything that is made of it: SQL, a predicate, a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from profiles.segments.rules import Condition, Group

T = TypeVar("T")


class Algebra(Protocol[T]):
    """What a condition becomes and how results combine; `parts` is empty only at the root."""

    def condition(self, condition: Condition) -> T: ...
    def all_of(self, parts: Sequence[T]) -> T: ...
    def any_of(self, parts: Sequence[T]) -> T: ...
    def negate(self, part: T) -> T: ...


def fold(rule: Group | Condition, algebra: Algebra[T]) -> T:
    """Build the rule's result from its leaves up.

    A group without parts means everybody under either combinator, so it is `all_of` nothing.
    """
    if isinstance(rule, Condition):
        return algebra.condition(rule)
    parts = [fold(part, algebra) for part in rule.parts]
    combine = algebra.any_of if rule.combinator == "or" and parts else algebra.all_of
    return algebra.negate(combine(parts)) if rule.negated else combine(parts)
