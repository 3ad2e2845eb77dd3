from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from jobs import queue, running
from jobs.console import JobEndedBadlyError
from jobs.work import Work
from profiles.files.appended import is_full
from recommendations import asking, catalogue
from recommendations.feeds import arriving, importing
from recommendations.feeds.faults import Fault
from recommendations.feeds.report import REJECTED, Report, path_of
from recommendations.models import Feed, FeedImport, Offer, Product, ProductChange
from tests import make
from tests.make import NOW
from tests.recommendations.feeds import (
    HEADER,
    RSS,
    at_once,
    bring,
    codes,
    counts,
    report,
    row,
    tsv,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    make.shop()
    with override_settings(VAR_DIR=tmp_path):
        yield tmp_path


ITEM = """<item><g:id>{id}</g:id><title>{title}</title><g:price>10.00 EUR</g:price>
<g:availability>in stock</g:availability></item>"""


def test_a_merchant_table_becomes_products(folder: Path) -> None:
    header = (*HEADER, "sale price", "gtin", "item_group_id", "product type", "link", "image_link",
              "additional_image_link", "product_detail", "cost_of_goods_sold", "colour", "quantity",
              "description", "accessory_for", "spec:output_watts")  # fmt: skip
    cells = ("ch-30", '27" charger', "30.00 EUR", "in stock", "Anker", "24,99 EUR", "4006381333931",
             "chargers-x", "Electronics > Power > Chargers", "https://shop.example/ch-30",
             "https://img.example/1.jpg", "https://img.example/2.jpg,https://img.example/3.jpg",
             "Power:Charging:usb-pd,Power:Plugs:usb-c", "12.50 EUR", "black", "7",
             '"A <b>small</b> one &amp; fast"', "Phones, Tablets", "30 W")  # fmt: skip

    brought = bring(folder, tsv(cells, header=header))

    assert counts(brought) == {"rows": 1, "added": 1}
    charger = Product.objects.get()
    assert (charger.title, charger.category, charger.brand) == ('27" charger', "Chargers", "Anker")
    assert (charger.price_minor, charger.list_price_minor, charger.cost_minor) == (2499, 3000, 1250)
    assert (charger.stock, charger.availability) == (7, "in_stock")
    assert (charger.gtin, charger.family) == ("4006381333931", "chargers-x")
    assert charger.description == "A small one & fast"
    assert charger.images == ["https://img.example/2.jpg", "https://img.example/3.jpg"]
    assert charger.accessory_for == ["Phones", "Tablets"]
    assert charger.specs == {
        "color": "black",
        "charging": "usb-pd",
        "plugs": "usb-c",
        "output_watts": "30 W",
    }
    assert not charger.from_orders


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (RSS.format(ITEM.format(id="1", title="Lamp &amp; <![CDATA[</item> shade]]>")),
         "Lamp & </item> shade"),
        (('<feed xmlns="http://www.w3.org/2005/Atom" xmlns:x="http://base.google.com/ns/1.0">'
         '<!-- <entry> --><entry><id>tag:1</id><x:id>1</x:id><x:title>Lamp</x:title><title>No'
         '</title><x:price>10 EUR</x:price></entry></feed>'), "Lamp"),
        ('{"id": "1", "title": "Lamp", "price": "EUR 10"}\n', "Lamp"),
        ('sku,name,价格\n1,"Lamp,\nred",10\n', "Lamp, red"),
    ],
)  # fmt: skip
def test_rss_atom_json_lines_and_csv_tell_the_same(folder: Path, content: str, title: str) -> None:
    bring(folder, gzip.compress(content.encode()))

    lamp = Product.objects.get(product_id="1")
    assert (lamp.title, lamp.price_minor) == (title, 1_000)


def test_product_details_of_rss_become_specifications(folder: Path) -> None:
    detail = (
        "<g:product_detail><g:section_name>Power</g:section_name>"
        "<g:attribute_name>Output watts</g:attribute_name>"
        "<g:attribute_value>30 W</g:attribute_value></g:product_detail>"
    )
    item = ITEM.format(id="1", title="Charger").replace("</item>", detail + "</item>")

    bring(folder, RSS.format(item).encode())

    assert Product.objects.get().specs == {"output_watts": "30 W"}


