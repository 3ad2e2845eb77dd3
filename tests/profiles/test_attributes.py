"""What can be said of customers: only what the data carry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from profiles.features.attributes import Attribute, attributes

QUIET: dict[str, Any] = {
    "revenue_minor": 1000, "n_orders": 1, "average_item_minor": 500, "average_order_minor": 1000,
    "recency_days": 10.0, "tenure_days": 10.0, "night_share": 0.0, "morning_share": 0.0,
    "afternoon_share": 0.0, "evening_share": 1.0, "weekend_share": 0.0, "discount_share": 0.0,
    "refund_share": 0.0, "category_shares": {}, "birth_year": np.nan, "gender": "", "country": "",
    "city": "", "occupation": "", "n_email_opens": 0, "n_email_clicks": 0, "top_channel": "",
}  # fmt: skip


def said(*rows: dict[str, Any]) -> dict[tuple[str, str], Attribute]:
    people = pd.DataFrame([QUIET | row for row in rows])
    return {(one.code, one.value): one for one in attributes(people, year=2026)}


def test_a_shop_that_records_no_discounts_and_refunds_sells_at_unknown_prices() -> None:
    assert {code for code, _value in said({}, {})} & {"discount", "refund"} == set()


def test_where_some_had_a_discount_the_others_never_had_one() -> None:
    found = said({"discount_share": 0.9}, {}, {"refund_share": 0.8})

    assert found["discount", "often"].holds.tolist() == [True, False, False]
    assert found["discount", "never"].holds.tolist() == [False, True, True]
    assert found["refund", "often"].holds.tolist() == [False, False, True]


def test_a_category_is_known_only_of_whose_items_have_one() -> None:
    audio = said({"category_shares": {"Audio": 1.0}}, {})["category", "Audio"]

    assert (audio.holds.tolist(), audio.known.tolist()) == ([True, False], [True, False])


def test_answers_to_e_mail_are_known_of_all_once_anybody_answered() -> None:
    found = said({"n_email_clicks": 1}, {"n_email_opens": 2}, {})

    assert found["answers", "email"].holds.tolist() == [True, True, False]
    assert not [code for code, _value in said({}, {}) if code == "answers"]


def test_a_channel_is_known_only_of_whose_visits_tell_it() -> None:
    rows = [{"top_channel": "newsletter"}] * 12 + [{}] * 3

    channel = said(*rows)["channel", "newsletter"]

    assert (int(channel.holds.sum()), int(channel.known.sum())) == (12, 12)
