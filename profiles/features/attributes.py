"""What can be said of single customers: each word as a yes or no, and of whom it is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from profiles.features.facts import SMALL_CELL, Fact
from profiles.features.vocabulary import LAPSED_DAYS, NEW_DAYS, RECENT_DAYS, age_band

Flags = NDArray[np.bool_]

HABIT = 1 / 3
OFTEN_DISCOUNTED = 0.3
MANY_RETURNS = 0.1
COMMON = 0.5
MOST_VALUES = 30
KNOWN_ENOUGH = 0.3
OWN = "own:"  # how columns of the shop's own traits begin
TOLD_FROM = 0.1  # effects below, of things that are not common either, are not kept


@dataclass(frozen=True)
class Attribute:
    """One thing that holds or not of each customer; only `known` ones count in its shares."""

    code: str
    value: str
    holds: Flags
    known: Flags


def attributes(people: pd.DataFrame, *, year: int) -> list[Attribute]:
    """Return every attribute the data carry, from traits and the coarse fields of customers.

    `people` has one row a customer with the columns of `CustomerTraits`, `birth_year` (NaN
    if unknown), `gender`, `country`, `city`, `occupation` (empty if unknown). High and low
    are the top fifth and the bottom third of these people. Columns that begin with `OWN` are
    traits of the shop's own: numbers (NaN if unknown) or texts (empty if unknown).
    """
    return [
        *_behaviour(people),
        *_habits(people),
        *_channels(people),
        *_categories(people),
        *_person(people, year),
        *_own(people),
    ]


def _behaviour(people: pd.DataFrame) -> Iterator[Attribute]:
    everybody = np.ones(len(people), dtype=bool)

    def yes(code: str, value: str, holds: Any) -> Attribute:
        return Attribute(code, value, np.asarray(holds, dtype=bool), everybody)

    revenue, orders = people["revenue_minor"], people["n_orders"]
    price, basket = people["average_item_minor"], people["average_order_minor"]
    yield yes("value", "high", revenue > revenue.quantile(0.8))
    yield yes("value", "low", revenue <= revenue.quantile(1 / 3))
    yield yes("frequency", "often", orders > max(orders.quantile(0.8) - 1, 2))
    yield yes("frequency", "once", orders == 1)
    yield yes("recency", "recent", people["recency_days"] <= RECENT_DAYS)
    yield yes("recency", "lapsed", people["recency_days"] >= LAPSED_DAYS)
    yield yes("tenure", "new", people["tenure_days"] <= NEW_DAYS)
    yield yes("price", "high", price > price.quantile(0.8))
    yield yes("price", "low", price <= price.quantile(1 / 3))
    yield yes("order", "big", basket > basket.quantile(0.8))
    yield yes("order", "small", basket <= basket.quantile(1 / 3))


def _habits(people: pd.DataFrame) -> Iterator[Attribute]:
    everybody = np.ones(len(people), dtype=bool)
    for part in ("night", "morning", "afternoon", "evening"):
        holds = np.asarray(people[f"{part}_share"] >= HABIT)
        yield Attribute("hour", part, holds, everybody)
    yield Attribute("weekend", "often", np.asarray(people["weekend_share"] >= HABIT), everybody)
    # A shop that records no discounts sells at unknown, not at full prices; likewise refunds.
    if (discount := np.asarray(people["discount_share"])).any():
        yield Attribute("discount", "often", discount >= OFTEN_DISCOUNTED, everybody)
        yield Attribute("discount", "never", discount == 0, everybody)
    if (refund := np.asarray(people["refund_share"])).any():
        yield Attribute("refund", "often", refund >= MANY_RETURNS, everybody)


def _channels(people: pd.DataFrame) -> Iterator[Attribute]:
    """A shop that sends no campaigns knows of nobody whether they answer."""
    answers = np.asarray(people["n_email_opens"] + people["n_email_clicks"] > 0, dtype=bool)
    if answers.any():
        yield Attribute("answers", "email", answers, np.ones(len(people), dtype=bool))
    yield from _values("channel", people["top_channel"].tolist())


def _categories(people: pd.DataFrame) -> Iterator[Attribute]:
    shares = people["category_shares"].tolist()
    known = np.array([bool(one) for one in shares], dtype=bool)
    for name in main_categories(shares, people["revenue_minor"].tolist()):
        bought = np.array([one.get(name, 0.0) for one in shares])
        yield Attribute("category", name, bought >= HABIT, known)


def main_categories(
    shares: Sequence[dict[str, float]], money: Sequence[int], *, most: int = MOST_VALUES
) -> list[str]:
    """Return the categories with the most money of these customers, the largest first."""
    totals: dict[str, float] = {}
    for one, amount in zip(shares, money, strict=True):
        for name, share in one.items():
            totals[name] = totals.get(name, 0.0) + share * amount
    return sorted(totals, key=lambda name: (-round(totals[name]), name))[:most]


def _person(people: pd.DataFrame, year: int) -> Iterator[Attribute]:
    births = people["birth_year"].tolist()
    bands = ["" if pd.isna(birth) else age_band(year - int(birth)) for birth in births]
    yield from _values("age_band", bands)
    for code in ("gender", "country", "city", "occupation"):
        yield from _values(code, people[code].tolist())


def _values(code: str, values: Sequence[str]) -> Iterator[Attribute]:
    column = np.array(values, dtype=object)
    known = column != ""
    counts = pd.Series(column[known]).value_counts()
    common = sorted(counts[counts >= SMALL_CELL].items(), key=lambda item: (-item[1], item[0]))
    for value, _n in common[:MOST_VALUES]:
        yield Attribute(code, str(value), np.asarray(column == value, dtype=bool), known)


def _own(people: pd.DataFrame) -> Iterator[Attribute]:
    for column in (name for name in people.columns if name.startswith(OWN)):
        label, values = column.removeprefix(OWN), people[column]
        if not pd.api.types.is_numeric_dtype(values):
            for one in _values("own_value", values.tolist()):
                yield replace(one, value=f"{label}: {one.value}")
            continue
        known = np.asarray(values.notna(), dtype=bool)
        high = np.asarray(values > values.quantile(0.8), dtype=bool)
        yield Attribute("own_high", label, high, known)


def facts(attributes: Iterable[Attribute], group: Flags) -> list[Fact]:
    """Return what the group's members have in common, each with the shares behind it.

    Left out are counts below 10 (nobody is to be recognised), what is known of less than
    three in ten, and what is neither common nor unusual in the group.
    """
    made = [_fact(attribute, group) for attribute in attributes]
    return [fact for fact in made if fact is not None]


def _fact(attribute: Attribute, group: Flags) -> Fact | None:
    known, holds = attribute.known & group, attribute.holds & attribute.known
    n, n_known = int((holds & group).sum()), int(known.sum())
    if n < SMALL_CELL or n_known < KNOWN_ENOUGH * group.sum():
        return None
    share, everyone = n / n_known, int(holds.sum()) / int(attribute.known.sum())
    effect = cohens_h(share, everyone)
    if share < COMMON and abs(effect) < TOLD_FROM:
        return None
    return Fact(
        code=attribute.code,
        value=attribute.value,
        share=round(share, 4),
        everyone=round(everyone, 4),
        n=n,
        n_known=n_known,
        effect=round(effect, 4),
    )


def cohens_h(share: float, other: float) -> float:
    """Return the effect size of two shares in 0-1: 0.2 is small, 0.5 medium, 0.8 large.

    Source: J. Cohen, Statistical Power Analysis (2nd ed. 1988), section 6.2.
    """
    return float(2 * np.arcsin(np.sqrt(share)) - 2 * np.arcsin(np.sqrt(other)))
