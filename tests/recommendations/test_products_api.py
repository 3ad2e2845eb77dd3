"""`/v1/products` and `/v1/feeds`: what the shop states, and the catalogue as a Merchant feed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone

from jobs import running
from jobs.models import Job
from recommendations.feeds import writing
from recommendations.models import Feed, Offer, Product, ProductChange
from tests import make
from tests.recommendations.feeds import bring, counts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    make.shop()
    with override_settings(VAR_DIR=tmp_path):
        yield tmp_path


@pytest.fixture
def send() -> Callable[..., Any]:
    headers = {"Authorization": f"Bearer {make.secret_key()}"}

    def ask(method: str, path: str, body: Any = None) -> Any:
        text = "" if body is None else json.dumps(body)
        return Client().generic(
            method, f"/v1/{path}", text, content_type="application/json", headers=headers
        )

    return ask


TV = {
    "title": "TV 55",
    "category": "TVs",
    "brand": "LG",
    "price": "499.00",
    "listPrice": "599.00",
    "cost": "350.00",
    "stock": 3,
    "availability": "in_stock",
    "gtin": "4006381333931",
    "family": "tv-x",
    "specs": {"hdmi": "2.1", "vesa": ["300x300"]},
    "translations": {"zh-hans": {"title": "电视"}},
    "link": "https://shop.example/tv",
    "imageUrl": "https://img.example/tv.jpg",
    "images": ["https://img.example/tv-2.jpg"],
    "accessoryFor": [],
    "offers": [{"country": "CN", "currency": "CNY", "price": "3999.00", "stock": 1}],
}


def test_a_product_is_stated_and_read_back(send: Callable[..., Any]) -> None:
    put = send("PUT", "products/tv-55", TV)
    got = send("GET", "products/tv-55").json()

    assert (put.status_code, put.json()) == (200, got)
    assert {name: got[name] for name in TV if name != "offers"} == {
        name: TV[name] for name in TV if name != "offers"
    }
    assert (got["id"], got["currency"], got["isActive"]) == ("tv-55", "EUR", True)
    [offer] = got["offers"]
    assert (offer["price"], offer["currency"], offer["stock"]) == ("3999.00", "CNY", 1)
    assert Product.objects.get().price_minor == 49_900
    assert ProductChange.objects.count() == 2


def test_a_product_that_is_not_there_is_404(send: Callable[..., Any]) -> None:
    assert send("GET", "products/none").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"price": "-1.00"}, "/products/1/price"),
        ({"price": "NaN"}, "/products/1/price"),
        ({"price": 4.5}, "/products/1/price"),
        ({"title": "x" * 201}, "/products/1/title"),
        ({"listPrice": "1.00"}, "/products/1/listPrice"),
        ({"gtin": "4006381333932"}, "/products/1/gtin"),
        ({"stock": -1}, "/products/1/stock"),
        ({"link": "javascript:alert(1)"}, "/products/1/link"),
        (
            {"offers": [{"country": "CN", "currency": "XXX", "price": "1.00"}]},
            "/products/1/offers/0/currency",
        ),
    ],
)
def test_of_a_batch_with_a_wrong_product_nothing_is_taken(
    send: Callable[..., Any], wrong: dict[str, Any], pointer: str
) -> None:
    answer = send(
        "POST", "products/batch", {"products": [TV | {"id": "1"}, TV | {"id": "2"} | wrong]}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert not Product.objects.exists()


def test_a_batch_says_what_it_changed(send: Callable[..., Any]) -> None:
    send("POST", "products/batch", {"products": [TV | {"id": "1"}, TV | {"id": "2"}]})

    answer = send(
        "POST",
        "products/batch",
        {"products": [TV | {"id": "1"}, TV | {"id": "2", "price": "9.00"}, TV | {"id": "3"}]},
    )

    assert answer.json() == {"created": 1, "changed": 1, "unchanged": 1}
    assert Offer.objects.count() == 3


def test_a_key_without_the_scope_changes_no_product() -> None:
    key = make.secret_key(["products:read"])
    answer = Client().put(
        "/v1/products/1",
        json.dumps(TV),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


# The feed out ---------------------------------------------------------------------------------


def shelf() -> None:
    charger = make.product(
        "ch-1",
        'Charger 27"',
        list_price_minor=2_999,
        category="Power",
        brand="A&B",
        description="Small\tand\nfast <b>",
        translations={"zh-hans": {"title": "充电器"}},
        specs={"plugs": ["usb-c", "usb-a"], "output_watts": "30 W", "magnets": False},
        accessory_for=["Phones"],
        fits_products=["ph-1"],
        images=["https://img.example/1,2.jpg", "https://img.example/3.jpg"],
        link="https://shop.example/ch-1",
        stock=4,
        gtin="4006381333931",
        condition="new",
    )
    Offer.objects.create(product=charger, country="CN", currency="CNY", price_minor=9_900, stock=0)
    make.product("off", is_active=False)
    make.product("seen", from_orders=True)
    make.product("none", price_minor=None, stock=0)


@pytest.mark.parametrize("write", [writing.tsv, writing.rss])
def test_the_feed_that_goes_out_comes_in_again_as_it_was(
    folder: Path, write: Callable[..., Iterator[str]]
) -> None:
    shelf()
    on_sale = Product.objects.filter(is_active=True, from_orders=False).order_by("product_id")
    before = list(on_sale.values())

    brought = bring(folder, "".join(write()).encode())

    assert brought.n_rejected == 0
    after = list(on_sale.values())
    told = {"availability": "", "description": "", "specs": {}}
    assert [one | told for one in after] == [one | told for one in before]
    assert after[0]["specs"] == {
        "plugs": "usb-c, usb-a",
        "output_watts": "30 W",
        "magnets": False,
    }
    assert counts(brought)["rows"] == 2


def test_the_feed_is_read_over_the_api_by_country_and_language(send: Callable[..., Any]) -> None:
    shelf()

    table = send("GET", "feeds/merchant.tsv?country=CN&language=zh-hans").getvalue().decode()
    tree = ET.fromstring(send("GET", "feeds/merchant.xml").getvalue())  # noqa: S314 -- our own

    header, row = (line.split("\t") for line in table.splitlines())
    told = dict(zip(header, row, strict=True))
    assert (told["title"], told["price"], told["availability"]) == (
        "充电器",
        "99.00 CNY",
        "out_of_stock",
    )
    ids = tree.iterfind(".//{http://base.google.com/ns/1.0}id")
    assert [one.text for one in ids] == ["ch-1", "none"]


def test_a_feed_is_written_to_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shelf()

    call_command("write_feed", str(folder / "out.xml"))

    assert capsys.readouterr().out == "2 products\n"
    assert (folder / "out.xml").read_text(encoding="utf-8").startswith("<?xml")


def test_an_address_is_given_by_the_api_and_its_fetch_begins(send: Callable[..., Any]) -> None:
    answer = send(
        "POST", "feeds/china/fetch", {"url": "https://shop.example/cn.xml", "country": "cn"}
    )

    assert answer.status_code == 202
    feed = Feed.objects.get(name="china")
    assert (feed.url, feed.country, feed.every_hours) == ("https://shop.example/cn.xml", "CN", 24)
    assert answer["Location"] == f"/v1/jobs/{Job.objects.get().uuid}"


@pytest.mark.parametrize("url", ["http://shop.example/f", "https://a:b@shop.example/", "file:///x"])
def test_an_address_that_may_not_be_fetched_is_refused(send: Callable[..., Any], url: str) -> None:
    answer = send("POST", "feeds/main/fetch", {"url": url})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_feed_url")


FEED = (
    "id\ttitle\tprice\tavailability\nch-9\tCharger\t19.00 EUR\tin stock\n\tNo id\t5 EUR\tin stock\n"
)


def test_a_feed_is_sent_and_its_rejected_rows_are_told(client: Client) -> None:
    headers = {"Authorization": f"Bearer {make.secret_key()}"}

    answer = client.post(
        "/v1/feeds/main/file?filename=tuesday.tsv&isWhole=false", gzip.compress(FEED.encode()),
        content_type="application/gzip", headers=headers,
    )  # fmt: skip
    job = Job.objects.get()
    running.run(job.pk, clock=timezone.now)

    assert (answer.status_code, answer["Location"]) == (202, f"/v1/jobs/{job.uuid}")
    feed = Feed.objects.get(name="main")
    assert (feed.is_whole, Product.objects.get().product_id) == (False, "ch-9")
    path = f"/v1/feeds/imports/{answer.json()['id']}"
    told = client.get(path, headers=headers).json()
    assert (told["feed"], told["filename"], told["jobId"]) == ("main", "tuesday.tsv", str(job.uuid))
    assert (told["counts"]["added"], told["nRejected"], told["asks"]) == (1, 1, False)
    assert sum(told["codes"].values()) >= 1
    assert told["finishedAt"]
    report = b"".join(client.get(f"{path}/report", headers=headers)).decode()
    assert "No id" in report


RSS = (
    '<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>'
    "<item><g:id>ch-9</g:id><title>Charger</title><g:price>19.00 EUR</g:price></item>"
    "<item><g:id>x</g:id><title>a & b</title></item></channel></rss>"
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">'
    "<entry><g:id>ch-9</g:id><title>Charger</title><g:price>19.00 EUR</g:price></entry>"
    "<entry><title>No id</title></entry></feed>"
)
COMMAS = "id,title,price\nch-9,Charger,19.00 EUR\nx,,NaN\n"


@pytest.mark.parametrize("told_as", ["application/xml", "text/csv", "image/png"])
@pytest.mark.parametrize(
    "body",
    [RSS.encode(), ATOM.encode(), COMMAS.encode(), gzip.compress(ATOM.encode())],
    ids=["rss", "atom", "commas", "gzip"],
)
def test_a_sent_feed_is_what_its_bytes_are_whatever_the_header_says(
    client: Client, body: bytes, told_as: str
) -> None:
    headers = {"Authorization": f"Bearer {make.secret_key()}"}

    answer = client.post("/v1/feeds/main/file", body, content_type=told_as, headers=headers)
    running.run(Job.objects.get().pk, clock=timezone.now)

    told = client.get(f"/v1/feeds/imports/{answer.json()['id']}", headers=headers).json()
    assert (told["counts"]["added"], told["nRejected"]) == (1, 1)
    assert Product.objects.get().price_minor == 1_900


def test_a_feed_sent_again_under_its_key_is_brought_in_once(client: Client) -> None:
    headers = {"Authorization": f"Bearer {make.secret_key()}", "Idempotency-Key": "tuesday-1"}
    send = partial(client.post, "/v1/feeds/main/file", content_type="text/csv", headers=headers)

    first, again, other = send(data=COMMAS), send(data=COMMAS), send(data=COMMAS + "y,Y,1 EUR\n")

    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert again.json() == first.json()
    assert Job.objects.count() == 1


def test_a_feed_that_is_known_keeps_its_settings_when_a_file_is_sent(client: Client) -> None:
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    client.post(
        "/v1/feeds/china/fetch", {"url": "https://shop.example/cn.xml", "country": "CN"},
        content_type="application/json", headers=headers,
    )  # fmt: skip

    answer = client.post(
        "/v1/feeds/china/file", FEED, content_type="text/tab-separated-values", headers=headers
    )

    assert answer.status_code == 202
    feed = Feed.objects.get()
    assert (feed.url, feed.country, feed.is_whole) == ("https://shop.example/cn.xml", "CN", True)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("main/file", b"", "empty_file"),
        ("main/file?country=GER", b"id", "validation_error"),
        ("main/file?isWhole=perhaps", b"id", "validation_error"),
        ("a%01b/file", b"id", "invalid_id"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_and_makes_no_feed(
    client: Client, path: str, body: bytes, code: str
) -> None:
    headers = {"Authorization": f"Bearer {make.secret_key()}"}

    answer = client.post(f"/v1/feeds/{path}", body, content_type="text/csv", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Feed.objects.exists()


def test_a_sent_feed_is_read_by_who_may_and_an_unknown_one_by_nobody(client: Client) -> None:
    unknown = f"/v1/feeds/imports/{uuid4()}"

    assert client.get(unknown).status_code == 401
    narrow = {"Authorization": f"Bearer {make.secret_key(['orders:read'])}"}
    assert client.get(unknown, headers=narrow).status_code == 403
    assert client.post("/v1/feeds/m/file", b"x", "text/csv", headers=narrow).status_code == 403
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    assert client.get(unknown, headers=headers).status_code == 404
    assert client.get(f"{unknown}/report", headers=headers).status_code == 404
