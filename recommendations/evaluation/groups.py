"""Whether lists are as good for every group of people, and whose products they show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.estimate import Estimate
from privacy.fairness.exposure import attention
from privacy.fairness.findings import ENOUGH, confidence_of_each
from privacy.fairness.groups import OTHERS, merged
from privacy.fairness.selection import Chosen
from recommendations.engines.base import NOTHING
from recommendations.evaluation import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommendations.engines.base import Integers
    from recommendations.evaluation.metrics import Doubles

MOST_CLASSES = 12


@dataclass(frozen=True)
class Quality:
    """A metric's mean in a group of `n` people, beside that of everybody else.

    `gap` is the group's mean minus the others', `ratio` over theirs; neither is there for a
    group that is too small, for people of whom the group is not known, and where the others
    get nothing right.
    """

    group: str
    n: int
    level: Estimate
    gap: Estimate | None
    ratio: Estimate | None


def quality(values: Doubles, groups: Sequence[str]) -> list[Quality]:
    """Compare each group's mean of one value a person with everybody else's, lowest first.

    Groups below ten people are merged, so that nobody is told by a table, and those below
    fifty are not compared. Intervals are percentile bootstraps, each group drawn anew by
    itself; those of gaps and ratios hold at 95 % all together (Bonferroni).

    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 8
    (two samples); M. D. Ekstrand et al., All the Cool Kids, How Do They Fit In?, FAT* 2018.
    """
    kept = merged({name: Chosen(0, n) for name, n in Counter(groups).items()})
    names = np.array([name if name in kept else OTHERS for name in groups], dtype=object)
    samples = {name: values[names == name] for name in sorted(kept)}
    drawn = {name: _means(sample) for name, sample in samples.items()}
    compared = {name for name in kept if name and kept[name].n >= ENOUGH} if len(kept) > 1 else {}
    confidence = confidence_of_each(len(compared))
    found = []
    for name, sample in samples.items():
        mean, level = float(sample.mean()), _between(drawn[name], 0.95)
        gap = ratio = None
        if name in compared:
            n_others = sum(len(samples[one]) for one in samples if one != name)
            others = np.sum(
                [drawn[one] * len(samples[one]) for one in samples if one != name], axis=0
            )
            beside = float(values[np.isin(names, list(kept)) & (names != name)].mean())
            gap = Estimate(mean - beside, *_between(drawn[name] - others / n_others, confidence))
            if beside > 0 and others.min() > 0:
                ratios = drawn[name] * n_others / others
                ratio = Estimate(mean / beside, *_between(ratios, confidence))
        found.append(Quality(name, len(sample), Estimate(mean, *level), gap, ratio))
    return sorted(found, key=lambda one: (one.level.value, one.group))


def _means(sample: Doubles) -> Doubles:
    """Return the mean of each of the samples drawn anew from this one."""
    n, random = len(sample), np.random.default_rng(metrics.SEED)
    size = max(1, metrics.CHUNK_OF_DRAWS // n)
    parts = [
        sample[random.integers(n, size=(min(size, metrics.RESAMPLES - start), n))].mean(axis=1)
        for start in range(0, metrics.RESAMPLES, size)
    ]
    return np.concatenate(parts)


def _between(drawn: Doubles, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class Exposure:
    """What a class of products gets of all lists' attention, beside what it is and what it sells.

    `exposure` (with the interval of people drawn anew), `catalogue` (its part of the products
    ranked) and `sales` are shares in 0-1.
    """

    group: str
    n_products: int
    exposure: Estimate
    catalogue: float
    sales: float

    @property
    def ratio(self) -> Estimate | None:
        """Exposure over the share of sales: 1 shows it as much as it sells anyway."""
        return self.exposure.times(1 / self.sales) if self.sales else None


def exposure(ranked: Integers, k: int, classes: Sequence[str], sold: Integers) -> list[Exposure]:
    """Compare the attention that classes of products get in the first `k` places; most first.

    `classes` names each item's, `sold` is how often it was taken. Of more than
    twelve classes those that sell least are one. A list's attention falls with the place and
    is the same in all for every person.

    Source: A. Singh and T. Joachims, Fairness of Exposure in Rankings, KDD 2018, section 4.
    """
    numbers, names = _largest(classes, sold)
    shown = ranked[:, :k]
    places = np.array([attention(place) for place in range(1, shown.shape[1] + 1)])
    there = shown != NOTHING
    weights = np.where(there, places, 0.0)
    whole = weights.sum(axis=1)
    weights = np.divide(
        weights, whole[:, None], out=np.zeros_like(weights), where=whole[:, None] > 0
    )
    of_places = numbers[np.where(there, shown, 0)]
    columns = np.stack(
        [(weights * (of_places == number)).sum(axis=1) for number in range(len(names))], axis=1
    )
    n_products = np.bincount(numbers, minlength=len(names))
    sales = np.bincount(numbers, weights=sold, minlength=len(names)) / max(sold.sum(), 1)
    found = [
        Exposure(name, int(n), Estimate(*told), float(n / len(numbers)), float(sale))
        for name, n, told, sale in zip(
            names, n_products, metrics.estimates(columns), sales, strict=True
        )
    ]
    return sorted(found, key=lambda one: (-one.exposure.value, one.group))


def _largest(classes: Sequence[str], sold: Integers) -> tuple[Integers, list[str]]:
    """Number each item's class, those that sell least together as others."""
    names, numbers = np.unique(np.array(classes, dtype=str), return_inverse=True)
    order = np.argsort(-np.bincount(numbers, weights=sold, minlength=len(names)), kind="stable")
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    told = [str(names[at]) for at in order]
    if len(told) > MOST_CLASSES:
        place = np.minimum(place, MOST_CLASSES - 1)
        told = [*told[: MOST_CLASSES - 1], OTHERS]
    return place[numbers], told


def bands(values: Doubles, n: int = 5) -> list[str]:
    """Return which n-th of the known values each falls into: "1" the lowest; "" if it is NaN.

    Equal values fall into the same part.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return [""] * len(values)
    ends = np.quantile(known, np.arange(1, n) / n)
    return [
        "" if np.isnan(value) else str(1 + int(np.searchsorted(ends, value, side="left")))
        for value in values
    ]


LARGE, MIDDLE, SMALL = "large", "middle", "small"


def sizes(sellers: Sequence[str], sold: Integers) -> list[str]:
    """Return the size of each item's seller by what all its items sell; "" where none is named.

    The largest that sell half of all pieces are large, the next up to four fifths middle, all
    others small.
    """
    total: Counter[str] = Counter()
    for seller, n in zip(sellers, sold.tolist(), strict=True):
        if seller:
            total[seller] += n
    whole, before, size_of = total.total(), 0, {"": ""}
    for seller in sorted(total, key=lambda one: (-total[one], one)):
        size_of[seller] = (
            LARGE if before * 2 < whole else MIDDLE if before * 5 < whole * 4 else SMALL
        )
        before += total[seller]
    return [size_of[seller] for seller in sellers]
