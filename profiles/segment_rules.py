"""From a tree as it came to a rule that can be counted: sealed, parsed, with all it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from privacy.crypto.blind_index import NotAnAddressError
from privacy.problems import DomainError
from privacy.sealed import keys
from profiles import personas
from profiles.models import Customer, CustomTrait, Segment, StaticList
from profiles.segments import cycles
from profiles.segments.rules import MAX_DEPTH, TAG, Rule, RuleError, conditions_of, parse
from profiles.segments.vocabulary import FIELDS, PRESENCE, Source

Tree = dict[str, Any]
MAX_EXPANDED = 2_000  # conditions, with every named segment's own in its place


@dataclass(frozen=True)
class Checked:
    """A rule and, by uuid, every segment it names, directly or through others."""

    rule: Rule
    rules: Mapping[str, Rule]


def checked(tree: Rule | Tree, *, of: str = "") -> Checked:
    """Return the rule with all it names; `of` is the uuid of the segment it belongs to.

    Raises DomainError: `invalid_rule` for a tree that is not valid or names what is not
    there, `segment_circle` for segments that name each other in a circle.
    """
    rule = parsed(tree)
    rules = _named(rule, of)
    _refuse_missing(rule, rules)
    try:
        cycles.refuse_circles(of, rules)
    except cycles.CycleError as error:
        raise _circle(error, rule) from error
    if (n := cycles.expanded_size(of, rules)) > MAX_EXPANDED:
        detail = _("With the segments it names, the rule has %(n)s conditions; at most %(most)s.")
        raise DomainError("invalid_rule", detail % {"n": n, "most": MAX_EXPANDED}, pointer="/rule")
    return Checked(rule, {uuid: one for uuid, one in rules.items() if uuid != of})


def parsed(tree: Rule | Tree) -> Rule:
    """Return a rule's tree parsed; raises DomainError (`invalid_rule`)."""
    if isinstance(tree, Rule):
        return tree
    try:
        return parse(sealed(tree))
    except RuleError as error:
        pointer = f"/rule{error.pointer}"
        raise DomainError("invalid_rule", error.message, pointer=pointer) from error


def stored(tree: Tree) -> Tree:
    """Return the tree as it may be kept: no address stands in it. Raises DomainError."""
    parsed(tree)
    kept: Tree = sealed(tree)
    return kept


def sealed(tree: Any, pointer: str = "", *, depth: int = 0) -> Any:
    """Return the tree with the tag of each e-mail address or phone number in its place.

    It is the tag that no rotation makes anew; of e-mail it leaves `+tag` out. Raises
    RuleError for what cannot be an address; the error never quotes it.
    """
    if not isinstance(tree, Mapping) or depth > MAX_DEPTH:
        return tree
    if isinstance(parts := tree.get("rules"), list):
        inner = [
            sealed(part, f"{pointer}/rules/{n}", depth=depth + 1) for n, part in enumerate(parts)
        ]
        return {**tree, "rules": inner}
    name = tree.get("field")
    field = FIELDS.get(name) if isinstance(name, str) else None
    if field is None or field.source != Source.SEALED or tree.get("operator") in PRESENCE:
        return tree
    value = tree.get("value")
    if tree.get("operator") in {"in", "notIn"}:
        values = value.split(",") if isinstance(value, str) else value
        if not isinstance(values, list):
            return tree
        tags: Any = [_tag(field.name, one, f"{pointer}/value/{n}") for n, one in enumerate(values)]
    else:
        tags = _tag(field.name, value, f"{pointer}/value")
    return {**tree, "value": tags}


