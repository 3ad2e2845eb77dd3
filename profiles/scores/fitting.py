"""Fitting a score on one window and calibrating it on the next, so that its numbers mean it.

A score predicts the window after a moment: churn the chance that nothing is bought in it,
value the money spent in it. The rule it has to beat is made by the same code from recency alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, TweedieRegressor
from sklearn.metrics import log_loss, mean_tweedie_deviance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from profiles.scores.features import NAMES, RECENCY, Floats, Snapshot, matrix

SEED: Final = 20_091_201
FIT_ON: Final = 100_000
ENOUGH_FOR_STEPS: Final = 1_000  # of each outcome; below it two numbers calibrate, not steps
POWER: Final = 1.5  # between counting purchases (1) and pricing them (2)
NO_SURE: Final = 0.005  # nobody is certain to leave or to stay
TREES: Final = {
    "max_iter": 100,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 40,
    "random_state": SEED,
}


class Calibration(Protocol):
    def __call__(self, raw: Floats, /) -> Floats: ...


@dataclass(frozen=True)
class Model:
    """A fitted score: which kind of model, how calibrated, on how many customers.

    `weights` are those of a linear model on standardised features, empty for trees.
    """

    kind: str
    calibration: str
    n_fitted: int
    weights: Mapping[str, float]
    uncalibrated: Callable[[Floats], Floats]
    calibrated: Calibration

    def predict(self, of: Snapshot) -> Floats:
        with threadpool_limits(limits=1):
            return self.calibrated(self.uncalibrated(matrix(of)))


def churn(train: Snapshot, held_out: Snapshot, *, by_recency: bool = False) -> Model:
    """Fit the chance that a customer buys nothing in the window after a snapshot.

    `train` and `held_out` lie one window apart. Of a linear model and trees the one with the
    lower log loss on `held_out` is kept, seasons set aside, then calibrated there: by isotonic
    steps where both outcomes are common enough, else by Platt's sigmoid.

    Source: A. Niculescu-Mizil, R. Caruana, Predicting Good Probabilities, ICML 2005.
    """
    fitted = _best(
        {
            "linear": LogisticRegression(C=0.1, max_iter=2_000),
            "trees": HistGradientBoostingClassifier(**TREES),
        },
        _Task(train.left, held_out.left, _chance, _levelled_loss),
        train,
        held_out,
        by_recency=by_recency,
    )
    calibration, calibrated = _probabilities(fitted.uncalibrated(matrix(held_out)), held_out.left)
    return replace(fitted, calibration=calibration, calibrated=calibrated)


def value(train: Snapshot, held_out: Snapshot, *, by_recency: bool = False) -> Model:
    """Fit the money a customer spends in the window after a snapshot, in minor units.

    Most spend nothing and few very much, so the deviance is Tweedie's; `held_out` corrects the
    level by one factor, since windows differ in season.

    Source: B. Jorgensen, The Theory of Dispersion Models (1997), chapter 4.
    """
    unit = max(float(train.spent_after.mean()), 1.0)
    fitted = _best(
        {
            "linear": TweedieRegressor(power=POWER, alpha=0.3, link="log", max_iter=2_000),
            "trees": HistGradientBoostingRegressor(loss="poisson", **TREES),
        },
        _Task(
            train.spent_after / unit,
            held_out.spent_after,
            lambda estimator, columns: np.clip(estimator.predict(columns), 1e-6, 1e6) * unit,
            _levelled_deviance,
        ),
        train,
        held_out,
        by_recency=by_recency,
    )
    foretold = float(fitted.uncalibrated(matrix(held_out)).sum())
    factor = float(held_out.spent_after.sum()) / foretold if foretold else 1.0
    return replace(fitted, calibration="factor", calibrated=lambda found: found * factor)


@dataclass(frozen=True)
class _Task:
    """What is learnt, what came of those held out, how an estimator is read and held to it."""

    wanted: NDArray[Any]
    came: NDArray[Any]
    read: Callable[[Any, Floats], Floats]
    loss: Callable[[NDArray[Any], Floats], float]


def _best(
    candidates: Mapping[str, Any],
    task: _Task,
    train: Snapshot,
    held_out: Snapshot,
    *,
    by_recency: bool,
) -> Model:
    """Fit each candidate on at most 100,000 customers; return the best on the held out ones.

    The recency rule is the linear one, with that column alone. Nothing is calibrated yet.
    """
    kept = slice(RECENCY, RECENCY + 1) if by_recency else slice(None)
    names = NAMES[kept]
    rows = np.arange(len(train))
    if len(rows) > FIT_ON:
        rows = np.sort(np.random.default_rng(SEED).choice(len(rows), FIT_ON, replace=False))
    columns, unseen = matrix(train)[rows, kept], matrix(held_out)[:, kept]
    found = []
    with threadpool_limits(limits=1):
        for kind, candidate in candidates.items():
            is_linear = kind == "linear"
            if by_recency and not is_linear:
                continue
            estimator = make_pipeline(StandardScaler(), candidate) if is_linear else candidate
            estimator.fit(columns, task.wanted[rows])
            found.append(
                (float(task.loss(task.came, task.read(estimator, unseen))), kind, estimator)
            )
    _loss, kind, estimator = min(found, key=lambda one: one[:2])
    return Model(
        kind,
        calibration="",
        n_fitted=len(rows),
        weights=_weights(estimator, names) if kind == "linear" else {},
        uncalibrated=lambda every_column: task.read(estimator, every_column[:, kept]),
        calibrated=lambda raw: raw,
    )


def _chance(estimator: Any, columns: Floats) -> Floats:
    return np.asarray(estimator.predict_proba(columns)[:, 1], dtype=np.float64)


def _levelled_loss(left: NDArray[Any], chance: Floats) -> float:
    """Return the log loss once the level is that of the window, which no candidate can foresee."""
    sigmoid = LogisticRegression(C=1e6, max_iter=2_000).fit(_odds(chance), left)
    return float(log_loss(left, _chance(sigmoid, _odds(chance))))


def _levelled_deviance(spent: NDArray[Any], foretold: Floats) -> float:
    level = float(spent.sum()) / float(foretold.sum())
    return float(mean_tweedie_deviance(spent, foretold * level, power=POWER))


def _probabilities(raw: Floats, left: NDArray[np.bool_]) -> tuple[str, Calibration]:
    if min(int(left.sum()), int((~left).sum())) >= ENOUGH_FOR_STEPS:
        steps = IsotonicRegression(y_min=NO_SURE, y_max=1 - NO_SURE, out_of_bounds="clip")
        steps.fit(raw, left)
        return "isotonic", lambda found: np.asarray(steps.predict(found))
    sigmoid = LogisticRegression(C=1e6, max_iter=2_000).fit(_odds(raw), left)
    return "sigmoid", lambda found: np.clip(_chance(sigmoid, _odds(found)), NO_SURE, 1 - NO_SURE)


def _odds(chance: Floats) -> Floats:
    within = np.clip(chance, 1e-4, 1 - 1e-4)
    odds: Floats = np.log(within / (1 - within))[:, None]
    return odds


def _weights(estimator: Any, names: tuple[str, ...]) -> dict[str, float]:
    weights = np.ravel(estimator[-1].coef_)
    return {name: round(float(one), 4) for name, one in zip(names, weights, strict=True)}
