"""Segments that name segments: which, and whether that ever comes back to where it began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from profiles.segments.rules import Condition, Group, Rule, conditions_of, count_conditions
from profiles.segments.vocabulary import Source


class CycleError(ValueError):
    """Segments that name each other in a circle; `path` begins and ends with the same one."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(" → ".join(path))
        self.path = path


def named(rule: Rule, source: Source = Source.SEGMENT) -> list[str]:
    """Return the uuids of the segments (or lists) the rule names, as often as it names them."""
    return [
        str(one)
        for condition in conditions_of(rule)
        if condition.field.source == source
        for one in (condition.value if isinstance(condition.value, tuple) else (condition.value,))
    ]


def traits_of(rule: Rule) -> set[str]:
    """Return the names of the shop's own traits that the rule compares."""
    return {one.scope.trait for one in conditions_of(rule) if one.field.source == Source.CUSTOM}


def traits_of_all(rules: Iterable[Rule]) -> dict[str, set[str]]:
    """Return for each own trait by which fields the rules compare it."""
    found: dict[str, set[str]] = {}
    for condition in (one for rule in rules for one in conditions_of(rule)):
        if condition.field.source == Source.CUSTOM:
            found.setdefault(condition.scope.trait, set()).add(condition.field.name)
    return found


def refuse_circles(start: str, rules: Mapping[str, Rule]) -> None:
    """Raise CycleError if a segment is reached again on the way down from `start`."""
    done: set[str] = set()

    def visit(uuid: str, path: tuple[str, ...]) -> None:
        if uuid in path:
            raise CycleError((*path[path.index(uuid) :], uuid))
        if uuid in done or uuid not in rules:
            return
        for inner in named(rules[uuid]):
            visit(inner, (*path, uuid))
        done.add(uuid)

    visit(start, ())


def expanded_size(start: str, rules: Mapping[str, Rule]) -> int:
    """Return how many conditions there are with every segment in its place; needs no circle."""
    sizes: dict[str, int] = {}

    def size(uuid: str) -> int:
        if uuid not in sizes:
            rule = rules[uuid]
            sizes[uuid] = count_conditions(rule) + sum(map(size, named(rule)))
        return sizes[uuid]

    return size(start)


def place_of(part: Group | Condition, uuid: str, pointer: str = "") -> str:
    """Return the JSON pointer of the first condition that names the uuid; empty if none does."""
    if isinstance(part, Condition):
        values = part.value if isinstance(part.value, tuple) else (part.value,)
        return pointer if uuid in values else ""
    places = (place_of(one, uuid, f"{pointer}/rules/{n}") for n, one in enumerate(part.parts))
    return next(filter(None, places), "")


def place_of_trait(part: Group | Condition, name: str, pointer: str = "") -> str:
    """Return the JSON pointer of the first condition on the own trait; empty if none is."""
    if isinstance(part, Condition):
        return pointer if part.scope.trait == name else ""
    places = (place_of_trait(one, name, f"{pointer}/rules/{n}") for n, one in enumerate(part.parts))
    return next(filter(None, places), "")
