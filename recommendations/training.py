"""Training: tune, judge on the last window, write lists, and activate only what is better."""

from __future__ import annotations

import resource
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction

from recommendations import interactions
from recommendations.engines.base import NOTHING, Items
from recommendations.engines.item_based import ItemBased
from recommendations.engines.popular import Popular
from recommendations.engines.ranking import LinearModel
from recommendations.evaluation import metrics, splits, tuning
from recommendations.explaining import Reason
from recommendations.models import CustomerListing, ProductListing, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobs.work import Work
    from recommendations.engines.base import Ranked
    from recommendations.evaluation.splits import Split
    from recommendations.interactions import Reading

N_FOR_CUSTOMER = 20
N_SIMILAR = 50
N_POPULAR = 200
N_REASONS = 2
BATCH = 500
RUNS_KEPT = 3
ALL_TIME_DAYS = 36_500
TUNED: dict[str, tuple[Any, ...]] = {
    "half_life_days": (0, 60, 180),
    "degree_power": (0, 0.3, 0.5),
    "target_power": (0.4, 0.5),
    "n_neighbours": (20, 50, 200),
}


@dataclass(frozen=True)
class Judgement:
    """What the last window says of the tuned engine, as stored on a run."""

    engine: ItemBased
    verdict: TrainingRun.Verdict
    metrics: dict[str, Any]
    baseline_metrics: dict[str, Any]
    comparison: dict[str, Any]


def train(work: Work) -> dict[str, Any]:
    """Train as of the payload's moment; returns the run, its verdict, whether it serves.

    Steps, each committed with the job's cursor: judge and store the run; write the lists in
    batches; switch. A killed training goes on with the same run, or starts anew if the
    orders changed meanwhile; the active run serves until the switch.
    """
    started = time.process_time()
    as_of = datetime.fromisoformat(work.payload["as_of"])
    work.progress(0, 0, "reading orders")
    reading = interactions.read(as_of)
    if work.cursor.get("data") != reading.fingerprint:
        judgement = judge(reading, work.renew)
        with work.step() as cursor:
            TrainingRun.objects.filter(pk=cursor.get("run", 0)).delete()
            cursor.clear()
            cursor["run"] = _store(reading, judgement, as_of=as_of, now=work.now).pk
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
        if beats:
            activate(run, now=work.now)
        else:
            let_popularity_serve()
        prune()
    return {"run": run.pk, "verdict": run.verdict, "is_active": beats}


def judge(reading: Reading, tick: Callable[[], None]) -> Judgement:
    """Tune on the window before the last one, then compare with popularity on the last.

    The engine is called better if the 95 % interval of the paired difference in nDCG@10 lies
    above 0. Parameters are chosen on customers' new products; the test window is seen once.
    """
    plain = Items.plain(reading.items.ids)
    start = ItemBased(as_of=reading.end)
    try:
        validation, test = splits.last_windows(reading.interactions, end=reading.end)
    except splits.TooLittleDataError as error:
        verdict = TrainingRun.Verdict.TOO_LITTLE_DATA
        return Judgement(start, verdict, {}, {}, {"reason": str(error)})

    def score(engine: ItemBased) -> float:
        return float(tuning.measure(engine, validation, plain, tick).ndcg.mean())

    best, _, n_trials = tuning.best_along_axes(
        replace(start, as_of=validation.at), [_axis(*axis) for axis in TUNED.items()], score
    )
    ours = tuning.measure(replace(best, as_of=test.at), test, plain, tick)
    base = tuning.measure(Popular(as_of=test.at), test, plain, tick)
    difference = metrics.estimate(ours.ndcg - base.ndcg)
    better = difference.low > 0
    return Judgement(
        engine=replace(best, as_of=reading.end),
        verdict=TrainingRun.Verdict.BEATS_POPULAR if better else TrainingRun.Verdict.NOT_BETTER,
        metrics=_described(ours),
        baseline_metrics=_described(base),
        comparison={
            "ndcg@10": difference._asdict(),
            "recall@20": metrics.estimate(ours.recall - base.recall)._asdict(),
            "n_trials": n_trials,
            **_described_split(test),
        },
    )


@transaction.atomic
def activate(run: TrainingRun, *, now: datetime) -> None:
    """Let this run's lists be served from now on; also the way back to an older run.

    Raises ValueError for a run whose lists are not (or no longer) there.
    """
    if run.finished_at is None or not CustomerListing.objects.filter(run=run).exists():
        raise ValueError(f"{run} has no lists to serve")
    let_popularity_serve()
    run.is_active, run.activated_at = True, now
    run.save(update_fields=["is_active", "activated_at"])


def let_popularity_serve() -> None:
    """Take the active run, if any, out of service."""
    TrainingRun.objects.filter(is_active=True).update(is_active=False)


def prune() -> None:
    """Delete the lists of all but the newest runs and the active one; cards are kept."""
    newest = TrainingRun.objects.newest_first().values_list("pk", flat=True)[:RUNS_KEPT]
    for listing in (CustomerListing, ProductListing):
        stale = listing.objects.exclude(run__in=list(newest)).exclude(run__is_active=True)
        stale.delete()


