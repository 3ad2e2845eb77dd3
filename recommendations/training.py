"""Training: tune, judge on the last window, write lists, and activate only what is better."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings

from jobs.work import ObstacleError
from recommendations import activation, evenness, fairness, interactions, lists
from recommendations.code_version import code_version
from recommendations.engines.base import NOTHING, Items
from recommendations.engines.blend import BlendModel
from recommendations.engines.item_based import ItemBased
from recommendations.engines.memory import BUDGET_BYTES, Size, TooLargeError
from recommendations.engines.popular import ALL_TIME_DAYS, Popular
from recommendations.evaluation import comparing, splits
from recommendations.evaluation.contenders import (
    NAMES,
    budgeted,
    dated,
    engine_of,
    regression_for,
    spec_of,
)
from recommendations.explaining import Reason
from recommendations.lists import Entry, OfCustomer
from recommendations.models import CustomerListing, ProductListing, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobs.work import Work
    from recommendations.engines.base import Contribution, Engine, Floats, Integers, Model, Ranked
    from recommendations.evaluation.splits import Split
    from recommendations.interactions import Reading

N_FOR_CUSTOMER = 20
N_SIMILAR = 50
N_POPULAR = 200
N_EVIDENT = 10  # places whose evidence is kept
N_BASES = 3
BATCH = 500
RUNS_KEPT = 3
NEEDED = frozenset({"popular_28", "item_based"})
TRIALS = 6
MIN_PEOPLE = 3
NDCG, RECALL = "ndcg@10", "recall@20"


@dataclass(frozen=True)
class Judgement:
    """What the last window says of the best engine, as stored on a run.

    `near` is item-based filtering as tuned: it says which products are bought together.
    `ours` is what the engine showed to whom on the split `test`.
    """

    engine: Engine
    near: ItemBased
    verdict: TrainingRun.Verdict
    metrics: dict[str, Any]
    baseline_metrics: dict[str, Any]
    comparison: dict[str, Any]
    test: Split | None = None
    ours: comparing.Result | None = None


def train(work: Work) -> dict[str, Any]:
    """Train as of the payload's moment; returns the run, its verdict, whether it serves.

    Steps, each committed with the job's cursor: judge and store the run; write the lists in
    batches; switch. A killed training goes on with the same run, or starts anew if the
    orders changed meanwhile; the active run serves until the switch, and on if the fairness
    rules speak against the new one.
    """
    started = time.process_time()
    as_of = datetime.fromisoformat(work.payload["as_of"])
    work.progress(0, 0, "reading orders")
    reading = interactions.read(as_of)
    if work.cursor.get("data") != reading.fingerprint:
        judgement = _judged(reading, work)
        told = _by_group(reading, judgement, now=work.now)
        with work.step() as cursor:
            TrainingRun.objects.filter(pk=cursor.get("run", 0)).delete()
            cursor.clear()
            cursor["run"] = _store(reading, judgement, told, as_of=as_of, now=work.now).pk
            cursor["data"] = reading.fingerprint
    run = TrainingRun.objects.get(pk=work.cursor["run"])
    beats = run.verdict == TrainingRun.Verdict.BEATS_POPULAR
    if beats:
        _write_lists(run, reading, work)
    if "popular" not in work.cursor:
        with work.step() as cursor:
            cursor["popular"] = True
            _write_popular(run, reading)
    with work.step():
        run.finished_at = work.now
        run.cpu_seconds += time.process_time() - started
        run.peak_rss_mb = max(run.peak_rss_mb, _peak_rss_mb())
        run.save(update_fields=["finished_at", "cpu_seconds", "peak_rss_mb"])
        held_back = list(map(str, evenness.beyond(run)))
        if beats and not held_back:
            activation.activate(run, now=work.now)
        elif not beats:
            activation.let_popularity_serve(now=work.now)
        prune()
    return {
        "run": run.pk,
        "verdict": run.verdict,
        "is_active": run.is_active,
        "held_back": held_back,
    }


def _judged(reading: Reading, work: Work) -> Judgement:
    memory_bytes = settings.RECOMMENDATIONS_MEMORY_MB * 2**20
    try:
        return judge(reading, work.renew, TrainingRun.objects.active(), memory_bytes)
    except TooLargeError as error:
        raise ObstacleError(f"{error} (RECOMMENDATIONS_MEMORY_MB)") from error


def judge(
    reading: Reading,
    tick: Callable[[], None],
    active: TrainingRun | None = None,
    memory_bytes: int = BUDGET_BYTES,
) -> Judgement:
    """Tune on the window before the last one, then compare with popularity on the last.

    Of the engines the one that is best on validation is taken, as a rule the blend. It is
    called better if the 95 % interval of the paired difference in nDCG@10 lies above 0.
    Parameters are chosen on customers' new products; the test window is seen once. If the
    settings of the active run are shown to be better there, they are kept.
    """
    try:
        task = task_of(reading, memory_bytes)
    except splits.TooLittleDataError as error:
        start = ItemBased(as_of=reading.end)
        verdict = TrainingRun.Verdict.TOO_LITTLE_DATA
        return Judgement(start, start, verdict, {}, {}, {"reason": str(error)})
    rows = _compared(task, engines_for(reading, memory_bytes), tick)
    base = rows["popular_28"]
    best = max(rows.values(), key=lambda row: row.validation)
    ours, beside = not_worse(task, best, active, tick)
    difference = comparing.difference(ours, base, NDCG)
    better = difference.low > 0
    return Judgement(
        engine=dated(ours.engine, reading.end),
        near=replace(_item_based(rows), as_of=reading.end),
        verdict=TrainingRun.Verdict.BEATS_POPULAR if better else TrainingRun.Verdict.NOT_BETTER,
        metrics=_told(ours),
        baseline_metrics=_told(base),
        comparison={
            NDCG: difference._asdict(),
            RECALL: comparing.difference(ours, base, RECALL)._asdict(),
            "item_based": comparing.difference(ours, rows["item_based"], NDCG)._asdict(),
            "n_trials": sum(row.n_trials for row in rows.values()),
            "engines": {
                name: {
                    NDCG: row.metrics[NDCG]._asdict(),
                    "cpu_seconds": row.cpu_seconds + row.tuning_cpu_seconds,
                }
                for name, row in rows.items()
            },
            **beside,
            **_described_split(task.test),
        },
        test=task.test,
        ours=ours,
    )


def _compared(
    task: comparing.Task, names: tuple[str, ...], tick: Callable[[], None]
) -> dict[str, comparing.Result]:
    """Compare what fits the memory; without popularity and item-based there is no judgement."""
    rows = {}
    for row in comparing.compare(task, names, tick):
        if isinstance(row, comparing.Result):
            rows[row.name] = row
        elif row.name in NEEDED:
            raise TooLargeError(row.reason)
    return rows


def engines_for(reading: Reading, memory_bytes: int) -> tuple[str, ...]:
    """Return what a training compares; the blend mixes those before it."""
    regression = regression_for(Size.of(reading.interactions), memory_bytes)
    return ("popular_28", "item_based", regression, "content", "blend")


def task_of(reading: Reading, memory_bytes: int = BUDGET_BYTES) -> comparing.Task:
    """What a training is judged on; raises TooLittleDataError if the orders span too little."""
    validation, test = splits.last_windows(reading.interactions, end=reading.end)
    return comparing.Task(
        validation=(validation,),
        test=test,
        items=Items.plain(reading.items.ids, reading.items.texts),
        has_times=True,
        has_order=True,
        budget=TRIALS,
        min_people=MIN_PEOPLE,
        memory_bytes=memory_bytes,
    )


def not_worse(
    task: comparing.Task,
    best: comparing.Result,
    active: TrainingRun | None,
    tick: Callable[[], None],
) -> tuple[comparing.Result, dict[str, Any]]:
    """Return the new best, or the active run's settings if the new ones are shown to be worse.

    Both are fitted on the same purchases. Worse is a 95 % interval of the paired difference
    in nDCG@10 that lies below 0. Settings of an engine that is no more are not compared.
    """
    if active is None or active.parameters.get("engine") not in NAMES:
        return best, {}
    kept = comparing.as_is(task, engine_of(active.parameters), tick)
    difference = comparing.difference(best, kept, NDCG)
    is_worse = difference.high < 0
    told = {"run": active.pk, NDCG: difference._asdict(), "is_kept": is_worse}
    return kept if is_worse else best, {"active": told}


def prune() -> None:
    """Delete the lists of all but the newest runs and the active one; cards are kept."""
    newest = TrainingRun.objects.newest_first().values_list("pk", flat=True)[:RUNS_KEPT]
    for listing in (CustomerListing, ProductListing):
        stale = listing.objects.exclude(run__in=list(newest)).exclude(run__is_active=True)
        stale.delete()


def _item_based(rows: dict[str, comparing.Result]) -> ItemBased:
    engine = rows["item_based"].engine
    if not isinstance(engine, ItemBased):
        raise TypeError(f"item_based is a {type(engine).__name__}")
    return engine


def _told(row: comparing.Result) -> dict[str, Any]:
    return {name: found._asdict() for name, found in row.metrics.items()}


def _described_split(test: Split) -> dict[str, Any]:
    return {
        "test_from": datetime.fromtimestamp(test.at, tz=UTC).isoformat(),
        "n_warm_customers": len(test.warm),
        "n_wanted": sum(len(wanted) for wanted in test.wanted),
        "n_on_cold_products": test.n_cold_items,
        "n_repeat_purchases": test.n_repeats,
    }


def _by_group(reading: Reading, judgement: Judgement, *, now: datetime) -> dict[str, Any]:
    if judgement.test is None or judgement.ours is None:
        return {}
    return fairness.of_lists(reading, judgement.test, judgement.ours, now=now)


def _store(
    reading: Reading,
    judgement: Judgement,
    by_group: dict[str, Any],
    *,
    as_of: datetime,
    now: datetime,
) -> TrainingRun:
    data = reading.interactions
    return TrainingRun.objects.create(
        engine=judgement.engine.name,
        as_of=as_of,
        learned_from=datetime.fromtimestamp(int(data.at.min()), tz=UTC) if len(data) else None,
        code_version=code_version(),
        parameters={**spec_of(judgement.engine), "near": spec_of(judgement.near)},
        metrics=judgement.metrics,
        baseline_metrics=judgement.baseline_metrics,
        comparison=judgement.comparison,
        fairness=by_group,
        verdict=judgement.verdict,
        n_customers=data.n_people,
        n_guest_baskets=data.n_rows - data.n_people,
        n_products=data.n_items,
        n_interactions=len(data),
        cpu_seconds=0,
        peak_rss_mb=_peak_rss_mb(),
        created_at=now,
    )


def _write_lists(run: TrainingRun, reading: Reading, work: Work) -> None:
    """Write every customer's and every product's list; goes on after the last batch kept."""
    data, items = reading.interactions, reading.items
    memory_bytes = settings.RECOMMENDATIONS_MEMORY_MB * 2**20
    model = budgeted(engine_of(run.parameters), memory_bytes).fit(data, items, work.renew)
    near = budgeted(engine_of(run.parameters["near"]), memory_bytes).fit(data, items, work.renew)
    keys = lists.keys_of(items.ids)
    n_people, n_items = len(reading.customers), len(reading.items.ids)
    total = n_people + n_items
    for start in range(work.cursor.get("customers", 0), n_people, BATCH):
        rows = range(start, min(start + BATCH, n_people))
        ranked = list(_customer_lists(reading, model, rows))  # no transaction waits for this
        with work.step() as cursor:
            cursor["customers"] = rows.stop
            lists.write_customers(run, ranked, keys)
        work.progress(rows.stop, total, "writing customers' lists")
    for start in range(work.cursor.get("products", 0), n_items, BATCH):
        rows = range(start, min(start + BATCH, n_items))
        similar = list(_product_lists(items, near, rows))
        with work.step() as cursor:
            cursor["products"] = rows.stop
            lists.write_products(run, similar, keys)
        work.progress(n_people + rows.stop, total, "writing similar products")


def _customer_lists(reading: Reading, model: Model, rows: range) -> Iterator[OfCustomer]:
    ids = reading.items.ids
    people = np.arange(rows.start, rows.stop)
    ranked = model.recommend(people, N_FOR_CUSTOMER)
    causes = model.explain_lists(people, ranked.ids)
    parts = _parts(model, people, ranked)
    for row, listed, scores, whys, added in zip(
        rows, ranked.ids, ranked.scores, causes, parts, strict=True
    ):
        there = listed[listed != NOTHING]
        if len(there):
            entries = [
                Entry(ids[item], _rounded(score), *_reason(why, ids))
                for item, score, why in zip(there, scores, whys, strict=False)
            ]
            evidence = [
                [[_rounded(one) for one in of_parts], _bases(why, ids)]
                for of_parts, why in zip(added[: len(there)], whys, strict=False)
            ]
            yield OfCustomer(reading.customers[row], entries, evidence)


def _parts(model: Model, people: Integers, ranked: Ranked) -> Floats:
    """Return what each part of the engine adds to the first places; an engine alone adds all."""
    if isinstance(model, BlendModel):
        return model.shares(people, ranked.ids[:, :N_EVIDENT])
    return ranked.scores[:, :N_EVIDENT, np.newaxis]


def _bases(why: list[Contribution], ids: tuple[str, ...]) -> list[list[Any]]:
    return [
        [ids[one.item], _rounded(np.float32(one.value))] for one in why[:N_BASES] if one.value > 0
    ]


def _reason(why: list[Contribution], ids: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Say from which purchases a place in a list comes; from none, it is popular now."""
    based_on = tuple(ids[one.item] for one in why if one.value > 0)[: lists.N_BASES]
    return (Reason.BOUGHT if based_on else Reason.POPULAR_NOW).value, based_on


