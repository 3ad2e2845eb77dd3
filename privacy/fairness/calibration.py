"""Whether a score means the same for every group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference import proportions
from inference.estimate import CONFIDENCE, Estimate
from inference.proportions import Proportion

N_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """People of one group with like scores: what was foretold on average, and what came."""

    n: int
    foretold: float
    came: Estimate

    @property
    def is_right(self) -> bool:
        """Whether the mean score lies in the interval of what came."""
        return self.came.low <= self.foretold <= self.came.high


def reliability(
    scored: Iterable[tuple[float, bool]],
    *,
    n_bins: int = N_BINS,
    confidence: float = CONFIDENCE,
) -> list[Bin]:
    """Return the bins of a reliability diagram of one group, empty ones left out.

    `scored` holds (score in 0-1, whether it came true). Bins are of equal width; what came
    carries Wilson's interval. A score is fair in this sense if people of every group with the
    same score meet the same rate. Raises ValueError for a score outside 0 and 1.

    Source: A. Chouldechova, Fair Prediction with Disparate Impact, Big Data 5 (2017) 153-163,
    definition 1.
    """
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(n_bins)]
    for score, came in scored:
        if not 0 <= score <= 1:
            raise ValueError(f"a score must be within 0 and 1, not {score}")
        bins[min(int(score * n_bins), n_bins - 1)].append((score, came))
    return [_bin(people, confidence) for people in bins if people]


def _bin(people: Sequence[tuple[float, bool]], confidence: float) -> Bin:
    came = Proportion(sum(came for _score, came in people), len(people))
    foretold = sum(score for score, _came in people) / len(people)
    return Bin(len(people), foretold, proportions.interval(came, confidence=confidence))


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the mean gap of bins, weighted by people.

    Source: M. P. Naeini, G. Cooper, M. Hauskrecht, AAAI 2015, 2901-2907.
    """
    n = sum(one.n for one in bins)
    return sum(one.n * abs(one.came.value - one.foretold) for one in bins) / n if n else 0.0