def _axis(name: str, values: tuple[Any, ...]) -> Callable[[ItemBased], list[ItemBased]]:
    return lambda engine: [replace(engine, **{name: value}) for value in values]


def _described(quality: tuning.Quality) -> dict[str, Any]:
    return {
        "ndcg@10": metrics.estimate(quality.ndcg)._asdict(),
        "recall@20": metrics.estimate(quality.recall)._asdict(),
        "coverage@20": {"value": quality.coverage},
    }


def _described_split(test: Split) -> dict[str, Any]:
    return {
        "test_from": datetime.fromtimestamp(test.at, tz=UTC).isoformat(),
        "n_warm_customers": len(test.warm),
        "n_wanted": sum(len(wanted) for wanted in test.wanted),
        "n_on_cold_products": test.n_cold_items,
        "n_repeat_purchases": test.n_repeats,
    }


def _store(
    reading: Reading, judgement: Judgement, *, as_of: datetime, now: datetime
) -> TrainingRun:
    data = reading.interactions
    return TrainingRun.objects.create(
        engine=judgement.engine.name,
        as_of=as_of,
        parameters=_parameters(judgement.engine),
        metrics=judgement.metrics,
        baseline_metrics=judgement.baseline_metrics,
        comparison=judgement.comparison,
        verdict=judgement.verdict,
        n_customers=data.n_people,
        n_guest_baskets=data.n_rows - data.n_people,
        n_products=data.n_items,
        n_interactions=len(data),
        cpu_seconds=0,
        peak_rss_mb=_peak_rss_mb(),
        created_at=now,
    )


def _parameters(engine: ItemBased) -> dict[str, Any]:
    """Return what shapes the model; how much memory it may take while it is made does not."""
    return {name: value for name, value in asdict(engine).items() if name != "block_bytes"}


def _write_lists(run: TrainingRun, reading: Reading, work: Work) -> None:
    """Write every customer's and every product's list; goes on after the last batch kept."""
    model = ItemBased(**run.parameters).fit(reading.interactions, reading.items, work.renew)
    n_people, n_items = len(reading.customers), len(reading.items.ids)
    total = n_people + n_items
    for start in range(work.cursor.get("customers", 0), n_people, BATCH):
        rows = range(start, min(start + BATCH, n_people))
        with work.step() as cursor:
            cursor["customers"] = rows.stop
            CustomerListing.objects.bulk_create(_customer_lists(run, reading, model, rows))
        work.progress(rows.stop, total, "writing customers' lists")
    for start in range(work.cursor.get("products", 0), n_items, BATCH):
        rows = range(start, min(start + BATCH, n_items))
        with work.step() as cursor:
            cursor["products"] = rows.stop
            ProductListing.objects.bulk_create(_product_lists(run, reading.items, model, rows))
        work.progress(n_people + rows.stop, total, "writing similar products")


def _customer_lists(
    run: TrainingRun, reading: Reading, model: LinearModel, rows: range
) -> Iterator[CustomerListing]:
    ids = reading.items.ids
    ranked = model.recommend(np.arange(rows.start, rows.stop), N_FOR_CUSTOMER)
    for row, items, scores in zip(rows, ranked.ids, ranked.scores, strict=True):
        there = items[items != NOTHING]
        if not len(there):
            continue
        causes = model.explain_many(row, there)
        entries = [
            [ids[item], _rounded(score), Reason.BOUGHT, [ids[one.item] for one in why[:N_REASONS]]]
            for item, score, why in zip(there, scores, causes, strict=False)
        ]
        yield CustomerListing(run=run, customer_id=reading.customers[row], items=entries)


def _product_lists(
    run: TrainingRun, items: Items, model: LinearModel, rows: range
) -> Iterator[ProductListing]:
    ranked = model.similar(np.arange(rows.start, rows.stop), N_SIMILAR)
    for row, entries in zip(rows, _entries(ranked, items.ids), strict=True):
        if entries:
            own = items.ids[row]
            listed = [[*entry, Reason.TOGETHER, [own]] for entry in entries]
            yield ProductListing(run=run, product_id=own, items=listed)


def _write_popular(run: TrainingRun, reading: Reading) -> None:
    """Write what is popular: the last 28 days first, then of all time what is left."""
    listed: dict[str, list[Any]] = {}
    for days, reason in ((28, Reason.POPULAR_NOW), (ALL_TIME_DAYS, Reason.POPULAR)):
        engine = Popular(as_of=reading.end, window_days=days)
        ranked = engine.fit(reading.interactions, reading.items).ranking(N_POPULAR)
        for product, score in _entries(ranked, reading.items.ids)[0]:
            listed.setdefault(product, [product, score, reason, []])
    entries = list(listed.values())[:N_POPULAR]
    ProductListing.objects.create(run=run, product_id="", items=entries)


def _entries(ranked: Ranked, ids: tuple[str, ...]) -> list[list[list[Any]]]:
    return [
        [
            [ids[item], _rounded(score)]
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
