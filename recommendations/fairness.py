"""Fairness of a training run: how good its lists are for each group, and whose products they show.

Groups of people are read under the purpose of fairness audits; only figures of groups are kept.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from privacy.purposes import purpose
from profiles.auditing import group_of
from profiles.models import Customer
from recommendations.activation import TRAINER
from recommendations.evaluation import groups
from recommendations.models import Product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommendations.engines.base import Integers
    from recommendations.evaluation.comparing import Result
    from recommendations.evaluation.splits import Split
    from recommendations.interactions import Reading

PURPOSE: Final = "fairness.audit"
ATTRIBUTES: Final = ("age_band", "gender", "country", "city")
NDCG, PLACES = "ndcg@10", 10
ASKED_AT_ONCE = 5_000


def of_lists(reading: Reading, test: Split, ours: Result, *, now: datetime) -> dict[str, Any]:
    """Return what the lists of the test window say of each group, as stored on a run.

    `quality` by attribute of people, `exposure` by brand, price band and size of the seller.
    """
    customers = [reading.customers[row] for row in test.warm]
    with purpose(PURPOSE, actor=TRAINER, now=now):
        groups_of = _groups(customers, datetime.fromtimestamp(reading.end, tz=UTC))
    told: dict[str, Any] = {"quality": {}, "exposure": {}}
    for attribute, names in groups_of.items():
        found = groups.quality(ours.per_person[NDCG], names)
        if any(one.group for one in found):
            told["quality"][attribute] = [asdict(one) for one in found]
    sold = np.bincount(test.train.items, minlength=len(reading.items.ids))
    for name, classes in _classes(reading.items.ids, sold).items():
        if any(classes):
            rows = groups.exposure(ours.ranked, PLACES, classes, sold)
            told["exposure"][name] = [
                {**asdict(one), "ratio": one.ratio and asdict(one.ratio)} for one in rows
            ]
    return told


def _groups(customers: Sequence[int], at: datetime) -> dict[str, list[str]]:
    """Return each customer's group by attribute, in their order; empty where it is not known."""
    known: dict[int, tuple[str, ...]] = {}
    columns = {f"group_{name}": group_of(name, at) for name in ATTRIBUTES}
    allowed = Customer.objects.for_purpose(PURPOSE).annotate(**columns)
    for start in range(0, len(customers), ASKED_AT_ONCE):
        some = allowed.filter(pk__in=customers[start : start + ASKED_AT_ONCE])
        known |= {pk: tuple(told) for pk, *told in some.values_list("pk", *columns)}
    nothing = ("",) * len(ATTRIBUTES)
    return {
        name: [known.get(pk, nothing)[place] for pk in customers]
        for place, name in enumerate(ATTRIBUTES)
    }


def _classes(ids: Sequence[str], sold: Integers) -> dict[str, list[str]]:
    """Return the brand, the price band and the size of the seller of each item."""
    rows = Product.objects.values_list("product_id", "brand", "price_minor")
    facts = {id_: (brand, price) for id_, brand, price in rows.iterator(ASKED_AT_ONCE)}
    known = [facts.get(id_, ("", None)) for id_ in ids]
    brands = [brand for brand, _price in known]
    prices = np.array([np.nan if price is None else price for _brand, price in known])
    return {
        "brand": brands,
        "price_band": groups.bands(prices),
        "seller_size": groups.sizes(brands, sold),
    }
