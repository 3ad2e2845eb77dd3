"""Refunds of files without their invoice: the end is the same whatever came first."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.core.management import call_command

from profiles import cleaning
from profiles.models import (
    Customer,
    CustomerTraits,
    Order,
    OrderLine,
    Refund,
    StagedLine,
    ToldRefund,
    Upload,
)
from profiles.orders import ordering
from profiles.orders.statements import LineState, OrderState, RefundState
from profiles.traits import featuring
from tests import make
from tests.make import NOW
from tests.profiles.orders import HEAD as COLUMN_NAMES
from tests.profiles.orders import MAPPED, facts, load

pytestmark = pytest.mark.django_db

HEAD = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
FILES = {
    "first_sale": "500001,CABLE,Cable,3,2010-01-05 10:00:00,10.00,c-1,France\n",
    "second_sale": "500002,CABLE,Cable,2,2010-02-05 10:00:00,10.00,c-1,France\n",
    "first_refund": "C500003,CABLE,Cable,-2,2010-02-10 10:00:00,10.00,c-1,France\n",
    "second_refund": "C500004,CABLE,Cable,-4,2010-03-10 10:00:00,10.00,c-1,France\n",
}
SLIPS = {
    "sale": "500001,CABLE,Cable,3,2010-01-05 10:00:00,10.00,c-1,France\n"
    "500001,PLUG,Plug,1,2010-01-05 10:00:00,5.00,c-1,France\n",
    "slip": "C500003,CABLE,Cable,-2,2010-02-10 10:00:00,1000.00,c-1,France\n",
    "plug": "C500004,PLUG,Plug,-1,2010-02-09 10:00:00,5.00,c-1,France\n",
}
COLUMNS = COLUMN_NAMES.strip().split(",")
OPTIONS = {"format": "online-retail", "currency": "GBP", "timezone": "UTC"}


def end(folder: Path, names: tuple[str, ...], **others: Callable[[], Any]) -> Any:
    """What the database holds after the files came in that order, from nothing."""
    for model in (Refund, ToldRefund, OrderLine, Order, StagedLine, Upload, Customer):
        model._default_manager.all().delete()
    for name in names:
        if name in others:
            others[name]()
            continue
        path = folder / f"{name}.csv"
        path.write_text(HEAD + (FILES | SLIPS)[name])
        load(path, **OPTIONS)
    return facts()


def test_a_refund_is_matched_alike_whichever_file_came_first(tmp_path: Path) -> None:
    whole = tmp_path / "whole.csv"
    whole.write_text(HEAD + "".join(FILES.values()))
    load(whole, **OPTIONS)
    at_once = facts()

    ends = [end(tmp_path, names) for names in itertools.permutations(FILES)]

    assert [one for one in ends if one != at_once] == []
    back = {(line[0], line[6]) for line in at_once["lines"]}
    assert back == {("500001", 3), ("500002", 2)}
    left_over = [refund[4] for refund in at_once["refunds"] if refund[1] is None]
    assert left_over == [1]


def test_a_refund_of_a_file_waits_for_an_order_that_the_api_tells_of(tmp_path: Path) -> None:
    def api() -> None:
        line = LineState("CABLE", quantity=2, unit_price_minor=1_000)
        placed_at = datetime(2010, 2, 5, 10, tzinfo=UTC)
        state = OrderState(
            number="A-1", stated_at=NOW, placed_at=placed_at, currency="GBP", lines=(line,),
            customer_id="c-1",
        )  # fmt: skip
        ordering.upsert([state], source_id=make.source().pk, now=NOW)

    told = ["first_sale", "first_refund", "api"]
    ends = [end(tmp_path, names, api=api) for names in itertools.permutations(told)]

    assert [one for one in ends if one != ends[0]] == []
    assert Refund.objects.get().line == OrderLine.objects.get(order__number="A-1")
    assert Order.objects.get(number="A-1").refunded_minor == 2_000


def test_the_order_of_a_refund_is_free_again_when_the_file_of_a_later_one_is_taken_back(
    tmp_path: Path,
) -> None:
    alone = end(tmp_path, ("first_sale", "second_sale", "second_refund"))

    end(tmp_path, ("first_sale", "second_sale", "second_refund", "first_refund"))
    call_command("undo_import", str(Upload.objects.latest("pk").uuid), verbosity=0)

    assert facts() == alone


def test_what_a_file_refunds_beyond_what_was_paid_is_worth_nothing_whatever_came_first(
    tmp_path: Path,
) -> None:
    """The refund of a plug is earlier and gets its money first; the slip gets what is left."""

    def api() -> None:
        back = RefundState(key="r9", refunded_at=NOW, amount_minor=700)
        ordering.add_refunds([("500001", back)], source_id=make.source().pk, channel="api")

    told = [*SLIPS, "api"]
    ends = [end(tmp_path, names, api=api) for names in itertools.permutations(told)]

    assert [one for one in ends if one != ends[0]] == []
    order = Order.objects.get()
    assert (order.total_minor, order.refunded_minor) == (3_500, 3_500)
    slip = Refund.objects.get(refund_key__startswith="C500003")
    assert (slip.amount_minor, slip.beyond_minor, slip.quantity) == (3_000, 197_000, 2)
    assert Refund.objects.get(line=None).amount_minor == 700
    assert list(Order.objects.refunded_beyond()) == [order]


def test_money_beyond_counts_again_when_the_refund_before_it_is_taken_back(tmp_path: Path) -> None:
    alone = end(tmp_path, ("sale", "slip"))

    end(tmp_path, ("sale", "slip", "plug"))
    call_command("undo_import", str(Upload.objects.latest("pk").uuid), verbosity=0)

    assert facts() == alone


def as_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    pd.DataFrame(rows).to_csv(path.with_suffix(".csv"), index=False)
    return path.with_suffix(".csv")


def as_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    pd.DataFrame(rows).to_json(path.with_suffix(".jsonl"), orient="records", lines=True)
    return path.with_suffix(".jsonl")


def as_excel(path: Path, rows: list[dict[str, Any]]) -> Path:
    pd.DataFrame(rows).to_excel(path.with_suffix(".xlsx"), index=False)
    return path.with_suffix(".xlsx")


@pytest.mark.parametrize("write", [as_csv, as_jsonl, as_excel])
def test_a_slip_is_worth_the_same_by_file_as_by_the_api(
    tmp_path: Path, write: Callable[[Path, list[dict[str, Any]]], Path]
) -> None:
    rows = [
        dict(zip(COLUMNS, row, strict=True))
        for row in (
            ("1", "ann", "tv", 1, "150.00", "2025-01-01T10:00:00+00:00"),
            ("1", "ann", "cable", 1, "40.00", "2025-01-01T10:00:00+00:00"),
            ("C1", "ann", "tv", -1, "5050.00", "2025-01-03T10:00:00+00:00"),
        )
    ]
    load(write(tmp_path / "orders", rows), **MAPPED)
    day = datetime(2025, 1, 1, 10, tzinfo=UTC)
    lines = (LineState("tv", 1, 15_000), LineState("cable", 1, 4_000))
    back = RefundState(
        key="r1", refunded_at=day + timedelta(days=2), amount_minor=505_000, product_id="tv",
        quantity=1,
    )  # fmt: skip
    state = OrderState(
        number="2", stated_at=day, placed_at=day, currency="EUR", customer_id="bob", lines=lines,
        refunds=(back,),
    )  # fmt: skip
    ordering.upsert([state], source_id=make.source().pk, now=NOW)
    cleaning.mark_orders({})
    featuring.build_traits(NOW)

    columns = ("total_minor", "refunded_minor", "quality")
    filed, told = Order.objects.order_by("number").values_list(*columns)
    assert filed == told == (19_000, 19_000, "refunded")
    traits = CustomerTraits.objects.values_list("revenue_minor", "refund_share", "n_orders")
    assert list(traits) == [(0, 1.0, 1)] * 2
