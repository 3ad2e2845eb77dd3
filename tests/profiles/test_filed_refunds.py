"""Refunds of files without their invoice: the end is the same whatever came first."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from profiles.models import Customer, Order, OrderLine, Refund, StagedLine, ToldRefund, Upload
from profiles.orders import ordering
from profiles.orders.ordering import LineState, OrderState
from tests import make
from tests.make import NOW
from tests.profiles.orders import facts, load

pytestmark = pytest.mark.django_db

HEAD = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
FILES = {
    "first_sale": "500001,CABLE,Cable,3,2010-01-05 10:00:00,10.00,c-1,France\n",
    "second_sale": "500002,CABLE,Cable,2,2010-02-05 10:00:00,10.00,c-1,France\n",
    "first_refund": "C500003,CABLE,Cable,-2,2010-02-10 10:00:00,10.00,c-1,France\n",
    "second_refund": "C500004,CABLE,Cable,-4,2010-03-10 10:00:00,10.00,c-1,France\n",
}
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
        path.write_text(HEAD + FILES[name])
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
