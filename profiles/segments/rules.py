"""Parsing a rule tree in react-querybuilder's form into frozen, valid objects.

A group is `{"combinator": "and" | "or", "not": bool, "rules": [...]}`, a condition
`{"field": ..., "operator": ..., "value": ...}`, with further keys where the field takes them,
such as `"within_days": days`. Numbers may come as text and lists as one text with commas, as that
builder's inputs give them. A root without rules means everybody; an empty group below it is
an error, since its meaning is a guess. Of a sealed field a rule holds tags, never values.
"""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from profiles.features.vocabulary import Kind
from profiles.segments.vocabulary import (
    FIELDS,
    FRACTION_KINDS,
    OF_CUSTOM,
    OF_PURCHASES,
    OF_SEQUENCES,
    OF_SPECS,
    OF_SUMS,
    OF_WINDOWS,
    PRESENCE,
    WHOLE_KINDS,
    Field,
    Source,
)
from profiles.segments.windows import ALWAYS, Window

MAX_DEPTH = 8
MAX_CONDITIONS = 200
MAX_VALUES = 1_000
MAX_TEXT = 200
MAX_DAYS = 36_500
MAX_HOURS = 24 * 366
MAX_NUMBER = 2**53
YEARS = (1970, 2999)

TAG = re.compile(r"tag:[0-9a-f]{32}")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
GROUP_KEYS = frozenset({"combinator", "not", "rules"})
CONDITION_KEYS = frozenset(
    {
        "field",
        "operator",
        "value",
        *OF_WINDOWS,
        *OF_CUSTOM,
        *OF_PURCHASES,
        *OF_SUMS,
        *OF_SEQUENCES,
        *OF_SPECS,
    }
)
# What the builder adds for itself; none of it changes the meaning.
EDITOR_KEYS = frozenset({"id", "path", "valueSource"})
RANGES: dict[Kind, tuple[int, int]] = {
    Kind.SHARE: (0, 1),
    Kind.HOUR: (0, 23),
    Kind.WEEKDAY: (0, 6),
    Kind.PERSONA: (1, 1_000_000),
}

Scalar = int | float | str
Value = Scalar | tuple[Scalar, ...] | None


