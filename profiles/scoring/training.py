"""Training of churn and value scores: judged on the last window, used only if they are better.

Time is split by whole horizons before `as_of`: facts of before a moment, outcomes of the horizon
after it. The three windows never overlap: one fits, the next calibrates, the last judges. What
is used is then made anew of the two newest ones.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from profiles import changes
from profiles.models import CustomerTraits, ScoreRun, TraitBuild
from profiles.models.score import Score
from profiles.scoring import judgement, rows
from profiles.scoring.judgement import Judgement, Windows
from profiles.traits import featuring

if TYPE_CHECKING:
    from jobs.work import Work
    from profiles.scores.features import Snapshot

HORIZON_DAYS: Final = 90
WRITTEN_AT_ONCE: Final = 5_000
RUN_OF: Final = {Score.CHURN_RISK: "churn_run", Score.EXPECTED_VALUE: "value_run"}


def train(work: Work) -> dict[str, Any]:
    """Train as of the payload's moment; returns each score's run, verdict and whether it is used.

    Each score is judged and stored in one step, then written to customers some a step, then
    switched. A killed training goes on with the runs it stored.
    """
    as_of = datetime.fromisoformat(work.payload["as_of"])
    if not TraitBuild.objects.exists():
        featuring.build_traits(as_of, work)
    windows = _windows(as_of, work)
    for score in Score:
        if score.value not in work.cursor:
            judged_at = as_of - timedelta(days=HORIZON_DAYS)
            found = judgement.judge(score, windows, judged_at=judged_at)
            with work.step() as cursor:
                cursor[score.value] = _store(score, found, as_of=as_of, now=work.now).pk
        run = ScoreRun.objects.get(pk=work.cursor[score.value])
        if may_be_used(run):
            _write(run, windows, work)
        with work.step():
            _switch(run, now=work.now)
    runs = ScoreRun.objects.filter(pk__in=[work.cursor[score.value] for score in Score])
    return {
        run.score: {"run": run.pk, "verdict": run.verdict, "is_active": run.is_active}
        for run in runs
    }


def may_be_used(run: ScoreRun) -> bool:
    """Tell whether it beats the recency rule and staff let pass what is uneven in it."""
    return run.verdict == ScoreRun.Verdict.BETTER and not run.unaccepted


def _windows(as_of: datetime, work: Work) -> Windows:
    """Read the three snapshots, one horizon apart; the last one's outcomes end at `as_of`."""
    found = []
    for n in (3, 2, 1):
        work.progress(3 - n, 3, "reading orders")
        moment = as_of - n * timedelta(days=HORIZON_DAYS)
        found.append(rows.at(moment, horizon_days=HORIZON_DAYS))
    return Windows(*found)


def _store(score: Score, found: Judgement, *, as_of: datetime, now: datetime) -> ScoreRun:
    before = ScoreRun.objects.filter(score=score).newest_first().first()
    return ScoreRun.objects.create(
        score=score,
        as_of=as_of,
        created_at=now,
        horizon_days=HORIZON_DAYS,
        currency=featuring.currency_in_use(),
        verdict=found.verdict,
        accepted=before.accepted if before else [],
        **found.facts,
    )


def _write(run: ScoreRun, windows: Windows, work: Work) -> None:
    """Give every customer who may be scored their score; goes on after the last step kept."""
    score = Score(run.score)
    today = rows.at(run.as_of, horizon_days=HORIZON_DAYS)
    foretold = judgement.final(score, windows).predict(today).tolist()
    done = f"{score.value}_to"
    for start in range(int(work.cursor.get(done, 0)), len(today), WRITTEN_AT_ONCE):
        stop = min(start + WRITTEN_AT_ONCE, len(today))
        with work.step() as cursor:
            cursor[done] = stop
            _put(run, today, foretold, range(start, stop))
        work.progress(stop, len(today), "writing scores")


def _put(run: ScoreRun, of: Snapshot, foretold: list[float], wanted: range) -> None:
    score = Score(run.score)
    keys = [int(of.customers[row]) for row in wanted]
    digits = 4 if score == Score.CHURN_RISK else None
    values = [round(foretold[row], digits) for row in wanted]
    column, run_column = score.value, f"{RUN_OF[score]}_id"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            kind = "double precision" if score == Score.CHURN_RISK else "bigint"
            cursor.execute(
                f"UPDATE profiles_customertraits AS t SET {column} = told.value, {run_column} = %s"  # noqa: S608 -- names of our own columns  # nosec B608
                f" FROM unnest(%s::bigint[], %s::{kind}[]) AS told (customer_id, value)"
                " WHERE t.customer_id = told.customer_id",
                [run.pk, keys, values],
            )
            return
        cursor.executemany(
            f"UPDATE profiles_customertraits SET {column} = %s, {run_column} = %s"  # noqa: S608 -- as above  # nosec B608
            " WHERE customer_id = %s",
            [(value, run.pk, key) for key, value in zip(keys, values, strict=True)],
        )


def _switch(run: ScoreRun, *, now: datetime) -> None:
    """Take the run into use, or see that no customer has this score; older ones end either way."""
    score = Score(run.score)
    ScoreRun.objects.filter(score=score, is_active=True).exclude(pk=run.pk).update(is_active=False)
    scored = CustomerTraits.objects.filter(**{RUN_OF[score]: run})
    run.n_scored, run.is_active = scored.count(), may_be_used(run)
    run.activated_at = now if run.is_active else None
    run.save(update_fields=["n_scored", "is_active", "activated_at"])
    clear(score, keep=run)
    changes.mark_all()


def clear(score: Score, *, keep: ScoreRun) -> int:
    """Take the score from customers whom another run, or none in use, gave it."""
    stale = CustomerTraits.objects.filter(**{f"{RUN_OF[score]}__isnull": False})
    if keep.is_active:
        stale = stale.exclude(**{RUN_OF[score]: keep})
    return stale.update(**{score.value: None, RUN_OF[score]: None})
