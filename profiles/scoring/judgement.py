"""Judging a score on the last window: what it is worth, and whether it is fair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from privacy.fairness_audits import ATTRIBUTES
from profiles.auditing import group_of
from profiles.models import Customer, ScoreRun
from profiles.models.score import Score
from profiles.scores import counting, fitting, groups, judging
from profiles.scores.features import Snapshot
from profiles.scores.fitting import Model
from profiles.scores.judging import Outcome, Part

ASKED_AT_ONCE: Final = 5_000


@dataclass(frozen=True)
class Windows:
    """Snapshots one horizon apart: to fit on, to calibrate on, to judge on."""

    fit: Snapshot
    calibrate: Snapshot
    judge: Snapshot


@dataclass(frozen=True)
class Kind:
    """How one score is fitted, compared and drawn, and what came of a customer."""

    fit: Callable[..., Model]
    came: Callable[[Snapshot], Outcome]
    metrics: dict[str, tuple[judging.Metric, bool]]
    reliability: Callable[..., list[Part]]


KINDS: Final = {
    Score.CHURN_RISK: Kind(
        fitting.churn, lambda window: window.left, judging.CHURN, judging.reliability
    ),
    Score.EXPECTED_VALUE: Kind(
        fitting.value, lambda window: window.spent_after, judging.VALUE, judging.money_reliability
    ),
}


@dataclass(frozen=True)
class Judgement:
    """What the last window says of a score, as stored on a run."""

    verdict: str
    facts: dict[str, Any] = field(default_factory=dict)


def judge(score: Score, windows: Windows, *, judged_at: datetime) -> Judgement:
    """Fit, calibrate, and compare with the recency rule on customers of a later window.

    It is better if the 95 % interval of the first metric's margin lies above 0. Groups of
    people are those of the moment `judged_at`.
    """
    if lacking := judging.too_little(windows.fit, windows.calibrate, windows.judge):
        code, there = lacking
        needed = judging.ENOUGH if code == "customers" else judging.ENOUGH_OF_EACH
        told = {"code": code, "there": there, "needed": needed}
        return Judgement(ScoreRun.Verdict.TOO_LITTLE_DATA, {"lacking": told})
    kind = KINDS[score]
    ours = kind.fit(windows.fit, windows.calibrate)
    rule = kind.fit(windows.fit, windows.calibrate, by_recency=True)
    came, foretold = kind.came(windows.judge), ours.predict(windows.judge)
    metrics = judging.compare(kind.metrics, came, foretold, rule.predict(windows.judge))
    counted = {
        attribute: counting.count(_groups(windows.judge, attribute, judged_at), came, foretold)
        for attribute in ATTRIBUTES
    }
    deciding = metrics[next(iter(kind.metrics))]
    better = deciding.margin.low > 0
    return Judgement(
        ScoreRun.Verdict.BETTER if better else ScoreRun.Verdict.NOT_BETTER,
        {
            "kind": ours.kind,
            "calibration": ours.calibration,
            "weights": dict(ours.weights),
            "n_fitted": ours.n_fitted,
            "n_calibrated": len(windows.calibrate),
            "n_judged": len(windows.judge),
            "metrics": {name: asdict(one) for name, one in metrics.items()},
            "reliability": [_part(part) for part in kind.reliability(came, foretold)],
            "fairness": {
                attribute: {name: one.to_json() for name, one in found.items()}
                for attribute, found in counted.items()
            },
            "uneven": groups.uneven(counted),
        },
    )


def final(score: Score, windows: Windows) -> Model:
    """Return the score made of the two newest windows, for use."""
    return KINDS[score].fit(windows.calibrate, windows.judge)


def _part(part: Part) -> dict[str, Any]:
    return {"n": part.n, "foretold": part.foretold, "came": part.came.value} | {
        "low": part.came.low,
        "high": part.came.high,
    }


def _groups(of: Snapshot, attribute: str, at: datetime) -> Sequence[str]:
    """The group of each customer of the snapshot, in its order; empty if not known."""
    keys = of.customers.tolist()
    known: dict[int, str] = {}
    for start in range(0, len(keys), ASKED_AT_ONCE):
        some = Customer.objects.filter(pk__in=keys[start : start + ASKED_AT_ONCE])
        known.update(some.annotate(group=group_of(attribute, at)).values_list("pk", "group"))
    return [known.get(key) or "" for key in keys]
