"""Check that a split came out as it was set."""

from __future__ import annotations

from collections.abc import Sequence

from inference.distributions import chi_square_tail


def chi_square(observed: Sequence[int], shares: Sequence[float]) -> tuple[float, float]:
    """Return Pearson's statistic and p-value of counts against `shares`, scaled to sum to 1.

    A share of 0 is left out if nothing was counted there, else p is 0. With fewer than two
    shares, or nothing counted, there is nothing to test: (0, 1).

    Source: K. Pearson, Phil. Mag. 50 (1900) 157-175.
    """
    cells = [(count, share) for count, share in zip(observed, shares, strict=True) if share > 0]
    if sum(count for count, _ in cells) < sum(observed):
        return float("inf"), 0.0
    n, whole = sum(observed), sum(share for _, share in cells)
    if n == 0 or len(cells) == 1:
        return 0.0, 1.0
    expected = [n * share / whole for _, share in cells]
    statistic = sum(
        (count - due) ** 2 / due for (count, _), due in zip(cells, expected, strict=True)
    )
    return statistic, chi_square_tail(statistic, len(cells) - 1)
