"""A clustering kept as numbers: other customers, or the same ones later, find their cluster by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from profiles.clustering.fitting import Labels
from profiles.clustering.scaling import Column, Floats, Scale, applied

AT_ONCE = 100_000


@dataclass(frozen=True)
class Model:
    """Centres on the scales of the run that found them; `keys` name the clusters."""

    scales: tuple[Scale, ...]
    centres: Floats
    keys: tuple[int, ...]

    @classmethod
    def of(
        cls, scales: Sequence[Scale], matrix: Floats, labels: Labels, keys: Sequence[int]
    ) -> Model:
        """Return the model of clusters that are numbered from 1 on."""
        centres = [matrix[labels == number].mean(axis=0) for number in range(1, len(keys) + 1)]
        return cls(tuple(scales), np.array(centres), tuple(keys))

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Model:
        return cls(
            tuple(Scale(**one) for one in stored["scales"]),
            np.array(stored["centres"], dtype=np.float64),
            tuple(stored["keys"]),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "scales": [asdict(one) for one in self.scales],
            "centres": self.centres.tolist(),
            "keys": list(self.keys),
        }

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.scales)

    def assign(self, columns: Sequence[Column]) -> Labels:
        """Return the key of the nearest centre for each customer; the first of equals."""
        matrix = applied(self.scales, columns)
        keys = np.array(self.keys, dtype=np.intp)
        found = [
            keys[_squared(matrix[start : start + AT_ONCE], self.centres).argmin(axis=1)]
            for start in range(0, len(matrix), AT_ONCE)
        ]
        return np.concatenate(found) if found else np.empty(0, dtype=np.intp)


def inertia(matrix: Floats, labels: Labels) -> float:
    """Return the mean squared distance of customers to the centre of their own cluster."""
    total = 0.0
    for number in np.unique(labels):
        rows = matrix[labels == number]
        total += float(((rows - rows.mean(axis=0)) ** 2).sum())
    return total / len(matrix)


def _squared(matrix: Floats, centres: Floats) -> Floats:
    distances = [((matrix - centre) ** 2).sum(axis=1) for centre in centres]
    return np.column_stack(distances)
