"""The words of traits: a label for forms and tables, and what the value means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from profiles.features.vocabulary import Kind, MadeFrom

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True)
class TraitWords:
    label: StrPromise
    meaning: StrPromise


KINDS: dict[Kind, StrPromise] = {
    Kind.COUNT: _("number"),
    Kind.DAYS: _("days"),
    Kind.HOUR: _("hour"),
    Kind.WEEKDAY: _("weekday"),
    Kind.MONEY: _("money"),
    Kind.DECIMAL: _("number"),
    Kind.SHARE: _("percent"),
    Kind.TEXT: _("text"),
}
SOURCES: dict[MadeFrom, StrPromise] = {
    MadeFrom.ORDERS: _("orders"),
    MadeFrom.EVENTS: _("events"),
    MadeFrom.DEVICES: _("owned devices"),
    MadeFrom.SCORES: _("scores"),
}
WORDS: dict[str, TraitWords] = {
    "recency_days": TraitWords(
        _("days since last order"), _("Whole days since the last order was placed.")
    ),
    "tenure_days": TraitWords(
        _("days since first order"), _("Whole days since the first order was placed.")
    ),
    "n_orders": TraitWords(_("orders"), _("Orders that were not cancelled.")),
    "n_items": TraitWords(_("different products bought"), _("Different products in these orders.")),
    "n_units": TraitWords(_("units bought"), _("Units of all products in these orders.")),
    "revenue_minor": TraitWords(
        _("net revenue"), _("Money paid for goods, less what was given back.")
    ),
    "average_order_minor": TraitWords(_("average order"), _("Net revenue by order.")),
    "average_item_minor": TraitWords(
        _("average price per unit"), _("Money paid for goods by unit.")
    ),
    "order_gap_days": TraitWords(
        _("days between orders"), _("Days from one order to the next on average; from two orders.")
    ),
    "top_hour": TraitWords(_("usual hour"), _("The hour in which most orders were placed.")),
    "top_weekday": TraitWords(
        _("usual weekday"), _("The weekday on which most orders were placed.")
    ),
    "night_share": TraitWords(
        _("share bought from 0 to 6 h"), _("Share of orders placed from 0 to 6 h.")
    ),
    "morning_share": TraitWords(
        _("share bought from 6 to 12 h"), _("Share of orders placed from 6 to 12 h.")
    ),
    "afternoon_share": TraitWords(
        _("share bought from 12 to 18 h"), _("Share of orders placed from 12 to 18 h.")
    ),
    "evening_share": TraitWords(
        _("share bought from 18 to 24 h"), _("Share of orders placed from 18 to 24 h.")
    ),
    "weekend_share": TraitWords(
        _("share bought at weekends"), _("Share of orders placed on Saturday or Sunday.")
    ),
    "discount_share": TraitWords(
        _("share of lines at a discount"),
        _("Share of order lines with a discount on the line or on the order."),
    ),
    "refund_share": TraitWords(
        _("share of money refunded"), _("Money given back, as a share of the money paid.")
    ),
    "top_category": TraitWords(
        _("favourite category"), _("The category with the most money spent on it.")
    ),
    "next_order_days": TraitWords(
        _("days until the next order is expected"),
        _("Last order plus the customer's own gap between orders; below 0 it is overdue."),
    ),
    "n_orders_year": TraitWords(_("orders in a year"), _("Orders of the last 365 days.")),
    "spent_year_minor": TraitWords(
        _("spent in a year"), _("Money paid for goods in the last 365 days, before refunds.")
    ),
    "largest_order_minor": TraitWords(_("largest order"), _("The order with the most money.")),
    "coupon_share": TraitWords(
        _("share of orders with a coupon"), _("Share of orders in which a coupon was used.")
    ),
    "discount_depth": TraitWords(
        _("discount on average"), _("Discounts, as a share of what the goods cost before them.")
    ),
    "refunded_order_share": TraitWords(
        _("share of orders refunded"), _("Share of orders of which anything was given back.")
    ),
    "n_categories": TraitWords(
        _("different categories bought"), _("Different categories in all orders.")
    ),
    "top_category_share": TraitWords(
        _("share spent on the favourite category"), _("Of all money spent on goods.")
    ),
    "top_brand": TraitWords(
        _("favourite brand"), _("The brand with the most money spent on it, by the catalogue.")
    ),
    "top_brand_share": TraitWords(
        _("share spent on the favourite brand"), _("Of all money spent on goods.")
    ),
    "price_level": TraitWords(
        _("price level"),
        _(
            "Money paid, against the same units at the average price of their categories: 1 is usual."
        ),
    ),
    "last_seen_days": TraitWords(
        _("days since last visit"), _("Whole days since the last event in the shop or app.")
    ),
    "n_sessions": TraitWords(
        _("visits"), _("Visits in the last 90 days; half an hour of silence ends one.")
    ),
    "n_active_days": TraitWords(
        _("days with a visit"), _("Different days with a visit in the last 90 days.")
    ),
    "n_views": TraitWords(_("products viewed"), _("“Product Viewed” events of the last 90 days.")),
    "n_searches": TraitWords(_("searches"), _("“Products Searched” events of the last 90 days.")),
    "n_cart_adds": TraitWords(
        _("products put into the cart"), _("“Product Added” events of the last 90 days.")
    ),
    "viewed_category": TraitWords(
        _("most viewed category"), _("The category of most products viewed in the last 90 days.")
    ),
    "visit_hour": TraitWords(
        _("usual hour of visits"), _("The hour with most events in the last 90 days.")
    ),
    "visit_weekday": TraitWords(
        _("usual weekday of visits"), _("The weekday with most events in the last 90 days.")
    ),
    "weekend_visit_share": TraitWords(
        _("share of visits at weekends"),
        _("Share of the events of the last 90 days on Saturday or Sunday."),
    ),
    "top_device": TraitWords(
        _("usual device"),
        _("mobile, tablet or desktop: the kind with most events in the last 90 days."),
    ),
    "mobile_share": TraitWords(
        _("share of visits by mobile"),
        _("Share of events from a telephone, of those of a known device, in the last 90 days."),
    ),
    "top_channel": TraitWords(
        _("usual way to the shop"),
        _("The campaign source (utm_source) of most events in the last 90 days."),
    ),
    "n_email_opens": TraitWords(
        _("e-mails opened"), _("Openings of campaign e-mails in the last 90 days.")
    ),
    "n_email_clicks": TraitWords(
        _("clicks in e-mails"), _("Clicks in campaign e-mails in the last 90 days.")
    ),
    "email_click_share": TraitWords(
        _("share of answered campaigns clicked"),
        _("Of campaigns whose e-mail was opened or clicked in the last 90 days."),
    ),
    "last_answer_days": TraitWords(
        _("days since last answer to an e-mail"),
        _("Whole days since a campaign e-mail was last opened or clicked."),
    ),
    "n_devices": TraitWords(
        _("devices owned"), _("Devices bought and not given back, by the catalogue.")
    ),
    "warranty_days": TraitWords(
        _("days until a warranty ends"), _("Of the owned device whose warranty ends next.")
    ),
    "upgrade_days": TraitWords(
        _("days until an upgrade is due"),
        _(
            "The newest device of a category plus what is usual there until one is replaced; below 0 it is overdue."
        ),
    ),
    "churn_risk": TraitWords(
        _("churn risk"),
        _(
            "Chance that nothing is bought in the 90 days after the score was made, learnt anew every night."
        ),
    ),
    "expected_value_minor": TraitWords(
        _("expected value"),
        _(
            "Money expected to be spent on goods in the 90 days after the score was made, learnt anew every night."
        ),
    ),
}
LABELS = {name: words.label for name, words in WORDS.items()}