def test_the_same_file_again_changes_nothing(folder: Path) -> None:
    content = tsv(row("1"), row("2"))
    bring(folder, content)
    before = list(Product.objects.values())

    again = bring(folder, content)

    assert counts(again) == {"rows": 2, "same": 2}
    assert list(Product.objects.values()) == before
    assert ProductChange.objects.count() == 2


BAD = [
    (row(""), "id_missing"),
    (row("x" * 101), "id_too_long"),
    (row("a\x07b"), "id_invalid"),
    (row("2", "y" * 201), "title_too_long"),
    (row("2", "."), "title_missing"),
    (row("2", price="NaN EUR"), "price_invalid"),
    (row("2", price="inf"), "price_invalid"),
    (row("2", price="1.2.3 EUR"), "price_invalid"),
    (row("2", price="-1.00 EUR"), "price_negative"),
    (row("2", price="10.00 XXX"), "currency_unknown"),
    (row("2", price="10.00 USD"), "currency_other"),
    (row("2", price="99999999999 EUR"), "price_too_large"),
    (row("2", availability="perhaps"), "availability_unknown"),
    (("2", "Item"), "field_count"),
    (row("1", "Again"), "duplicate_id"),
]


@pytest.mark.parametrize(
    ("bad", "code"), BAD, ids=[f"{code}-{n}" for n, (_, code) in enumerate(BAD)]
)
def test_a_bad_row_is_told_with_its_reason_and_costs_no_other(
    folder: Path, bad: tuple[str, ...], code: str
) -> None:
    brought = bring(folder, tsv(row("1"), bad, row("3")))

    assert (codes(brought), brought.n_rejected) == ({code: 1}, 1)
    [told] = report(brought)
    assert (told["row"], told["verdict"], told["code"]) == ("3", "rejected", code)
    assert told["what to do"]
    assert sorted(Product.objects.values_list("product_id", flat=True)) == ["1", "3"]
    assert Product.objects.get(product_id="1").title == "Item 1"


def test_all_that_is_wrong_with_a_row_is_told_and_the_row_is_kept(folder: Path) -> None:
    brought = bring(folder, tsv(row("1", "t" * 300, "-1 EUR", availability="?")))

    told = report(brought)
    assert [one["code"] for one in told] == [
        "title_too_long",
        "price_negative",
        "availability_unknown",
    ]
    assert "-1 EUR" in told[0]["whole row"]
    assert told[1]["whole row"] == ""


@pytest.mark.usefixtures("folder")
def test_a_report_has_an_end_and_goes_on_where_a_step_was_lost() -> None:
    feed = Feed.objects.create(name="main", created_at=NOW)
    brought = FeedImport.objects.create(feed=feed, filename="f.tsv", created_at=NOW)
    n_bytes = n_more = 0
    for step in range(9):
        lines = Report(brought, n_bytes=n_bytes, n_more=n_more, full_bytes=400)
        for at in range(2):
            lines.add(10 * step + at, "p", REJECTED, [Fault("price_invalid")], {"id": ["p"]})
        reached = lines.write()
        if step not in {1, 7}:  # the second step and the last but one are not committed
            n_bytes, n_more = reached, lines.n_more

    *told, last = report(brought)
    numbers = [one["row"] for one in told]
    assert numbers[:4] == ["0", "1", "20", "21"]
    assert last["row"] == ""
    n_beyond = 2 * 7 - len(numbers)
    assert last["id"] == f"The file is full; {n_beyond} more rows are counted but not in it."
    assert 400 <= path_of(brought).stat().st_size < 800
    assert not is_full(path_of(brought))


def test_a_cell_that_a_spreadsheet_would_run_is_quoted_in_the_report(folder: Path) -> None:
    brought = bring(folder, tsv(row("=HYPERLINK()", price="x")))

    assert report(brought)[0]["id"] == "'=HYPERLINK()"


def test_a_wrong_gtin_and_an_unreadable_specification_are_remarks(folder: Path) -> None:
    header = (*HEADER, "gtin", "spec:hdmi")

    brought = bring(folder, tsv((*row("1"), "4006381333932", "fast"), header=header))

    assert codes(brought) == {"gtin_invalid": 1, "spec_unreadable": 1}
    assert {one["verdict"] for one in report(brought)} == {"taken"}
    assert Product.objects.get().gtin == ""


