"""The runs that made personas: how good each is, what changed since, how far customers shifted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from privacy.problems import DomainError
from profiles import figures, personas, segment_rules
from profiles.clustering import drift
from profiles.models import ClusteringRun, Persona, Segment
from profiles.segments.rules import conditions_of
from profiles.segments.vocabulary import Source

SHOWN = 30
ACROSS = 8  # runs beside each other in the table of sizes
MIN_STABILITY = 0.75  # as in `clustering.choosing`, which web processes do not load


@dataclass(frozen=True)
class Bar:
    """A figure of one number of clusters; `mark` is what it must reach."""

    label: str
    value: float
    text: str
    mark: float | None = None


@dataclass(frozen=True)
class Size:
    """One persona over the runs, oldest first; None where it was not there."""

    key: int
    title: str
    shares: tuple[float | None, ...]

    @property
    def values(self) -> list[float]:
        return [share or 0.0 for share in self.shares]


@dataclass(frozen=True)
class Shift:
    """A persona's share of customers at the run looked back to, and of the same customers now."""

    title: str
    then: float
    now: float

    @property
    def points(self) -> float:
        return self.now - self.then


@dataclass(frozen=True)
class Drift:
    """How far customers have shifted among the personas of an earlier run."""

    since: datetime
    index: float
    shifts: tuple[Shift, ...]

    @property
    def has_moved(self) -> bool:
        return self.index >= drift.MOVED

    @property
    def is_stable(self) -> bool:
        return self.index < drift.STABLE


def newest() -> list[ClusteringRun]:
    return list(ClusteringRun.objects.order_by("-created_at", "-pk")[:SHOWN])


def drift_of(run: ClusteringRun, language: str) -> Drift | None:
    """Return what the run found when it looked back; None if there was no run to look at."""
    if not run.drift:
        return None
    titles = titles_of([row[0] for row in run.drift["shares"]], language)
    return Drift(
        datetime.fromisoformat(run.drift["as_of"]),
        run.drift["index"],
        tuple(Shift(titles[key], then, now) for key, then, now in run.drift["shares"]),
    )


def warning(run: ClusteringRun | None) -> str:
    """Return what to say where customers have shifted beyond the bound; else nothing."""
    if run is None or not run.drift or run.drift["index"] < drift.MOVED:
        return ""
    return _(
        "Customers have shifted among the personas since %(day)s (stability index %(index)s, a"
        " shift from %(bound)s on): look whether campaigns still reach whom they mean."
    ) % {
        "day": figures.day(
            datetime.fromisoformat(run.drift["as_of"]).date(), get_language() or "en"
        ),
        "index": figures.number(round(run.drift["index"], 2), get_language() or "en"),
        "bound": figures.number(drift.MOVED, get_language() or "en"),
    }


def titles_of(keys: Iterable[int], language: str) -> dict[int, str]:
    """Return the name of each persona as its newest run has it, in one query."""
    wanted = set(keys)
    last = (
        Persona.objects.filter(key__in=wanted).order_by().values("key").annotate(newest=Max("pk"))
    )
    rows = Persona.objects.filter(pk__in=last.values("newest"))
    with personas.speaking(language):
        named = {row.key: f"{row.key}. {personas.title(row, language)}" for row in rows if row.key}
    return {key: named.get(key, str(key)) for key in wanted}


def sizes(runs: Sequence[ClusteringRun], language: str) -> tuple[list[ClusteringRun], list[Size]]:
    """Return the last few runs, oldest first, and each persona's share of customers in them."""
    shown = list(reversed(runs[:ACROSS]))
    rows = Persona.objects.filter(run__in=shown, key__isnull=False)
    shares = {(row.key, row.run_id): row.share for row in rows if row.key}
    keys = sorted({key for key, _run in shares})
    titles = titles_of(keys, language)
    return shown, [
        Size(key, titles[key], tuple(shares.get((key, run.pk)) for run in shown)) for key in keys
    ]


def trend(persona: Persona) -> list[tuple[datetime, int, float]]:
    """Return when the persona was how large, and its share, in the last runs, oldest first."""
    rows = Persona.objects.filter(pk=persona.pk)
    if persona.key is not None:
        rows = Persona.objects.filter(key=persona.key)
    found = rows.order_by("-run__created_at", "-run")[:SHOWN]
    return list(reversed(found.values_list("run__as_of", "n_customers", "share")))


def moves(run: ClusteringRun, language: str) -> list[tuple[str, str, int]]:
    """Return from which persona to which customers went since the run before, most first."""
    rows: list[list[int]] = run.compared.get("moves", [])
    titles = titles_of({key for old, new, _n in rows for key in (old, new)}, language)
    ranked = sorted(rows, key=lambda row: (-row[2], row[:2]))
    return [(titles[old], titles[new], n) for old, new, n in ranked]


def evidence(run: ClusteringRun) -> list[Mapping[str, Any]]:
    """Return what spoke for each number of clusters, with the one that was chosen."""
    weighed: list[dict[str, Any]] = run.evidence.get("weighed", [])
    return [one | {"is_chosen": one["n_clusters"] == run.n_clusters} for one in weighed]


def bars(run: ClusteringRun, name: str, *, mark: float | None = None) -> list[Bar]:
    """Return one figure of the evidence for a chart, by the number of clusters."""
    return [
        Bar(str(one["n_clusters"]), max(one[name], 0.0), f"{one[name]:.2f}", mark)
        for one in evidence(run)
    ]


def orphaned(run: ClusteringRun) -> list[Segment]:
    """Return the segments whose rule names a persona that there is no more."""
    there = set(run.personas.values_list("key", flat=True))
    return [
        segment
        for segment in Segment.objects.order_by("name")
        if (named := _personas_named(segment)) and not named <= there
    ]


def _personas_named(segment: Segment) -> set[int]:
    try:
        rule = segment_rules.parsed(segment.rule)
    except DomainError:
        return set()
    named: set[int] = set()
    for condition in conditions_of(rule):
        if condition.field.source == Source.PERSONA and condition.value is not None:
            values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
            named |= {int(value) for value in values}
    return named
