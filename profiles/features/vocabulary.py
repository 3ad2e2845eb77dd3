"""The traits there are: one name, one kind and one meaning each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
    BRAND = "brand"
    EVENT = "event"
    SEALED = "sealed"
    SEGMENT = "segment"
    LIST = "list"


class DataClass(StrEnum):
    """What kind of data about a person a trait is made of."""

    PURCHASES = "purchases"
    BROWSING = "browsing"
    CONTACT = "contact"
    POSSESSIONS = "possessions"
    FORETOLD = "foretold"


class MadeFrom(StrEnum):
    """Which rows a trait is computed from."""

    ORDERS = "orders"
    EVENTS = "events"
    DEVICES = "devices"
    SCORES = "scores"


EVENT_DAYS = 90
YEAR_DAYS = 365


@dataclass(frozen=True)
class Trait:
    """One plain value of a customer; its words stand in `trait_words`.

    Only what happened in the last `window_days` counts, or all there is. A trait with a
    `moment` is no column of its own: it is the whole days since that moment, or with `is_ahead`
    the days until it, seen from whenever it is asked for.
    """

    name: str
    kind: Kind
    made_from: MadeFrom
    data_class: DataClass
    window_days: int | None = None
    moment: str = ""
    is_ahead: bool = False

    @property
    def unit(self) -> str:
        """The unit of the value, empty for a bare number or text."""
        return UNITS.get(self.kind, "")


UNITS = {
    Kind.DAYS: "days",
    Kind.MONEY: "minor units of the shop's currency",
    Kind.SHARE: "0-1",
    Kind.HOUR: "hour of the shop's clock, 0-23",
    Kind.WEEKDAY: "weekday, Monday = 0",
}


def _bought(name: str, kind: Kind, days: int | None = None, **more: Any) -> Trait:
    return Trait(name, kind, MadeFrom.ORDERS, DataClass.PURCHASES, days, **more)


def _browsed(name: str, kind: Kind, days: int | None = EVENT_DAYS, **more: Any) -> Trait:
    return Trait(name, kind, MadeFrom.EVENTS, DataClass.BROWSING, days, **more)


def _answered(name: str, kind: Kind, days: int | None = EVENT_DAYS, **more: Any) -> Trait:
    return Trait(name, kind, MadeFrom.EVENTS, DataClass.CONTACT, days, **more)


def _owned(name: str, kind: Kind, **more: Any) -> Trait:
    return Trait(name, kind, MadeFrom.DEVICES, DataClass.POSSESSIONS, **more)


def _foretold(name: str, kind: Kind) -> Trait:
    return Trait(name, kind, MadeFrom.SCORES, DataClass.FORETOLD)


TRAITS = (
    _bought("recency_days", Kind.DAYS, moment="last_order_at"),
    _bought("tenure_days", Kind.DAYS, moment="first_order_at"),
    _bought("n_orders", Kind.COUNT),
    _bought("n_items", Kind.COUNT),
    _bought("n_units", Kind.COUNT),
    _bought("revenue_minor", Kind.MONEY),
    _bought("average_order_minor", Kind.MONEY),
    _bought("average_item_minor", Kind.MONEY),
    _bought("order_gap_days", Kind.DECIMAL),
    _bought("top_hour", Kind.HOUR),
    _bought("top_weekday", Kind.WEEKDAY),
    _bought("night_share", Kind.SHARE),
    _bought("morning_share", Kind.SHARE),
    _bought("afternoon_share", Kind.SHARE),
    _bought("evening_share", Kind.SHARE),
    _bought("weekend_share", Kind.SHARE),
    _bought("discount_share", Kind.SHARE),
    _bought("refund_share", Kind.SHARE),
    _bought("top_category", Kind.TEXT),
    _bought("next_order_days", Kind.DAYS, moment="next_order_at", is_ahead=True),
    _bought("n_orders_year", Kind.COUNT, YEAR_DAYS),
    _bought("spent_year_minor", Kind.MONEY, YEAR_DAYS),
    _bought("largest_order_minor", Kind.MONEY),
    _bought("coupon_share", Kind.SHARE),
    _bought("discount_depth", Kind.SHARE),
    _bought("refunded_order_share", Kind.SHARE),
    _bought("n_categories", Kind.COUNT),
    _bought("top_category_share", Kind.SHARE),
    _bought("top_brand", Kind.TEXT),
    _bought("top_brand_share", Kind.SHARE),
    _bought("price_level", Kind.DECIMAL),
    _browsed("last_seen_days", Kind.DAYS, None, moment="last_seen_at"),
    _browsed("n_sessions", Kind.COUNT),
    _browsed("n_active_days", Kind.COUNT),
    _browsed("n_views", Kind.COUNT),
    _browsed("n_searches", Kind.COUNT),
    _browsed("n_cart_adds", Kind.COUNT),
    _browsed("viewed_category", Kind.TEXT),
    _browsed("visit_hour", Kind.HOUR),
    _browsed("visit_weekday", Kind.WEEKDAY),
    _browsed("weekend_visit_share", Kind.SHARE),
    _browsed("top_device", Kind.TEXT),
    _browsed("mobile_share", Kind.SHARE),
    _browsed("top_channel", Kind.TEXT),
    _answered("n_email_opens", Kind.COUNT),
    _answered("n_email_clicks", Kind.COUNT),
    _answered("email_click_share", Kind.SHARE),
    _answered("last_answer_days", Kind.DAYS, None, moment="last_answer_at"),
    _owned("n_devices", Kind.COUNT),
    _owned("warranty_days", Kind.DAYS, moment="next_warranty_end_at", is_ahead=True),
    _owned("upgrade_days", Kind.DAYS, moment="upgrade_due_at", is_ahead=True),
    _foretold("churn_risk", Kind.SHARE),
    _foretold("expected_value_minor", Kind.MONEY),
)
BY_NAME = {trait.name: trait for trait in TRAITS}


def age_band(age: int) -> str:
    """Return the band a non-negative age in whole years falls into; empty beyond 150."""
    return next((band for band, (low, high) in AGE_BANDS.items() if low <= age <= high), "")
