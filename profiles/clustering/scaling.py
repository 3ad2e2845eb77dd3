"""Bringing columns of different units and skew to one scale before distances are taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NORMAL_IQR = 1.349  # the interquartile range of a standard normal distribution
CLIP = 3.0
NO_SPREAD = 1e-9


@dataclass(frozen=True)
class Column:
    """One trait of all customers; `is_skewed` for money, counts and days, all non-negative."""

    name: str
    values: NDArray[Any]
    is_skewed: bool = False


def scale(columns: Sequence[Column]) -> tuple[tuple[str, ...], Floats]:
    """Return the names and the matrix (customers x columns) of those columns that vary.

    Skewed ones are put on a log scale; then median 0 and interquartile range 1.349, or
    standard deviation 1 where more than half of the values are equal; then clipped to
    +-3, so that no outlier makes a cluster of its own.
    """
    scaled = [(column.name, _scaled(column)) for column in columns]
    kept = [(name, values) for name, values in scaled if values is not None]
    matrix = np.column_stack([values for _name, values in kept]) if kept else np.empty((0, 0))
    return tuple(name for name, _values in kept), matrix


def _scaled(column: Column) -> Floats | None:
    values = column.values.astype(np.float64)
    if column.is_skewed:
        values = np.log1p(np.maximum(values, 0))
    low, middle, high = np.percentile(values, [25, 50, 75])
    spread = (high - low) / NORMAL_IQR
    if spread < NO_SPREAD:
        spread = float(values.std())
    if spread < NO_SPREAD:
        return None
    return np.asarray(np.clip((values - middle) / spread, -CLIP, CLIP))