class RuleError(ValueError):
    """A rule that cannot be understood; `pointer` is the JSON pointer of the fault."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer or '/'}: {message}")
        self.pointer = pointer
        self.message = message


@dataclass(frozen=True)
class Scope:
    """Which purchases or events a condition looks at; what is empty does not narrow.

    `trait` names the shop's own trait that is compared, `spec` a product's specification.
    """

    trait: str = ""
    product: str = ""
    category: str = ""
    brand: str = ""
    event: str = ""
    property: str = ""
    equals: Scalar = ""
    summed: str = ""
    spec: str = ""


@dataclass(frozen=True)
class Condition:
    """One comparison. `value` is a tuple for lists and ranges, None for null and notNull.

    Of `then` and `thenNot` the value is the second event, to come within `within_hours`.
    """

    field: Field
    operator: str
    value: Value
    window: Window = ALWAYS
    scope: Scope = Scope()
    within_hours: int | None = None


@dataclass(frozen=True)
class Group:
    """All (`and`) or any (`or`) of its parts, turned round if `negated`."""

    combinator: Literal["and", "or"]
    negated: bool
    parts: tuple[Group | Condition, ...]


Rule = Group


def parse(tree: object, fields: Mapping[str, Field] = FIELDS) -> Rule:
    """Return the rule a decoded JSON tree means; raises RuleError naming place and fix."""
    rule = _group(tree, "", fields, depth=1)
    if (n := count_conditions(rule)) > MAX_CONDITIONS:
        raise RuleError("", f"{n} conditions are too many; at most {MAX_CONDITIONS} are allowed")
    return rule


def conditions_of(part: Group | Condition) -> Iterator[Condition]:
    """Return every condition of the tree, from left to right."""
    if isinstance(part, Condition):
        yield part
        return
    for inner in part.parts:
        yield from conditions_of(inner)


def count_conditions(part: Group | Condition) -> int:
    return sum(1 for _ in conditions_of(part))


def _group(tree: object, pointer: str, fields: Mapping[str, Field], *, depth: int) -> Group:
    node = _object(tree, pointer, GROUP_KEYS)
    if depth > MAX_DEPTH:
        raise RuleError(pointer, f"groups are nested deeper than {MAX_DEPTH}")
    match node.get("combinator", "and"):
        case "and":
            combinator: Literal["and", "or"] = "and"
        case "or":
            combinator = "or"
        case other:
            raise RuleError(f"{pointer}/combinator", f"{_shown(other)} is neither 'and' nor 'or'")
    negated = node.get("not", False)
    if not isinstance(negated, bool):
        raise RuleError(f"{pointer}/not", "true or false is expected")
    parts = node.get("rules")
    if not isinstance(parts, list):
        raise RuleError(f"{pointer}/rules", "a list of conditions and groups is expected")
    if len(parts) > MAX_CONDITIONS:
        raise RuleError(f"{pointer}/rules", f"at most {MAX_CONDITIONS} entries are allowed")
    if not parts and depth > 1:
        raise RuleError(f"{pointer}/rules", "this group is empty: add a condition or remove it")
    return Group(
        combinator,
        negated,
        tuple(
            _part(part, f"{pointer}/rules/{n}", fields, depth=depth) for n, part in enumerate(parts)
        ),
    )


def _part(
    tree: object, pointer: str, fields: Mapping[str, Field], *, depth: int
) -> Group | Condition:
    if isinstance(tree, Mapping) and "rules" in tree:
        return _group(tree, pointer, fields, depth=depth + 1)
    node = _object(tree, pointer, CONDITION_KEYS)
    field = _field(node.get("field"), f"{pointer}/field", fields)
    operator = node.get("operator")
    if operator not in field.operators:
        raise RuleError(
            f"{pointer}/operator",
            f"{field.name} takes {', '.join(field.operators)}, not {_shown(operator)}",
        )
    if (source := node.get("valueSource", "value")) != "value":
        raise RuleError(f"{pointer}/valueSource", f"{_shown(source)} is not known; use 'value'")
    return Condition(
        field,
        str(operator),
        _value(field, str(operator), node.get("value"), f"{pointer}/value"),
        _window(field, node, pointer),
        _scope(field, node, pointer),
        _delay(field, node.get("within_hours"), f"{pointer}/within_hours"),
    )


def _object(tree: object, pointer: str, keys: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(tree, Mapping):
        raise RuleError(pointer, f"an object with {', '.join(sorted(keys))} is expected")
    for key in tree:
        if key not in keys | EDITOR_KEYS:
            raise RuleError(pointer, f"the key {_shown(key)} is not known{_near(key, keys)}")
    return tree


def _field(name: object, pointer: str, fields: Mapping[str, Field]) -> Field:
    if isinstance(name, str) and name in fields:
        return fields[name]
    raise RuleError(pointer, f"there is no field {_shown(name)}{_near(name, fields)}")


def _near(name: object, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name)[:60], names)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _shown(value: object) -> str:
    return reprlib.repr(value)  # short, and safe on deep nesting


def _window(field: Field, node: Mapping[str, Any], pointer: str) -> Window:
    given = {key: node[key] for key in OF_WINDOWS if node.get(key) not in (None, "")}
    if given and not field.takes_window:
        raise RuleError(f"{pointer}/{next(iter(given))}", f"{field.name} takes no window of days")
    read: dict[str, Any] = {
        key: (_date if key.endswith("_date") else _days)(raw, f"{pointer}/{key}")
        for key, raw in given.items()
    }
    window = Window(**read)
    if window.within_days and window.before_days and window.before_days >= window.within_days:
        detail = f"the window is empty: {window.before_days} is not below {window.within_days}"
        raise RuleError(f"{pointer}/before_days", detail)
    if window.from_date and window.to_date and window.to_date < window.from_date:
        detail = f"the window is empty: {window.to_date} is before {window.from_date}"
        raise RuleError(f"{pointer}/to_date", detail)
    return window


def _days(raw: object, pointer: str) -> int:
    return int(_number(raw, pointer, low=1, high=MAX_DAYS, whole=True))


def _date(raw: object, pointer: str) -> date:
    try:
        found = date.fromisoformat(raw if isinstance(raw, str) and DATE.fullmatch(raw) else "")
    except ValueError:
        raise RuleError(pointer, f"a date like 2026-03-31 is expected, not {_shown(raw)}") from None
    if not YEARS[0] <= found.year <= YEARS[1]:
        raise RuleError(pointer, f"{found} is outside the years {YEARS[0]} to {YEARS[1]}")
    return found


def _delay(field: Field, hours: object, pointer: str) -> int | None:
    if field.source != Source.SEQUENCE:
        return None
    return int(_number(hours, pointer, low=1, high=MAX_HOURS, whole=True))


def _scope(field: Field, node: Mapping[str, Any], pointer: str) -> Scope:
    given = {
        key: node[key]
        for key in (*OF_CUSTOM, *OF_PURCHASES, *OF_SUMS, *OF_SEQUENCES, *OF_SPECS)
        if node.get(key) not in (None, "")
    }
    if strange := sorted(given.keys() - set(field.keys)):
        taken = f"takes {', '.join(field.keys)}" if field.keys else "takes none of these"
        raise RuleError(f"{pointer}/{strange[0]}", f"{field.name} {taken}, not {strange[0]}")
    given.pop("within_hours", None)
    if "event" in field.keys and "event" not in given:
        raise RuleError(f"{pointer}/event", "the name of an event is expected")
    if "trait" in field.keys and "trait" not in given:
        raise RuleError(f"{pointer}/trait", "the name of an own trait is expected")
    if "spec" in field.keys and "spec" not in given:
        raise RuleError(f"{pointer}/spec", "the name of a specification is expected")
    if "summed" in field.keys and "summed" not in given:
        raise RuleError(f"{pointer}/summed", "the property whose numbers are summed is expected")
    if ("property" in given) != ("equals" in given):
        raise RuleError(f"{pointer}/equals", "property and equals go together, or neither stands")
    readers = {"property": _property, "equals": _equals, "summed": _property}
    read: dict[str, Any] = {
        key: readers.get(key, _text)(raw, f"{pointer}/{key}") for key, raw in given.items()
    }
    return Scope(**read)


def _property(raw: object, pointer: str) -> str:
    """A name that both databases take as a key: a bare number would be a place in a list."""
    name = _text(raw, pointer)
    if name.lstrip("+-").strip().isdecimal() or any(char in name for char in '"\\'):
        raise RuleError(pointer, "the name of a property is expected, without quotes")
    return name


def _equals(raw: object, pointer: str) -> Scalar:
    if isinstance(raw, int | float):
        return _number(raw, pointer, low=-MAX_NUMBER, high=MAX_NUMBER, whole=False)
    text = _text(raw, pointer)
    if text.lstrip()[:1] in {"{", "["}:
        raise RuleError(pointer, "a text or a number is expected, no list and no object")
    return text


def _value(field: Field, operator: str, raw: object, pointer: str) -> Value:
    if operator in PRESENCE:
        return None
    read = _reader(field)
    if operator in {"in", "notIn"}:
        values = _list(raw, pointer)
        return tuple(read(value, f"{pointer}/{n}") for n, value in enumerate(values))
    if operator in {"between", "notBetween"}:
        values = _list(raw, pointer)
        if len(values) != 2:  # noqa: PLR2004 -- a range has two ends
            raise RuleError(pointer, "two numbers are expected, the lower one first")
        low, high = (read(value, f"{pointer}/{n}") for n, value in enumerate(values))
        if float(low) > float(high):
            raise RuleError(pointer, f"the range is empty: {low} is above {high}")
        return (low, high)
    return read(raw, pointer)


def _list(raw: object, pointer: str) -> list[object]:
    values = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(values, list) or not values:
        raise RuleError(pointer, "a list with at least one value is expected")
    if len(values) > MAX_VALUES:
        raise RuleError(pointer, f"at most {MAX_VALUES} values are allowed")
    return [value.strip() if isinstance(value, str) else value for value in values]


def _reader(field: Field) -> Callable[[object, str], Scalar]:
    if field.kind in WHOLE_KINDS | FRACTION_KINDS:
        low, high = RANGES.get(field.kind, (-MAX_NUMBER, MAX_NUMBER))
        whole = field.kind in WHOLE_KINDS
        return lambda raw, pointer: _number(raw, pointer, low=low, high=high, whole=whole)
    if field.kind in _READERS:
        return _READERS[field.kind]
    return lambda raw, pointer: _text(raw, pointer, choices=field.choices)


def _number(raw: object, pointer: str, *, low: int, high: int, whole: bool) -> int | float:
    number = _parsed_number(raw)
    if number is None:
        raise RuleError(pointer, f"a number is expected, not {_shown(raw)}")
    if not low <= number <= high:
        raise RuleError(pointer, f"{_shown(raw)} is outside {low} to {high}")
    if whole and number != int(number):
        raise RuleError(pointer, f"a whole number is expected, not {_shown(raw)}")
    return int(number) if whole else float(number)


def _parsed_number(raw: object) -> int | float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    if isinstance(raw, int):
        return raw
    try:
        number = float(raw[:40] if isinstance(raw, str) else raw)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(raw: object, pointer: str, *, choices: tuple[str, ...] = ()) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise RuleError(pointer, "a text is expected")
    if len(raw) > MAX_TEXT:
        raise RuleError(pointer, f"at most {MAX_TEXT} characters are allowed")
    if "\0" in raw or any("\ud800" <= char <= "\udfff" for char in raw):
        raise RuleError(pointer, "the text holds a character that cannot be stored")
    if choices and raw not in choices:
        raise RuleError(pointer, f"{_shown(raw)} is not one of {', '.join(choices)}")
    return raw


def _consent(raw: object, pointer: str) -> str:
    text = _text(raw, pointer)
    purpose, _, channel = text.partition(":")
    if not purpose or not channel:
        raise RuleError(pointer, "purpose:channel is expected, as in campaign.email:email")
    return text


def _tag(raw: object, pointer: str) -> str:
    if not isinstance(raw, str) or not TAG.fullmatch(raw):
        raise RuleError(pointer, "a blind-index tag is expected")  # never quotes the value
    return raw


def _uuid(raw: object, pointer: str) -> str:
    try:
        return str(UUID(raw if isinstance(raw, str) else ""))
    except ValueError:
        raise RuleError(pointer, "the uuid of a segment or list is expected") from None


_READERS: dict[Kind, Callable[[object, str], Scalar]] = {
    Kind.CONSENT: _consent,
    Kind.SEALED: _tag,
    Kind.SEGMENT: _uuid,
    Kind.LIST: _uuid,
}