def test_an_item_that_is_no_xml_costs_no_other(folder: Path) -> None:
    items = (
        ITEM.format(id="1", title="A"),
        ITEM.format(id="2", title="B & C"),
        ITEM.format(id="3", title="D &e;"),
        "<item><g:id>4</g:id>",
        ITEM.format(id="5", title="F"),
        f"<item><!-- {'x' * (1 << 20)} --></item>",
        ITEM.format(id="7", title="G"),
        ITEM.format(id="8", title="<![CDATA[" + "y" * (1 << 20)),
        ITEM.format(id="9", title="H"),
    )

    brought = bring(folder, RSS.format("".join(items)).encode())

    assert list(Product.objects.order_by("product_id").values_list("product_id", flat=True)) == [
        "1", "5", "7", "9",
    ]  # fmt: skip
    assert codes(brought) == {"xml_invalid": 2, "item_unfinished": 1, "item_too_long": 2}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"id,title\n", "no_products"),
        (b"name,price\nx,1\n", "columns_missing"),
        (b"<html><body>Sign in</body></html>", "not_a_feed"),
        (b'<!DOCTYPE r [<!ENTITY a "b">]><rss><item/></rss>', "xml_doctype"),
        ("id\ttitle\n1\tx\n".encode("utf-16"), "encoding_unsupported"),
        (("id,title\n" + "".join(f"{n},耳机\n" for n in range(9))).encode("gb18030"), "encoding"),
        (gzip.compress(b"id,title\n" + b"1,Lamp\n" * 400, mtime=0)[:-12], "file_truncated"),
    ],
)
def test_a_file_that_is_no_feed_is_refused_with_what_to_do(
    folder: Path, content: bytes, code: str
) -> None:
    with pytest.raises(JobEndedBadlyError, match=code):
        bring(folder, content)


def test_one_line_of_another_encoding_is_rejected_by_itself(folder: Path) -> None:
    content = (
        tsv(row("1", "耳机")) + "2\t耳机\t1 EUR\tin_stock\tx\n".encode("gb18030") + b"3\tC\t1\t\t\n"
    )

    brought = bring(folder, content)

    assert codes(brought) == {"undecodable": 1}
    assert Product.objects.count() == 2


def test_what_a_feed_does_not_tell_stays(folder: Path) -> None:
    make.product("1", "Old", cost_minor=500, specs={"hdmi": "2.1"}, stock=4, brand="LG")

    bring(folder, tsv(("1", "New"), header=("id", "title")))

    product = Product.objects.get()
    assert (product.title, product.cost_minor, product.stock) == ("New", 500, 4)
    assert (product.specs, product.brand) == ({"hdmi": "2.1"}, "LG")


def test_a_feed_of_a_country_and_language_tells_offers_and_translations(folder: Path) -> None:
    bring(folder, tsv(row("1", "Lamp")))

    bring(
        folder,
        tsv(row("1", "灯", "80.00 CNY"), row("2", "壶", "9 CNY")),
        feed="china",
        country="cn",
        language="zh-Hans",
    )

    lamp, kettle = Product.objects.order_by("product_id")
    assert (lamp.title, lamp.title_in("zh-hans"), lamp.price_minor) == ("Lamp", "灯", 1_000)
    assert (kettle.title, kettle.price_minor) == ("壶", None)
    offers = Offer.objects.order_by("product").values_list("country", "currency", "price_minor")
    assert list(offers) == [("CN", "CNY", 8_000), ("CN", "CNY", 900)]


def test_a_feed_in_another_language_translates_categories_and_renames_none(folder: Path) -> None:
    header = ("id", "title", "product_type")
    bring(folder, tsv(("1", "Lamp", "Home > Lights"), ("2", "Rod", ""), header=header))

    rows = (("1", "灯", "家 > 灯具"), ("2", "杆", "灯具"), ("3", "壶", "水壶"))
    bring(folder, tsv(*rows, header=header), feed="china", language="zh-Hans")

    names = dict(Product.objects.values_list("product_id", "category"))
    assert names == {"1": "Lights", "2": "灯具", "3": "水壶"}
    words = catalogue.categories_in("zh-Hans")
    assert words == {"Lights": "灯具", "灯具": "灯具", "水壶": "水壶"}
    assert catalogue.categories_in("de") == {}


