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
    """One trait of all customers; `is_skewed` for money, counts and days, all non-negative.

    A value that is not known (NaN) stands in the middle of the others.
    """

    name: str
    values: NDArray[Any]
    is_skewed: bool = False


@dataclass(frozen=True)
class Scale:
    """How one column is brought to the common scale; found on one run's customers."""

    name: str
    is_skewed: bool
    middle: float
    spread: float

    def apply(self, values: NDArray[Any]) -> Floats:
        flat = _flattened(values, is_skewed=self.is_skewed)
        scaled = np.clip((flat - self.middle) / self.spread, -CLIP, CLIP)
        return np.nan_to_num(scaled, nan=0.0)


def scales(columns: Sequence[Column]) -> tuple[Scale, ...]:
    """Return how those columns that vary are scaled.

    Skewed ones are put on a log scale; then median 0 and interquartile range 1.349, or
    standard deviation 1 where more than half of the values are equal; then clipped to
    +-3, so that no outlier makes a cluster of its own.
    """
    return tuple(scale for column in columns if (scale := _scale_of(column)) is not None)


def scale(columns: Sequence[Column]) -> tuple[tuple[str, ...], Floats]:
    """Return the names and the matrix (customers x columns) of those columns that vary."""
    found = scales(columns)
    return tuple(one.name for one in found), applied(found, columns)


def applied(scales: Sequence[Scale], columns: Sequence[Column]) -> Floats:
    """Return the matrix of these scales' columns; raises KeyError if one is not there."""
    values = {column.name: column.values for column in columns}
    if not scales:
        return np.empty((0, 0))
    return np.column_stack([one.apply(values[one.name]) for one in scales])


def _scale_of(column: Column) -> Scale | None:
    values = _flattened(column.values, is_skewed=column.is_skewed)
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, middle, high = np.percentile(values, [25, 50, 75])
    spread = float(high - low) / NORMAL_IQR
    if spread < NO_SPREAD:
        spread = float(values.std())
    if spread < NO_SPREAD:
        return None
    return Scale(column.name, column.is_skewed, float(middle), spread)


def _flattened(values: NDArray[Any], *, is_skewed: bool) -> Floats:
    flat = values.astype(np.float64)
    return np.log1p(np.maximum(flat, 0)) if is_skewed else flat