def _tag(name: str, value: object, pointer: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if TAG.fullmatch(text):
        return text
    column: Any = Customer._meta.get_field(name)
    try:
        normalised = column.suppressed_as(column.normalised(column.cleaned(text)))
    except NotAnAddressError as error:
        raise RuleError(pointer, str(error)) from None
    return f"tag:{keys().tagger('suppression', column.data_class).tag(normalised).hex()}"


def names(trees: Iterable[Rule | Tree]) -> dict[str, str]:
    """Return what segments, lists, own traits and personas are called, in a few queries.

    Segments and lists stand under their uuid, own traits under `trait:` and their name, personas
    under `persona:`, the language of their words and their key.
    """
    rules = [rule for tree in trees if (rule := _readable(tree)) is not None]
    segments = {uuid for rule in rules for uuid in cycles.named(rule)}
    lists = {uuid for rule in rules for uuid in cycles.named(rule, Source.LIST)}
    found: list[tuple[UUID, str]] = []
    labels: dict[str, str] = {}
    if segments:
        found += Segment.objects.filter(uuid__in=segments).values_list("uuid", "name")
    traits = {name for rule in rules for name in cycles.traits_of(rule)}
    if traits:
        own = CustomTrait.objects.filter(name__in=traits).values_list("name", "label")
        labels = {f"trait:{name}": label for name, label in own}
    if any(one.field.source == Source.PERSONA for rule in rules for one in conditions_of(rule)):
        labels |= {
            f"persona:{language}:{key}": title
            for language, _name in settings.LANGUAGES
            for key, title in personas.titles(language).items()
        }
    if lists:
        found += StaticList.objects.filter(uuid__in=lists).values_list("uuid", "name")
    return labels | {str(uuid): name for uuid, name in found}


def _readable(tree: Rule | Tree) -> Rule | None:
    try:
        return parsed(tree)
    except DomainError:
        return None


def _named(rule: Rule, of: str) -> dict[str, Rule]:
    """The rule itself, under `of`, and those it names: one query for each level of naming."""
    rules = {of: rule}
    wanted = set(cycles.named(rule)) - rules.keys()
    while wanted:
        rows = Segment.objects.filter(uuid__in=wanted).values_list("uuid", "rule")
        found = {str(uuid): parsed(tree) for uuid, tree in rows}
        for uuid in wanted - found.keys():
            raise _missing(rule, uuid)
        rules |= found
        wanted = {uuid for one in found.values() for uuid in cycles.named(one)} - rules.keys()
    return rules


def _refuse_missing(rule: Rule, rules: Mapping[str, Rule]) -> None:
    _refuse_missing_traits(rule, rules)
    wanted = {uuid for one in rules.values() for uuid in cycles.named(one, Source.LIST)}
    if not wanted:
        return
    there = StaticList.objects.filter(uuid__in=wanted).values_list("uuid", flat=True)
    for uuid in wanted - {str(uuid) for uuid in there}:
        raise _missing(rule, uuid)


def _refuse_missing_traits(rule: Rule, rules: Mapping[str, Rule]) -> None:
    """Raise DomainError if a rule compares an own trait that is not there, or of another kind."""
    wanted = {name for one in rules.values() for name in cycles.traits_of(one)}
    if not wanted:
        return
    there = dict(CustomTrait.objects.filter(name__in=wanted).values_list("name", "kind"))
    for name, fields in cycles.traits_of_all(rules.values()).items():
        if name not in there:
            detail = _("There is no own trait %(name)s; declare it first, or choose another.")
        elif fields != {f"custom_{there[name]}"}:
            detail = _("%(name)s is a %(kind)s; compare it as custom_%(kind)s.")
        else:
            continue
        told = detail % {"name": name, "kind": there.get(name, "")}
        raise DomainError("invalid_rule", told, pointer=f"/rule{cycles.place_of_trait(rule, name)}")


def _missing(rule: Rule, uuid: str) -> DomainError:
    detail = _("There is no segment or list %(uuid)s; choose another or take the condition out.")
    return DomainError(
        "invalid_rule", detail % {"uuid": uuid}, pointer=f"/rule{cycles.place_of(rule, uuid)}"
    )


def _circle(error: cycles.CycleError, rule: Rule) -> DomainError:
    known = dict(Segment.objects.filter(uuid__in=set(error.path)).values_list("uuid", "name"))
    shown = {str(uuid): name for uuid, name in known.items()}
    path = " → ".join(shown.get(uuid, uuid) for uuid in error.path)
    detail = _("Segments name each other in a circle: %(path)s. Take one of these conditions out.")
    place = cycles.place_of(rule, error.path[1])
    return DomainError("segment_circle", detail % {"path": path}, pointer=f"/rule{place}")
