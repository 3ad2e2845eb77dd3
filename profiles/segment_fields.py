"""The fields a rule may name as a form shows them, and values to offer for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet
from django.utils import translation

from profiles import personas, segment_words
from profiles.features.vocabulary import Kind
from profiles.models import (
    Customer,
    CustomTrait,
    CustomTraitValue,
    EventName,
    OrderLine,
    Segment,
    StaticList,
)
from profiles.models.event import Kind as EventKind
from profiles.segments.vocabulary import FIELDS, Field, Source


@dataclass(frozen=True)
class FieldCard:
    """A field as a rule builder shows it; `unit` is "days", "money", "share" or empty."""

    name: str
    label: str
    group: str
    kind: str
    unit: str
    operators: tuple[tuple[str, str], ...]
    choices: tuple[tuple[str, str], ...]
    takes_window: bool
    keys: tuple[tuple[str, str], ...]


def fields(language: str) -> list[FieldCard]:
    """Return the vocabulary with labels in `language`, in the order a form shows it."""
    with translation.override(language):
        return [_card(field) for field in FIELDS.values()]


def _card(field: Field) -> FieldCard:
    return FieldCard(
        name=field.name,
        label=segment_words.label(field.name),
        group=segment_words.group_label(field.source),
        kind=field.kind,
        unit=field.kind if field.kind in {Kind.DAYS, Kind.MONEY, Kind.SHARE} else "",
        operators=tuple((sign, segment_words.operator_label(sign)) for sign in field.operators),
        choices=_named(field)
        or tuple((value, segment_words.choice(field, value)) for value in _choices(field)),
        takes_window=field.takes_window,
        keys=tuple((key, segment_words.key_label(key)) for key in field.keys),
    )


def _named(field: Field) -> tuple[tuple[str, str], ...]:
    """The segments or lists there are, by uuid, or personas by key, where the field means these."""
    if field.source == Source.PERSONA:
        called = personas.titles(translation.get_language() or "en")
        return tuple((str(key), f"{key} · {title}") for key, title in called.items())
    if field.source not in {Source.SEGMENT, Source.LIST}:
        return ()
    rows: QuerySet[Any, tuple[UUID, str]]
    if field.source == Source.SEGMENT:
        rows = Segment.objects.order_by("name").values_list("uuid", "name")
    else:
        rows = StaticList.objects.order_by("name").values_list("uuid", "name")
    return tuple((str(uuid), name) for uuid, name in rows)


def _choices(field: Field) -> Sequence[str]:
    if field.kind == Kind.WEEKDAY:
        return [str(day) for day in range(7)]
    if field.kind == Kind.CONSENT:
        return segment_words.consents()
    return field.choices


# Of what comes in all the time the newest rows tell what is common, however many there are.
NEWEST = 20_000


def known_values(name: str, *, limit: int = 50) -> list[str]:
    """Return the most frequent values of a free-text field, to offer while a rule is written."""
    if name == "trait":
        return list(CustomTrait.objects.order_by("name").values_list("name", flat=True)[:limit])
    column, rows = _column(name)
    if rows is None:
        return list(FIELDS[name].choices) if name in FIELDS else []
    if name == "event":
        return list(rows.order_by("-n_events", column).values_list(column, flat=True)[:limit])
    newest = rows.filter(pk__in=rows.order_by("-pk").values("pk")[:NEWEST])
    counted = newest.filter(**{f"{column}__gt": ""}).values_list(column).annotate(n=Count("pk"))
    return [value for value, _n in counted.order_by("-n", column)[:limit]]


def _column(name: str) -> tuple[str, QuerySet[Any] | None]:
    """Where the values of a field, or of a further key of a condition, stand."""
    match name:
        case "product" | "bought_product":
            return "product_id", OrderLine.objects.all()
        case "category" | "bought_category":
            return "category", OrderLine.objects.all()
        case "event":
            return "name", EventName.objects.filter(kind=EventKind.TRACK, name__gt="")
    field = FIELDS.get(name)
    if field is None or field.kind != Kind.TEXT:
        return name, None
    customers: QuerySet[Any] = Customer.objects.for_purpose("profile.build")
    if field.source == Source.CUSTOM:
        return "text", CustomTraitValue.objects.all()
    return f"traits__{name}" if field.source == Source.TRAIT else name, customers
