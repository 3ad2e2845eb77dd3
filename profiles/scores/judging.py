"""What a score is worth on a window it never saw: metrics, margins, reliability.

Every figure carries a bootstrap interval over customers; the margin against the recency rule
is taken on the same customers each time, so that what is hard for both cancels out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inference import means
from inference.estimate import CONFIDENCE, Estimate
from inference.means import Moments
from privacy.fairness import calibration
from profiles.scores.features import Floats, Snapshot

SEED: Final = 20_091_201
N_RESAMPLES: Final = 500
JUDGE_ON: Final = 20_000
N_PARTS: Final = 10
TOP: Final = 0.1
ENOUGH: Final = 300  # customers of a window
ENOUGH_OF_EACH: Final = 50  # of them leave, and as many buy

Outcome = NDArray[Any]
Metric = Callable[[Outcome, Floats], float]


@dataclass(frozen=True)
class Compared:
    """One metric of the score and of the recency rule; above 0 the margin favours the score."""

    ours: Estimate
    rule: Estimate
    margin: Estimate


@dataclass(frozen=True)
class Part:
    """Customers of like scores: what was foretold on average, and what came."""

    n: int
    foretold: float
    came: Estimate


def brier(left: Outcome, chance: Floats) -> float:
    """Return the mean squared error of chances. Source: G. W. Brier, 1950."""
    return float(np.mean((chance - left) ** 2))


def log_loss(left: Outcome, chance: Floats) -> float:
    return float(-np.mean(np.where(left, np.log(chance), np.log1p(-chance))))


def auc(left: Outcome, chance: Floats) -> float:
    """Return how often who leaves has a higher score than who stays; 0.5 is by luck.

    Source: J. A. Hanley, B. J. McNeil, Radiology 143 (1982) 29-36, by ranks, ties in the middle.
    """
    n_left, n_stayed = int(left.sum()), int((~left).sum())
    if not n_left or not n_stayed:
        return 0.5
    _values, place, n_alike = np.unique(chance, return_inverse=True, return_counts=True)
    rank = (np.cumsum(n_alike) - (n_alike - 1) / 2)[place]
    return float((rank[left].sum() - n_left * (n_left + 1) / 2) / (n_left * n_stayed))


def deviance(spent: Outcome, foretold: Floats) -> float:
    """Return Tweedie's mean deviance of power 1.5, per unit of money, so that none matters."""
    unit = max(float(spent.mean()), 1e-9)
    came, mean = spent / unit, np.maximum(foretold / unit, 1e-9)
    return float(np.mean(4 * (came / np.sqrt(mean) - 2 * np.sqrt(came) + np.sqrt(mean))))


def top_share(spent: Outcome, foretold: Floats) -> float:
    """Return which share of all money the tenth with the highest scores spent."""
    n = max(int(len(spent) * TOP), 1)
    total = float(spent.sum())
    return float(spent[np.argsort(-foretold, kind="stable")[:n]].sum()) / total if total else 0.0


# By name: the metric, and whether more of it is better. The first one decides.
CHURN: Final[dict[str, tuple[Metric, bool]]] = {
    "brier": (brier, False),
    "log_loss": (log_loss, False),
    "auc": (auc, True),
}
VALUE: Final[dict[str, tuple[Metric, bool]]] = {
    "deviance": (deviance, False),
    "top_share": (top_share, True),
}


def too_little(*windows: Snapshot) -> tuple[str, int] | None:
    """Return why the windows cannot carry a score: a code and the number there is."""
    n_customers = min(map(len, windows))
    if n_customers < ENOUGH:
        return "customers", n_customers
    n_left = min(int(window.left.sum()) for window in windows)
    if n_left < ENOUGH_OF_EACH:
        return "left", n_left
    n_bought = min(int((window.spent_after > 0).sum()) for window in windows)
    return ("bought", n_bought) if n_bought < ENOUGH_OF_EACH else None


def compare(
    metrics: Mapping[str, tuple[Metric, bool]], came: Outcome, ours: Floats, rule: Floats
) -> dict[str, Compared]:
    """Return each metric of both with its margin, and 95 % intervals from one bootstrap.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    chance = np.random.default_rng(SEED)
    n = min(len(came), JUDGE_ON)
    drawn = [chance.integers(len(came), size=n) for _ in range(N_RESAMPLES)]
    found = {}
    for name, (metric, is_more) in metrics.items():
        sign = 1 if is_more else -1
        both = np.array(
            [[metric(came[rows], score[rows]) for score in (ours, rule)] for rows in drawn]
        )
        # Fewer customers are drawn than there are where they are very many: wider, never narrower.
        whole = [metric(came, score) for score in (ours, rule)]
        found[name] = Compared(
            _estimate(whole[0], both[:, 0]),
            _estimate(whole[1], both[:, 1]),
            _estimate(sign * (whole[0] - whole[1]), sign * (both[:, 0] - both[:, 1])),
        )
    return found  # fmt: skip


def _estimate(value: float, drawn: Floats) -> Estimate:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Estimate(value, float(low), float(high))


def reliability(left: Outcome, chance: Floats) -> list[Part]:
    """Return the parts of a reliability diagram, ten of equal width, empty ones left out."""
    bins = calibration.reliability(
        (float(one), bool(came)) for one, came in zip(chance, left, strict=True)
    )
    return [Part(one.n, one.foretold, one.came) for one in bins]


def money_reliability(spent: Outcome, foretold: Floats) -> list[Part]:
    """Return tenths of the customers by score: money foretold on average, and money spent."""
    order = np.argsort(foretold, kind="stable")
    parts = [rows for rows in np.array_split(order, N_PARTS) if len(rows) > 1]
    return [
        Part(
            len(rows), float(foretold[rows].mean()), means.interval(Moments.of(spent[rows].tolist()))
        )
        for rows in parts
    ]  # fmt: skip


def calibration_error(parts: list[Part]) -> float:
    """Return the mean gap between foretold and come, weighted by customers."""
    n = sum(part.n for part in parts)
    return sum(part.n * abs(part.came.value - part.foretold) for part in parts) / n if n else 0.0