def test_what_is_not_in_the_feed_any_more_goes_off_sale_and_comes_back(folder: Path) -> None:
    make.product("other")
    everything = [row(str(n)) for n in range(4)]
    bring(folder, tsv(*everything))

    brought = bring(folder, tsv(*everything[:3]))

    assert counts(brought) == {"rows": 3, "same": 3, "removed": 1}
    off = Product.objects.filter(is_active=False)
    assert [product.product_id for product in off] == ["3"]
    bring(folder, tsv(*everything))
    assert not off.all().exists()


def test_a_feed_without_more_than_half_asks_first(folder: Path) -> None:
    bring(folder, tsv(*(row(str(n)) for n in range(4))))

    brought = bring(folder, tsv(row("0")))

    assert (brought.asks, brought.n_missing) == (True, 3)
    assert not Product.objects.filter(is_active=False).exists()
    asking.ask_for_end(brought, NOW, way=at_once)
    assert Product.objects.filter(is_active=False).count() == 3


def test_an_older_question_is_not_answered_over_a_newer_file(folder: Path) -> None:
    bring(folder, tsv(*(row(str(n)) for n in range(4))))
    older = bring(folder, tsv(row("0")))
    bring(folder, tsv(*(row(str(n)) for n in range(4))))

    with pytest.raises(JobEndedBadlyError, match="newer_import"):
        asking.ask_for_end(older, NOW, way=at_once)

    assert not Product.objects.filter(is_active=False).exists()


def test_a_product_whose_row_is_wrong_stays_on_sale(folder: Path) -> None:
    bring(folder, tsv(*(row(str(n)) for n in range(4))))

    brought = bring(folder, tsv(*(row(str(n)) for n in range(3)), row("3", price="NaN")))

    assert counts(brought) == {"rows": 4, "same": 3, "rejected": 1}
    assert Product.objects.filter(is_active=True).count() == 4


def test_a_part_of_a_catalogue_ends_nothing(folder: Path) -> None:
    bring(folder, tsv(row("1"), row("2"), row("3")))

    brought = bring(folder, tsv(row("1")), is_whole=False)

    assert not brought.asks
    assert Product.objects.filter(is_active=True).count() == 3


def test_a_product_of_two_feeds_goes_with_the_last_of_them(folder: Path) -> None:
    for name in ("a", "b"):
        bring(folder, tsv(row("1"), row("2"), row("3")), feed=name)

    bring(folder, tsv(row("1"), row("2")), feed="a")
    assert Product.objects.get(product_id="3").is_active
    bring(folder, tsv(row("1"), row("2")), feed="b")
    assert not Product.objects.get(product_id="3").is_active


def test_prices_and_stock_are_noted_only_when_they_change(folder: Path) -> None:
    for price in ("10.00 EUR", "10.00 EUR", "9.00 EUR"):
        bring(folder, tsv(row("1", f"At {price}", price)))

    history = ProductChange.objects.order_by("pk").values_list("price_minor", "availability")
    assert list(history) == [(1_000, "in_stock"), (900, "in_stock")]


class KilledError(Exception):
    """As a worker that is gone: no end is stored."""


def die(*_told: Any) -> None:
    raise KilledError


def test_a_killed_import_goes_on_and_tells_each_row_once(folder: Path) -> None:
    rows = [row(str(n), price="NaN" if n % 100 == 0 else "1.00 EUR") for n in range(1_001)]
    path = folder / "feed"
    path.write_bytes(tsv(*rows, rows[1]))
    brought = arriving.filed(arriving.feed_named("main", now=NOW), path, now=NOW)
    job = queue.enqueue("recommendations.import_feed", {"import": brought.pk}, now=NOW)
    claimed = running.claim(job.pk, now=NOW)
    assert claimed is not None
    with pytest.raises(KilledError):
        importing.run(brought, Work(claimed, clock=lambda: NOW, sink=die))
    with path_of(brought).open("a") as file:
        file.write("1001,half a li")  # a step that was not committed
    claimed.refresh_from_db()

    importing.run(brought, Work(claimed, clock=lambda: NOW))

    assert counts(brought) == {"rows": 1_002, "added": 990, "rejected": 12}
    assert codes(brought) == {"price_invalid": 11, "duplicate_id": 1}
    assert [one["row"] for one in report(brought)][-3:] == ["902", "1002", "1003"]
    assert Product.objects.count() == 990
