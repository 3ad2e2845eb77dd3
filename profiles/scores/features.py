"""What a score is made of: facts of a customer before a moment, and what came after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Whole numbers before the moment, in the order they are read: days back from it and minor units.
FACTS: tuple[str, ...] = (
    "recency_days", "tenure_days", "n_orders", "n_orders_30", "n_orders_90", "n_orders_180",
    "n_orders_365", "spent", "spent_90", "spent_365", "largest", "refunded", "discount",
    "n_coupons", "n_items", "n_categories", "n_visit_days_30", "n_visit_days_90", "visit_ago_days",
)  # fmt: skip
OUTCOMES: tuple[str, ...] = ("n_orders_after", "spent_after")
NAMES: tuple[str, ...] = (
    *FACTS, "order_gap_days", "overdue", "average_order", "discount_share", "refund_share",
    "rhythm_90",
)  # fmt: skip
RECENCY = FACTS.index("recency_days")


@dataclass(frozen=True)
class Snapshot:
    """All customers with an order before a moment, by the shop's id: facts, and what came after.

    `customers` are keys; `facts` has a column for each of `FACTS`; `came_back` and `spent_after` are empty where
    nothing came after the moment yet.
    """

    customers: NDArray[np.int64]
    facts: Floats
    came_back: NDArray[np.bool_]
    spent_after: Floats

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def left(self) -> NDArray[np.bool_]:
        return ~self.came_back


def snapshot(rows: Iterable[Sequence[int]]) -> Snapshot:
    """Return a snapshot of rows (customer, facts, outcomes), all whole numbers."""
    wide = 1 + len(FACTS) + len(OUTCOMES)
    table = np.fromiter(
        (value for row in rows for value in row), dtype=np.float64
    ).reshape(-1, wide)  # fmt: skip
    after = table[:, 1 + len(FACTS) :]
    return Snapshot(
        customers=table[:, 0].astype(np.int64),
        facts=table[:, 1 : 1 + len(FACTS)],
        came_back=after[:, 0] > 0,
        spent_after=np.maximum(after[:, 1], 0),
    )


def matrix(of: Snapshot) -> Floats:
    """Return a column for each of `NAMES`: counts and money on a log scale, shares as they are."""
    known = dict(zip(FACTS, of.facts.T, strict=True))
    orders = known["n_orders"]
    gap = (known["tenure_days"] - known["recency_days"]) / np.maximum(orders - 1, 1)
    usual = np.where(orders > 1, gap, known["tenure_days"])
    shares = {
        "order_gap_days": np.log1p(usual),
        "overdue": np.log1p(known["recency_days"]) - np.log1p(usual),
        "average_order": np.log1p(np.maximum(known["spent"], 0) / orders),
        "discount_share": known["discount"] / np.maximum(known["spent"] + known["discount"], 1),
        "refund_share": known["refunded"] / np.maximum(known["spent"], 1),
        "rhythm_90": orders / np.maximum(known["tenure_days"] / 90, 1),
    }
    scaled = [np.log1p(np.maximum(known[name], 0)) for name in FACTS]
    return np.column_stack([*scaled, *shares.values()])
