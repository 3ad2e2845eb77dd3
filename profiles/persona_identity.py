"""Personas from run to run: which one is which of before, who moved, how far all have shifted.

A persona keeps its key while it stays the same: half of the agreement is who is in it, half
what it means, which is who would be in it by the model of the run before. What agrees with
none of before has a key of its own, and no key is ever given again.

Imports scikit-learn, so only the build imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from profiles.clustering import choosing, matching
from profiles.clustering.drift import stability_index
from profiles.clustering.fitting import Labels
from profiles.clustering.model import Model
from profiles.clustering.scaling import Column
from profiles.features.facts import SMALL_CELL
from profiles.models import ClusteringRun, CustomerTraits, Persona

WATCHED_OVER = timedelta(days=28)
Columns = Callable[[Sequence[str]], list[Column]]


@dataclass(frozen=True)
class Identity:
    """The key of each persona by its number, and what the runs say when compared."""

    keys: tuple[int, ...]
    next_key: int
    compared: dict[str, Any] = field(default_factory=dict)


def identify(
    customer_ids: Sequence[int], labels: Labels, columns: Columns, before: ClusteringRun | None
) -> Identity:
    """Give the personas numbered from 1 on the keys of those of the run before they are.

    `columns` gives the named columns of these customers, in their order. Call it before the
    members change.
    """
    n = int(labels.max())
    if before is None:
        return Identity(tuple(range(1, n + 1)), n + 1)
    olds = _keys_of(before)
    was = _members(customer_ids, before)
    found = matching.match(_agreement(labels, was, olds, columns, before))
    keys, next_key = [], before.next_key
    for place in range(n):
        if place in found:
            keys.append(olds[found[place]])
        else:
            keys.append(next_key)
            next_key += 1
    now = np.array(keys, dtype=np.intp)[labels - 1]
    return Identity(tuple(keys), next_key, _compared(was, now, olds, keys, before))


def _keys_of(run: ClusteringRun) -> list[int]:
    keys = run.personas.filter(key__isnull=False).order_by("key").values_list("key", flat=True)
    return [key for key in keys if key is not None]


def _members(customer_ids: Sequence[int], run: ClusteringRun) -> Labels:
    """The key each customer had in the run; 0 for whoever was in none."""
    kept = CustomerTraits.objects.filter(persona__run=run, persona__key__isnull=False)
    keys = dict(kept.values_list("customer_id", "persona__key"))
    return np.array([keys.get(one, 0) for one in customer_ids], dtype=np.intp)


def _agreement(
    labels: Labels,
    was: Labels,
    olds: Sequence[int],
    columns: Columns,
    before: ClusteringRun,
) -> Any:
    news = range(1, int(labels.max()) + 1)
    both = was > 0
    parts = []
    if both.sum() >= min(choosing.ENOUGH, len(labels)):
        parts.append(matching.overlap(was[both], labels[both], olds, news))
    if before.model:
        model = Model.from_json(before.model)
        parts.append(matching.overlap(model.assign(columns(model.columns)), labels, olds, news))
    if not parts:
        return np.zeros((0, 0))
    return sum(parts) / len(parts)


def _compared(
    was: Labels, now: Labels, olds: Sequence[int], news: Sequence[int], before: ClusteringRun
) -> dict[str, Any]:
    """How the run stands to the one before; of moves only those of ten customers or more."""
    both = was > 0
    pairs, counts = np.unique(np.column_stack([was[both], now[both]]), axis=0, return_counts=True)
    moves = [
        [int(old), int(new), int(n)]
        for (old, new), n in zip(pairs, counts, strict=True)
        if old != new
    ]
    return {
        "run": before.pk,
        "as_of": before.as_of.isoformat(),
        "n_common": int(both.sum()),
        "n_moved": sum(n for _old, _new, n in moves),
        "ari": float(adjusted_rand_score(was[both], now[both])) if both.any() else None,
        "appeared": sorted(set(news) - set(olds)),
        "ended": sorted(set(olds) - set(news)),
        "moves": [move for move in moves if move[2] >= SMALL_CELL],
    }


def watch(columns: Columns, as_of: datetime) -> dict[str, Any]:
    """Return how far customers have shifted among the personas of a run weeks ago.

    The run is the newest one of at least 28 days before, else the oldest there is: its model
    says in which of its personas each customer of today belongs. Empty without such a run.
    """
    kept = ClusteringRun.objects.exclude(model={}).filter(as_of__lt=as_of).order_by("as_of", "pk")
    reference = kept.filter(as_of__lte=as_of - WATCHED_OVER).last() or kept.first()
    if reference is None:
        return {}
    model = Model.from_json(reference.model)
    assigned = model.assign(columns(model.columns))
    keys, counts = np.unique(assigned, return_counts=True)
    now = {int(key): int(n) / len(assigned) for key, n in zip(keys, counts, strict=True)}
    then = _shares_of(reference)
    return {
        "run": reference.pk,
        "as_of": reference.as_of.isoformat(),
        "index": stability_index(then, now),
        "shares": [[key, then[key], now.get(key, 0.0)] for key in sorted(then)],
    }


def _shares_of(run: ClusteringRun) -> Mapping[int, float]:
    shares = Persona.objects.filter(run=run, key__isnull=False).values_list("key", "share")
    return {key: share for key, share in shares if key is not None}
