"""A real shop's year: 525,461 invoice lines as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db.models import Sum

from profiles.models import Customer, Order, OrderLine, Refund, StagedLine
from tests.profiles.orders import (
    ONLINE_RETAIL,
    load,
    matches_by_hand,
    matches_found,
    pence,
    rows_of,
    tally,
)

pytestmark = [pytest.mark.django_db, pytest.mark.real_data, pytest.mark.slow]


def test_the_real_year_adds_up_to_the_penny_and_once(data_dir: Path) -> None:
    path = data_dir / "online_retail" / "2009-2010.csv.gz"

    found = tally(load(path, **ONLINE_RETAIL))

    buckets = found.buckets["GBP"]
    total = sum(map(pence, rows_of(path)))
    assert found.counts["rows"] == 525_461
    assert found.counts["cancellations"] == 10_206
    assert found.counts["without_customer"] == 107_927
    assert found.counts.get("rejected", 0) == 0
    assert found.totals == {"GBP": [525_461, total]}
    assert sum(minor for _n, minor in buckets.values()) == total
    assert sum(n for n, _minor in buckets.values()) == 525_461
    assert found.is_balanced
    assert not StagedLine.objects.exists()

    sums = Order.objects.aggregate(Sum("total_minor"), Sum("refunded_minor"))
    assert sums["total_minor__sum"] == buckets["net"][1] + buckets["guest"][1]
    assert sums["refunded_minor__sum"] == -buckets["refund_matched"][1]
    goods = set(OrderLine.objects.values_list("product_id", flat=True)) | set(
        Refund.objects.values_list("product_id", flat=True)
    )
    assert matches_found() == matches_by_hand(rows_of(path), goods)

    counts = [model.objects.count() for model in (Customer, Order, OrderLine, Refund)]
    again = tally(load(path, **ONLINE_RETAIL))
    assert [model.objects.count() for model in (Customer, Order, OrderLine, Refund)] == counts
    assert again.buckets == found.buckets
