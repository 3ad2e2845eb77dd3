"""Comparing engines on a split: an equal budget of trials on validation, then the test once."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from recommendations.engines.base import BLOCK_BYTES, no_tick
from recommendations.engines.blend import Blend, BlendModel
from recommendations.engines.content import vectors_of
from recommendations.engines.memory import BUDGET_BYTES, TooLargeError, require
from recommendations.evaluation import metrics
from recommendations.evaluation.climbing import Climb, Place
from recommendations.evaluation.contenders import (
    BLEND,
    CONTENDERS,
    HALF_LIFE,
    WEIGHTS,
    budgeted,
    dated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import scipy.sparse as sp

    from recommendations.engines.base import Engine, Integers, Items, Model, Ranked
    from recommendations.evaluation.contenders import Contender
    from recommendations.evaluation.metrics import Doubles, Estimate
    from recommendations.evaluation.splits import Split, Wanted

JUDGES = 20_000  # people of the validation part that a trial is judged by, at most
JUDGES_OF_BLENDS = 2_000


@dataclass(frozen=True)
class Task:
    """What is compared on: parameters come from `validation`, figures from `test` alone.

    Of several validation splits the mean counts: one random split of few data is noisy.
    """

    validation: tuple[Split, ...]
    test: Split
    items: Items
    has_times: bool
    has_order: bool
    cutoffs: tuple[int, ...] = (10, 20)
    budget: int = 24
    min_people: int = 1
    memory_bytes: int = BUDGET_BYTES


@dataclass(frozen=True)
class Result:
    """One engine's row: the engine as tuned, its metrics with intervals, and what it took.

    `per_person` holds each metric of each person of the test, for paired differences, and
    `ranked` the list each was given;
    `validation` is the mean nDCG by which parameters were chosen; `cpu_seconds` are of one fit and ranking, `tuning_cpu_seconds` of the trials.
    """

    name: str
    engine: Engine
    metrics: dict[str, Estimate]
    cpu_seconds: float
    tuning_cpu_seconds: float
    n_trials: int
    validation: float
    peak_rss_mb: float
    per_person: dict[str, Doubles] = field(repr=False)
    ranked: Integers = field(repr=False)


@dataclass(frozen=True)
class _Tuned:
    """An engine with the parameters that were best, and how good they were on validation."""

    engine: Engine
    score: float
    n_trials: int


@dataclass(frozen=True)
class Skipped:
    """An engine that could not be compared, and why."""

    name: str
    reason: str


def compare(
    task: Task, names: tuple[str, ...], tick: Callable[[], None] = no_tick
) -> Iterator[Result | Skipped]:
    """Yield a row an engine in the given order; the blend mixes all others that were asked for."""
    tuned: list[_Tuned] = []
    for name in names:
        began = time.process_time()
        if name != BLEND and (reason := _unfit(CONTENDERS[name], task)):
            yield Skipped(name, reason)
            continue
        try:
            found = (
                _blended(task, tuned, tick)
                if name == BLEND
                else _tuned(task, CONTENDERS[name], tick)
            )
            row = _judged(task, name, found, time.process_time() - began, tick)
        except TooLargeError as error:
            yield Skipped(name, str(error))
            continue
        tuned.append(found)
        yield row


def difference(ours: Result, other: Result, metric: str) -> Estimate:
    """Return by how much we are above the other in a metric, person by person."""
    return metrics.estimate(ours.per_person[metric] - other.per_person[metric])


def as_is(task: Task, engine: Engine, tick: Callable[[], None]) -> Result:
    """Judge an engine on the test part with the parameters it has."""
    return _judged(task, engine.name, _Tuned(engine, 0.0, 0), 0.0, tick)


def _unfit(contender: Contender, task: Task) -> str:
    if contender.needs_time and not task.has_times:
        return "the data have no times"
    if contender.needs_order and not task.has_order:
        return "the data have no order"
    if contender.needs_texts and not any(task.items.texts):
        return "the data have no texts"
    return ""


def _tuned(task: Task, contender: Contender, tick: Callable[[], None]) -> _Tuned:
    """Return the engine with the parameters that are best on validation."""
    axes = (contender.timed if task.has_times else ()) + contender.axes
    start = _within(contender.start, task)
    validation = [_fewer(split, JUDGES) for split in task.validation]

    def score(engine: Engine) -> float:
        def of_split(split: Split) -> float:
            model = dated(engine, split.at).fit(split.train, task.items, tick)
            return _mean_ndcg(model, split.test, task.cutoffs[-1])

        return fmean(of_split(split) for split in validation)

    climb = Climb(score, task.budget)
    best = climb.run(start, axes)
    return _Tuned(best, climb.tried.get(best) or score(best), climb.n_trials)


def _within(start: Engine, task: Task) -> Engine:
    changed: Any = budgeted(start, task.memory_bytes)
    if hasattr(start, "min_people"):
        changed = replace(changed, min_people=task.min_people)
    if hasattr(start, HALF_LIFE.name):
        changed = replace(changed, half_life_days=0)
    return changed  # type: ignore[no-any-return]


def _blended(task: Task, tuned: list[_Tuned], tick: Callable[[], None]) -> _Tuned:
    """Return the blend of all tuned engines; it begins as the best of them alone.

    The parts are fitted once; a trial only adds up their scores with other weights.
    """
    if not tuned:
        raise ValueError("a blend needs other engines to mix: name some before it")
    engines = [one.engine for one in tuned]
    for split in task.validation:
        whole = Blend(tuple((one, 1.0) for one in engines), budget_bytes=task.memory_bytes)
        require(whole, split.train)
    fitted = [
        _Fitted.on(_fewer(split, JUDGES_OF_BLENDS), engines, task, tick)
        for split in task.validation
    ]

    def score(weights: tuple[float, ...]) -> float:
        tick()
        return fmean(one.score(weights) for one in fitted)

    best_alone = max(range(len(tuned)), key=lambda at: tuned[at].score)
    start = tuple(float(at == best_alone) for at in range(len(engines)))
    climb = Climb(score, task.budget, patience=2)
    best = climb.run(start, [Place(at, WEIGHTS) for at in range(len(engines))])
    blend = Blend(tuple(zip(engines, best, strict=True)), budget_bytes=task.memory_bytes)
    return _Tuned(blend, climb.tried.get(best, 0.0), climb.n_trials)


@dataclass(frozen=True)
class _Fitted:
    """Engines fitted once on a validation split, so that a trial only adds up their scores."""

    split: Split
    models: list[Model]
    owned: sp.csr_array
    items: Items
    k: int

    @classmethod
    def on(
        cls, split: Split, engines: list[Engine], task: Task, tick: Callable[[], None]
    ) -> _Fitted:
        models = [dated(one, split.at).fit(split.train, task.items, tick) for one in engines]
        owned = split.train.of_people().matrix()[: split.train.n_people]
        return cls(split, models, owned, task.items, task.cutoffs[-1])

    def score(self, weights: tuple[float, ...]) -> float:
        parts = tuple(one for one in zip(self.models, weights, strict=True) if one[1])
        model = BlendModel(self.owned, self.items, BLOCK_BYTES, parts)
        return _mean_ndcg(model, self.split.test, self.k)


def _judged(
    task: Task, name: str, found: _Tuned, tuning_seconds: float, tick: Callable[[], None]
) -> Result:
    engine = found.engine
    _forget_peak()
    began = time.process_time()
    split, k = task.test, task.cutoffs[-1]
    model = dated(engine, split.at).fit(split.train, task.items, tick)
    ranked = model.recommend(split.warm, k).ids
    took = time.process_time() - began
    peak = _peak_rss_mb()
    columns = _columns(task, split.test, ranked)
    labels = list(columns)
    figures = dict(
        zip(labels, metrics.estimates(np.stack(list(columns.values()), axis=1)), strict=True)
    )
    for cutoff in task.cutoffs:
        for label, value in (
            ("coverage", metrics.coverage(ranked, cutoff, len(task.items.ids))),
            ("gini", metrics.gini(ranked, cutoff, len(task.items.ids))),
        ):
            figures[f"{label}@{cutoff}"] = metrics.Estimate(value, value, value)
    figures |= _apart(task, model)
    return Result(
        name=name,
        engine=engine,
        metrics=figures,
        cpu_seconds=took,
        tuning_cpu_seconds=tuning_seconds,
        n_trials=found.n_trials,
        validation=found.score,
        peak_rss_mb=peak,
        per_person=columns,
        ranked=ranked,
    )


def _columns(task: Task, wanted: Wanted, ranked: Integers) -> dict[str, Doubles]:
    """Return each metric's values, one a person."""
    found = metrics.hits(ranked, wanted.items)
    n_wanted = np.array([len(row) for row in wanted.items])
    train = task.test.train.of_people()
    taken = np.asarray(train.matrix().sum(axis=0), dtype=np.float64)
    popularity = taken / max(len(np.unique(train.users)), 1)
    vectors = vectors_of(task.items.texts) if any(task.items.texts) else None
    columns: dict[str, Doubles] = {}
    for k in task.cutoffs:
        columns |= {
            f"ndcg@{k}": metrics.ndcg(found, n_wanted, k),
            f"recall@{k}": metrics.recall(found, n_wanted, k),
            f"precision@{k}": metrics.precision(found, k),
            f"map@{k}": metrics.average_precision(found, n_wanted, k),
            f"mrr@{k}": metrics.reciprocal_rank(found, k),
            f"hit_rate@{k}": metrics.hit_rate(found, k),
            f"novelty@{k}": metrics.novelty(ranked, popularity, k),
            f"popularity_bias@{k}": metrics.popularity_bias(ranked, popularity, k),
        }
        if vectors is not None:
            columns[f"diversity@{k}"] = metrics.diversity(ranked, vectors, k)
    return columns


