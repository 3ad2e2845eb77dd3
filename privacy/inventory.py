"""What is held about persons: values by data class, rows by table, and how long each is kept.

Nothing is opened and nobody is named: values are counted where they stand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connections, router
from django.db.models import CharField, Count, Model, Q, TextField

from privacy import registry, retention
from privacy.fields import ClearClass, sealed_fields
from privacy.models import UseRule
from privacy.purpose_registry import REGISTRY, Known, Purpose
from privacy.registry import Action, Holding, Schedule

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# A table this large is not counted row by row where the database keeps an estimate.
ESTIMATED_FROM = 1_000_000
ATTRIBUTES = frozenset(ClearClass) - {ClearClass.TECHNICAL, ClearClass.NOTE}
SIZES = """
SELECT COALESCE(whole.relname, part.relname), SUM(GREATEST(part.reltuples, 0))::bigint
FROM pg_class part
LEFT JOIN pg_inherits ON pg_inherits.inhrelid = part.oid
LEFT JOIN pg_class whole ON whole.oid = pg_inherits.inhparent
WHERE part.relkind = 'r' AND part.relnamespace = current_schema()::regnamespace
GROUP BY 1
"""


@dataclass(frozen=True)
class Kept:
    """How long rows are kept: by a schedule and its days in force, or as `until` says."""

    schedule: Schedule | None = None
    days: int | None = None
    until: StrOrPromise = ""


@dataclass(frozen=True)
class Rows:
    """A table that reaches persons; of a very large one the number is the database's estimate."""

    holding: Holding
    n: int
    is_exact: bool
    kept: Kept


@dataclass(frozen=True)
class Values:
    """The values of one data class, over all tables that have a column of it."""

    data_class: str
    is_sealed: bool
    n: int
    tables: tuple[type[Model], ...]
    purposes: tuple[Purpose, ...]
    kept: tuple[Kept, ...]


def by_table(now: datetime) -> list[Rows]:
    """Every table declared to hold something about persons, the largest first."""
    held = _about_persons()
    sizes, kept = _sizes(), _kept(held, now)
    rows = []
    for holding in held:
        estimate = sizes.get(holding.model._meta.db_table, 0)
        is_exact = estimate < ESTIMATED_FROM
        n = holding.model._base_manager.count() if is_exact else estimate
        rows.append(Rows(holding, n, is_exact, kept[holding.model]))
    return sorted(rows, key=lambda one: (-one.n, one.holding.label))


def by_class(now: datetime) -> list[Values]:
    """Every data class of a column, sealed ones first, with how many values there are."""
    held = _about_persons()
    kept = _kept(held, now)
    counts: dict[str, int] = defaultdict(int)
    tables: dict[str, list[type[Model]]] = defaultdict(list)
    for holding in held:
        columns = dict(_columns(holding.model))
        for name, n in _count(holding.model, columns).items():
            data_class = columns[name]
            counts[data_class] += n
            if holding.model not in tables[data_class]:
                tables[data_class].append(holding.model)
    sealed = UseRule.DataClass.sealed()
    return [
        Values(
            data_class=name,
            is_sealed=name in sealed,
            n=counts[name],
            tables=tuple(tables[name]),
            purposes=tuple(_purposes(name)),
            kept=tuple(dict.fromkeys(kept[model] for model in tables[name])),
        )
        for name in (*sealed, *(one.value for one in ClearClass))
        if name in counts
    ]


def _about_persons() -> list[Holding]:
    return [one for one in registry.holdings() if one.action is not Action.NOBODY]


def _columns(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Name and data class of each column that tells something of a person."""
    for field in sealed_fields(model):
        yield field.name, field.data_class
    classes: Mapping[str, ClearClass] = getattr(model, "clear_classes", {})
    for name, data_class in classes.items():
        if data_class is not ClearClass.TECHNICAL:
            yield name, data_class.value


def _count(model: type[Model], names: Iterable[str]) -> dict[str, int]:
    """How many rows say something in each column: one question a table."""
    counts = {}
    for name in names:
        is_text = isinstance(model._meta.get_field(name), CharField | TextField)
        counts[f"n_{name}"] = Count(name, filter=~Q(**{name: ""}) if is_text else None)
    found = model._base_manager.aggregate(**counts) if counts else {}
    return {name.removeprefix("n_"): n for name, n in found.items()}


def _purposes(data_class: str) -> Iterator[Purpose]:
    """The purposes that may open values of the class, or use what stands in clear."""
    for purpose in REGISTRY.values():
        uses_attribute = data_class in ATTRIBUTES and Known.ATTRIBUTES in purpose.known
        if data_class in purpose.data_classes or uses_attribute:
            yield purpose


def _kept(held: Iterable[Holding], now: datetime) -> dict[type[Model], Kept]:
    """How long the rows of each table are kept; without a schedule, as long as the person's."""
    scheduled = {
        model: Kept(schedule, days)
        for schedule, days in retention.periods()
        for model in schedule.models(now)
    }
    anchor = next((one.model for one in registry.holdings() if one.is_anchor), None)
    with_person = scheduled.get(anchor, Kept()) if anchor else Kept()
    return {
        one.model: scheduled.get(one.model)
        or (
            Kept(until=one.until or one.reason)
            if one.until or one.action is Action.KEEP
            else with_person
        )
        for one in held
    }


def _sizes() -> dict[str, int]:
    """What PostgreSQL believes each table to hold, partitions added up; elsewhere nothing."""
    connection = connections[router.db_for_read(UseRule)]
    if connection.vendor != "postgresql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(SIZES)
        return dict(cursor.fetchall())