def _product_lists(items: Items, model: Model, rows: range) -> Iterator[tuple[str, list[Entry]]]:
    ranked = model.similar(np.arange(rows.start, rows.stop), N_SIMILAR)
    for row, found in zip(rows, _scored(ranked, items.ids), strict=True):
        if found:
            own = items.ids[row]
            yield own, [Entry(*one, Reason.TOGETHER.value, (own,)) for one in found]


def _write_popular(run: TrainingRun, reading: Reading) -> None:
    """Write what is popular: the last 28 days first, then of all time what is left."""
    listed: dict[str, Entry] = {}
    for days, reason in ((28, Reason.POPULAR_NOW), (ALL_TIME_DAYS, Reason.POPULAR)):
        engine = Popular(as_of=reading.end, window_days=days)
        ranked = engine.fit(reading.interactions, reading.items).ranking(N_POPULAR)
        for product, score in _scored(ranked, reading.items.ids)[0]:
            listed.setdefault(product, Entry(product, score, reason.value, ()))
    entries = list(listed.values())[:N_POPULAR]
    lists.write_products(run, [("", entries)], lists.keys_of(listed))


def _scored(ranked: Ranked, ids: tuple[str, ...]) -> list[list[tuple[str, float]]]:
    return [
        [
            (ids[item], _rounded(score))
            for item, score in zip(items, scores, strict=True)
            if item != NOTHING
        ]
        for items, scores in zip(ranked.ids, ranked.scores, strict=True)
    ]


def _rounded(score: np.float32) -> float:
    """Six digits: all that float32 carries, and short in JSON."""
    return float(f"{score:.6g}")


def _peak_rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