def _apart(task: Task, model: Model) -> dict[str, Estimate]:
    """Return recall of what the main figures leave out: repeats, newcomers, cold items."""
    split, k = task.test, task.cutoffs[-1]
    found: dict[str, Estimate] = {}
    again: Any = model
    repeatable = replace(task.items, repeatable=np.ones(len(task.items.ids), dtype=np.bool_))
    asked: tuple[tuple[str, Wanted, Any], ...] = (
        ("repeats", split.repeats, replace(again, items=repeatable)),
        ("newcomers", split.newcomers, model),
        ("cold_items", split.cold_items, model),
    )
    for label, wanted, ranking in asked:
        if not len(wanted.people):
            continue
        ranked: Ranked = ranking.recommend(wanted.people, k)
        n_wanted = np.array([len(row) for row in wanted.items])
        values = metrics.recall(metrics.hits(ranked.ids, wanted.items), n_wanted, k)
        found[f"recall_{label}@{k}"] = metrics.estimate(values)
    return found


def _mean_ndcg(model: Model, wanted: Wanted, k: int) -> float:
    ranked = model.recommend(wanted.people, k).ids
    n_wanted = np.array([len(row) for row in wanted.items])
    return float(metrics.ndcg(metrics.hits(ranked, wanted.items), n_wanted, k).mean())


def _fewer(split: Split, most: int) -> Split:
    """Return the split with at most so many people to judge by, drawn with a fixed seed."""
    if len(split.warm) <= most:
        return split
    drawn = np.sort(
        np.random.default_rng(metrics.SEED).choice(len(split.warm), most, replace=False)
    )
    people, items = split.test
    return replace(
        split, test=type(split.test)(people[drawn], tuple(items[number] for number in drawn))
    )


def _forget_peak() -> None:
    """Let the kernel count this process's peak memory anew, where it can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_rss_mb() -> float:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
