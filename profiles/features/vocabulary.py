"""The traits there are: one name, one kind and one meaning each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RECENT_DAYS = 30
NEW_DAYS = 60
LAPSED_DAYS = 90
AGE_BANDS: dict[str, tuple[int, int]] = {
    "0-17": (0, 17),
    "18-24": (18, 24),
    "25-34": (25, 34),
    "35-44": (35, 44),
    "45-54": (45, 54),
    "55-64": (55, 64),
    "65+": (65, 150),
}


class Kind(StrEnum):
    """What the values of a field are; it decides operators, units and words."""

    COUNT = "count"
    DAYS = "days"
    HOUR = "hour"
    WEEKDAY = "weekday"
    MONEY = "money"
    DECIMAL = "decimal"
    SHARE = "share"
    TEXT = "text"
    CHOICE = "choice"
    PERSONA = "persona"
    PRODUCT = "product"
    CATEGORY = "category"
    CONSENT = "consent"


@dataclass(frozen=True)
class Trait:
    """A column of `CustomerTraits` that holds one plain value."""

    name: str
    kind: Kind


TRAITS = (
    Trait("recency_days", Kind.DAYS),
    Trait("tenure_days", Kind.DAYS),
    Trait("n_orders", Kind.COUNT),
    Trait("n_items", Kind.COUNT),
    Trait("n_units", Kind.COUNT),
    Trait("revenue_minor", Kind.MONEY),
    Trait("average_order_minor", Kind.MONEY),
    Trait("average_item_minor", Kind.MONEY),
    Trait("order_gap_days", Kind.DECIMAL),
    Trait("top_hour", Kind.HOUR),
    Trait("top_weekday", Kind.WEEKDAY),
    Trait("night_share", Kind.SHARE),
    Trait("morning_share", Kind.SHARE),
    Trait("afternoon_share", Kind.SHARE),
    Trait("evening_share", Kind.SHARE),
    Trait("weekend_share", Kind.SHARE),
    Trait("discount_share", Kind.SHARE),
    Trait("refund_share", Kind.SHARE),
    Trait("top_category", Kind.TEXT),
)


def age_band(age: int) -> str:
    """Return the band a non-negative age in whole years falls into; empty beyond 150."""
    return next((band for band, (low, high) in AGE_BANDS.items() if low <= age <= high), "")
