"""Order files: what becomes of each line, that the money adds up, and that twice is once."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from jobs.models import Job
from profiles import registry
from profiles.files.rejects import path_of
from profiles.models import Customer, Order, OrderLine, Refund, StagedLine, Upload
from tests import make
from tests.profiles.orders import (
    HEAD,
    MAPPED,
    ONLINE_RETAIL,
    SAMPLE,
    facts,
    load,
    matches_by_hand,
    matches_found,
    pence,
    put,
    rows_of,
    tally,
)

pytestmark = pytest.mark.django_db


def test_every_penny_of_the_sample_is_in_one_bucket() -> None:
    rows = list(rows_of(SAMPLE))

    found = tally(load(SAMPLE, **ONLINE_RETAIL))

    assert found.is_balanced
    assert found.totals == {"GBP": [len(rows), sum(map(pence, rows))]}
    assert sum(minor for _n, minor in found.buckets["GBP"].values()) == sum(map(pence, rows))
    assert found.counts["cancellations"] == sum(row["Invoice"][0] == "C" for row in rows)
    assert found.counts["without_customer"] == sum(not row["Customer ID"] for row in rows)
    assert not StagedLine.objects.exists()


def test_postgresql_looks_at_what_was_staged_before_it_works_on_it() -> None:
    with CaptureQueriesContext(connection) as asked:
        load(SAMPLE, **ONLINE_RETAIL)

    texts = [" ".join(one["sql"].split()) for one in asked.captured_queries]
    looked = next(
        (n for n, sql in enumerate(texts) if sql == 'ANALYZE "profiles_stagedline"'), None
    )
    numbered = next(n for n, sql in enumerate(texts) if "AS equal_ones" in sql)
    assert (looked is None) == (connection.vendor != "postgresql")
    assert looked is None or looked < numbered


def test_the_buckets_are_what_the_database_holds() -> None:
    buckets = tally(load(SAMPLE, **ONLINE_RETAIL)).buckets["GBP"]

    def total(**which: bool) -> tuple[int, int]:
        lines = OrderLine.objects.filter(order__customer__isnull=which["guest"])
        return lines.count(), sum(lines.values_list("total_minor", flat=True))

    assert tuple(buckets["net"]) == total(guest=False)
    assert tuple(buckets["guest"]) == total(guest=True)
    matched = sum(Refund.objects.exclude(line=None).values_list("amount_minor", flat=True))
    said = sum(refund.said_minor for refund in Refund.objects.all())
    assert buckets["refund_matched"][1] == -matched
    assert buckets["refund_unmatched"][1] == matched - said
    sums = Order.objects.aggregate(Sum("total_minor"), Sum("refunded_minor"))
    assert sums["total_minor__sum"] == buckets["net"][1] + buckets["guest"][1]
    assert sums["refunded_minor__sum"] == -buckets["refund_matched"][1]


def test_refunds_of_the_sample_are_matched_as_by_hand() -> None:
    load(SAMPLE, **ONLINE_RETAIL)
    goods = set(OrderLine.objects.values_list("product_id", flat=True)) | set(
        Refund.objects.values_list("product_id", flat=True)
    )

    by_hand = matches_by_hand(rows_of(SAMPLE), goods)

    assert matches_found() == by_hand
    assert len(by_hand[0]) > 10


def test_personal_data_in_titles_is_masked_and_counted_row_by_row(tmp_path: Path) -> None:
    head = HEAD.strip() + ",title\n"
    rows = "".join(
        f"{number},c-1,p,1,9.99,2025-01-0{number},{title}\n"
        for number, title in enumerate(["Engraving for 13800138000", "Cable"] * 2, start=1)
    )
    options = MAPPED | {"map": [*MAPPED["map"], "title=title"]}

    found = tally(load(put(tmp_path, head + rows), **options))

    titles = OrderLine.objects.order_by("order__number").values_list("title", flat=True)
    assert list(titles) == ["Engraving for [phone]", "Cable"] * 2
    assert found.counts["masked"] == 2


def test_a_second_import_of_the_same_file_adds_nothing() -> None:
    first = tally(load(SAMPLE, **ONLINE_RETAIL))
    before = facts()

    again = tally(load(SAMPLE, **ONLINE_RETAIL))

    assert facts() == before
    assert again.buckets == first.buckets
    added = {name: n for name, n in again.counts.items() if name.endswith("_added")}
    assert set(added.values()) == {0}


def test_exact_repeats_are_lines_of_their_own() -> None:
    repeats = Counter(
        (row["Invoice"], row["StockCode"].strip().upper(), row["Price"], row["Quantity"])
        for row in rows_of(SAMPLE)
        if not row["Invoice"].startswith("C")
    )
    (invoice, item, _price, _quantity), n = max(repeats.items(), key=lambda pair: pair[1])
    assert n > 1

    load(SAMPLE, **ONLINE_RETAIL)

    lines = OrderLine.objects.filter(order__number=invoice, product_id=item)
    assert lines.count() >= n


def test_two_files_that_overlap_are_one_history(tmp_path: Path) -> None:
    lines = SAMPLE.read_text().splitlines(keepends=True)
    load(put(tmp_path, "".join(lines[:200]), "early.csv"), **ONLINE_RETAIL)
    load(put(tmp_path, "".join(lines[:1] + lines[120:]), "late.csv"), **ONLINE_RETAIL)
    in_two_parts = facts()

    whole = tally(load(SAMPLE, **ONLINE_RETAIL))

    assert facts() == in_two_parts
    assert whole.counts["lines_added"] == whole.counts["refunds_added"] == 0


def test_lines_without_a_customer_are_guest_orders_and_no_customers(tmp_path: Path) -> None:
    path = put(tmp_path, HEAD + "g-1,,p-1,2,10.00,2026-01-05\nc-1,ann,p-1,1,10.00,2026-01-05\n")

    found = tally(load(path, **MAPPED))

    assert found.buckets["EUR"] == {"guest": [1, 2000], "net": [1, 1000]}
    assert Order.objects.get(number="g-1").customer is None
    assert [customer.external_id for customer in Customer.objects.all()] == ["ann"]


def test_only_who_bought_or_gave_back_goods_becomes_a_customer(tmp_path: Path) -> None:
    head = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
    path = put(
        tmp_path,
        head
        + "1,POST,POSTAGE,1,2010-01-04 10:00:00,18.0,111.0,France\n"
        + "C2,22041,FRAME,-1,2010-01-04 10:00:00,2.1,222.0,France\n",
    )

    load(path, **ONLINE_RETAIL)

    assert [customer.external_id for customer in Customer.objects.all()] == ["222"]
    assert not Order.objects.exists()


def test_a_guest_order_that_turns_out_to_be_a_customers_becomes_hers(tmp_path: Path) -> None:
    load(put(tmp_path, HEAD + "o-1,,p-1,1,10.00,2026-01-05\n", "a.csv"), **MAPPED)

    load(put(tmp_path, HEAD + "o-1,ann,p-2,1,5.00,2026-01-05\n", "b.csv"), **MAPPED)

    order = Order.objects.get()
    assert order.customer is not None
    assert (order.customer.external_id, order.total_minor) == ("ann", 1500)


def test_an_order_of_another_source_is_left_as_it_is(tmp_path: Path) -> None:
    make.order(make.customer("ann"), ("p-1", "", 1, 1000), number="o-1")

    found = tally(load(put(tmp_path, HEAD + "o-1,ann,p-1,3,10.00,2026-01-05\n"), **MAPPED))

    assert found.buckets["EUR"] == {"set_aside:order_known": [1, 3000]}
    assert found.is_balanced
    assert Order.objects.get().total_minor == 1000


def test_a_line_that_contradicts_its_order_is_rejected(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        "order,customer,product,quantity,price,placed_at,currency\n"
        "o-1,ann,p-1,1,10.00,2026-01-05,EUR\n"
        "o-1,bob,p-2,1,5.00,2026-01-05,EUR\n"
        "o-1,ann,p-3,1,5.00,2026-01-05,USD\n",
    )
    mapped = MAPPED | {"map": [*MAPPED["map"], "currency=currency"]}

    upload = load(path, **mapped)

    assert tally(upload).buckets == {
        "EUR": {"net": [1, 1000], "rejected:customer_differs": [1, 500]},
        "USD": {"rejected:currency_differs": [1, 500]},
    }
    assert tally(upload).is_balanced
    assert path_of(upload).read_text().splitlines()[1:] == [
        "3,customer_differs",
        "4,currency_differs",
    ]


def test_currencies_are_never_summed_together(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        "order;customer;product;quantity;price;placed_at;currency\n"
        "o-1;ann;p-1;1;10.00;2026-01-05;EUR\no-2;ann;p-1;1;1980;2026-01-05;JPY\n",
    )
    mapped = MAPPED | {"map": [*MAPPED["map"], "currency=currency"]}

    found = tally(load(path, **mapped))

    assert found.totals == {"EUR": [1, 1000], "JPY": [1, 1980]}


def test_rejected_rows_are_filed_by_line_and_shape_never_by_value(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        HEAD
        + "o-1,ann,p-1,1,10.00,2026-01-05\n"
        + "o-2,Ann.Lee@example.com,p-1,1,10.00,2026-01-05\n"
        + "o-3,ann,p-1,1,10.00,2099-12-31\n"
        + "o-4,ann,p-1,1,nan,2026-01-05\n"
        + "o-5,ann\n"
        + "o-\0,ann,p-1,1,10.00,2026-01-05\n",
    )

    upload = load(path, **MAPPED)

    assert upload.n_rejected == 5
    assert path_of(upload).read_text().splitlines() == [
        "line,code,order,customer,product,quantity,price,placed_at",
        "3,customer_is_personal,x-9,xxx.xxx@xxxxxxx.xxx,x-9,9,99.99,9999-99-99",
        "4,date_in_future,x-9,xxx,x-9,9,99.99,9999-99-99",
        "5,price_unreadable,x-9,xxx,x-9,9,xxx,9999-99-99",
        "6,field_count",
        "7,nul_byte",
    ]
    assert path_of(upload).stat().st_mode & 0o777 == 0o600
    assert tally(upload).buckets["EUR"] == {
        "net": [1, 1000],
        "rejected:customer_is_personal": [1, 1000],
        "rejected:date_in_future": [1, 1000],
    }
    assert tally(upload).is_balanced


def test_a_line_beyond_all_bounds_is_one_rejected_row(tmp_path: Path) -> None:
    good = b"o-%d,ann,p-1,1,10.00,2026-01-05\n"
    content = HEAD.encode() + good % 1 + b"x" * (64 << 20) + b"\n" + good % 2

    upload = load(put(tmp_path, gzip.compress(content, 1)), **MAPPED)

    assert OrderLine.objects.count() == 2
    assert path_of(upload).read_text().splitlines()[1:] == ["3,line_too_long"]


def test_a_file_cut_short_keeps_what_was_read_and_the_whole_one_adds_the_rest(
    tmp_path: Path,
) -> None:
    days = [f"2025-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    text = HEAD + "".join(
        f"o-{n},c-{n % 97},p-{n * 7919 % 997},1,{n % 50 + 1}.99,{days[n % len(days)]}\n"
        for n in range(5_000)
    )
    whole = gzip.compress(text.encode())
    cut = put(tmp_path, whole[: len(whole) * 2 // 3], "cut.csv.gz")

    with pytest.raises(CommandError, match=r"cut short .* nothing is added twice"):
        load(cut, **MAPPED)

    kept = Upload.objects.get()
    assert tally(kept).is_balanced
    assert 1_000 < OrderLine.objects.count() == tally(kept).counts["rows"] < 5_000
    assert Job.objects.get().error_code == "file_truncated"

    load(put(tmp_path, whole, "whole.csv.gz"), **MAPPED)

    assert OrderLine.objects.count() == Order.objects.count() == 5_000


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"a,b\n1,2\n", MAPPED, r"lacks the columns: order, .* It has: a, b"),
        (b"Invoice,StockCode\n1,2\n", ONLINE_RETAIL, r"Description, .* It has: Invoice, StockCode"),
        (HEAD.encode() + b"o-1,J\xf6rg,p,1,1,2026-01-01\n", MAPPED, r"Line 2 .*--encoding"),
        (HEAD.encode("utf-16"), MAPPED, r"utf-16 cannot be read; save the file as UTF-8"),
        (b"", MAPPED, r"The file is empty"),
        (b"order," + HEAD.encode() + b"1,2,c,p,1,1,2026-01-05\n", MAPPED, r"column order twice"),
        (HEAD.encode(), MAPPED | {"currency": "EURO"}, r"'EURO' is not a currency"),
        (HEAD.encode(), MAPPED | {"timezone": "Mars"}, r"time zone Mars is not known"),
        (HEAD.encode(), MAPPED | {"map": ["order"]}, r"--map takes FIELD=COLUMN, not order"),
        (HEAD.encode(), MAPPED | {"map": ["x=order"]}, r"x cannot be mapped"),
        (HEAD.encode(), MAPPED | {"encoding": "klingon"}, r"klingon is not known; try utf-8"),
    ],
)
def test_a_file_or_an_option_that_cannot_be_is_refused_with_the_fix(
    tmp_path: Path, content: bytes, options: dict[str, object], says: str
) -> None:
    with pytest.raises(CommandError, match=re.compile(says, re.DOTALL)):
        load(put(tmp_path, content), **options)

    assert not Order.objects.exists()
    assert not StagedLine.objects.exists()


def test_a_wrong_encoding_in_the_last_line_brings_nothing_in(tmp_path: Path) -> None:
    lines = "".join(f"o-{n},ann,p-1,1,10.00,2026-01-05\n" for n in range(25_000))

    with pytest.raises(CommandError, match=r"Line 25002 "):
        load(put(tmp_path, (HEAD + lines).encode() + b"caf\xe9,,,,,\n"), **MAPPED)

    assert not Order.objects.exists()
    assert not StagedLine.objects.exists()


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv cannot be opened"):
        load(tmp_path / "nowhere.csv", **MAPPED)


def test_categories_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    path = put(tmp_path, HEAD + "o-1,ann,p-1,1,10.00,2026-01-05\n")
    categories = put(tmp_path, "product,category\np-1,Audio\n", "categories.csv")

    load(path, **MAPPED, categories=str(categories))

    assert OrderLine.objects.get().category == "Audio"


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "is empty"), ("sku,kind\np-1,Audio\n", "lacks the columns: product, category")],
)
def test_a_fault_in_the_file_of_categories_is_told_as_its_own(
    tmp_path: Path, content: str, says: str
) -> None:
    path = put(tmp_path, HEAD + "o-1,ann,p-1,1,10.00,2026-01-05\n")
    categories = put(tmp_path, content, "categories.csv")

    with pytest.raises(CommandError, match=f"In the file of categories: The file {says}"):
        load(path, **MAPPED, categories=str(categories))

    assert not Order.objects.exists()


def test_after_an_import_the_apps_above_are_told(tmp_path: Path) -> None:
    told: list[datetime] = []
    registry.after_import("tests", told.append)

    load(put(tmp_path, HEAD + "o-1,ann,p-1,1,10.00,2026-01-05\n"), **MAPPED)

    assert [moment.tzinfo for moment in told] == [UTC]
