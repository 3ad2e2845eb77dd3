"""The upload pages: what a browser sends is sealed on its way in, looked at, brought in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from jobs import running
from jobs.models import Job
from privacy.problems import DomainError
from privacy.purposes import purpose
from profiles.admin.upload_forms import FileForm
from profiles.importing import field_words, kinds, uploads
from profiles.importing.receiving import SealedUpload
from profiles.models import Customer, Order, OrderLine
from tests import make

pytestmark = pytest.mark.django_db
NEW = "/admin/profiles/upload/new/"
PEOPLE = b"customer id,name,e-mail\n" + b"".join(
    b"c-%d,Ann Lee,ann%d@example.com\n" % (n, n) for n in range(3)
)


@pytest.fixture
def browser(settings: Any, tmp_path: Path) -> Client:
    settings.VAR_DIR = tmp_path
    make.shop()
    client = Client()
    client.force_login(make.staff())
    return client


def send(client: Client, content: bytes, **members: str) -> Any:
    file = SimpleUploadedFile("people.csv", content)
    return client.post(NEW, {"kind": "customers", "file": file} | members)


def on_disk() -> list[bytes]:
    return [path.read_bytes() for path in uploads.folder().iterdir()]


def test_a_file_goes_from_the_browser_to_the_import_and_never_lies_open(browser: Client) -> None:
    columns = send(browser, PEOPLE)["Location"]

    (sealed,) = on_disk()
    assert b"ann" not in sealed
    looked = browser.get(columns)
    assert "xxx xxx" in looked.content.decode()
    mapped = {f"map-{k}": v for k, v in looked.context["preview"].mapping.items()}
    browser.post(columns, mapped | {"at-once": "1"})
    job = running.run(Job.objects.get().pk, clock=timezone.now)

    assert job is not None
    assert job.state == Job.State.DONE
    assert Customer.objects.get(email="ann2@example.com").external_id == "c-2"
    assert on_disk() == []


def test_a_large_file_needs_no_temporary_folder(
    browser: Client, settings: Any, tmp_path: Path
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "nowhere"

    assert send(browser, PEOPLE + b"x,y,z\n" * 1_000_000).status_code == 302

    assert sum(map(len, on_disk())) > 6_000_000


def test_a_file_of_a_form_that_is_refused_is_gone_with_the_request(browser: Client) -> None:
    assert send(browser, PEOPLE, kind="nonsense").status_code == 200

    assert on_disk() == []


@pytest.mark.usefixtures("browser")
def test_a_file_sent_to_a_page_that_wants_none_is_gone_with_the_request(client: Client) -> None:
    file = SimpleUploadedFile("people.csv", PEOPLE)

    client.post("/admin/login/", {"username": "x", "password": "y", "file": file})

    assert on_disk() == []


@pytest.mark.usefixtures("browser")
def test_a_file_beyond_the_limit_is_dropped_and_told_in_words() -> None:
    incoming = uploads.Incoming(max_bytes=100)
    incoming.write(b"x" * 100)
    with pytest.raises(DomainError, match="larger than 1 GiB"):
        incoming.write(b"x")
    assert on_disk() == []

    sent = SealedUpload(incoming, name="o.csv", content_type="", size=uploads.MAX_BYTES + 1)
    form = FileForm({"kind": "orders"}, MultiValueDict({"file": [sent]}))

    assert form.errors["file"] == ["The file is larger than 1 GiB."]


def test_what_a_file_would_change_is_shown_before_it_is_brought_in_and_taken_back_after(
    browser: Client,
) -> None:
    columns = send(browser, PEOPLE + b"c-9,Ben,no address\n")["Location"]
    looked = browser.get(columns)
    assert ("full_name", "Name", False, "name") in looked.context["fields"]
    mapping = looked.context["preview"].mapping
    page = browser.post(columns, {f"map-{k}": v for k, v in mapping.items()})["Location"]
    running.run(Job.objects.get().pk, clock=timezone.now)

    told = browser.get(page)
    assert dict(told.context["counts"])["Added"] == 3
    assert told.context["rows"][0].changes[0].column == "Name"
    assert told.context["reasons"] == [("email_invalid", "The e-mail address cannot be read.", 1)]
    assert not Customer.objects.exists()
    assert len(on_disk()) == 1

    browser.post(page.replace("change", "real"))
    running.run(Job.objects.latest("pk").pk, clock=timezone.now)
    assert Customer.objects.count() == 3
    assert on_disk() == []

    browser.post(page.replace("change", "undo"))
    under_way = browser.get(page)
    assert (under_way.context["is_moving"], under_way.context["may_undo"]) == (True, False)
    running.run(Job.objects.latest("pk").pk, clock=timezone.now)
    assert not Customer.objects.exists()
    assert "3 changes" in browser.get(page).content.decode()


def test_every_field_of_every_kind_of_file_has_words() -> None:
    named = {name for fields in kinds.NAMES.values() for name in fields}

    assert named == set(field_words.FIELDS)


CHINESE_ORDERS = (
    "订单号,客户编号,商品编号,商品名称,类别,数量,单价,下单时间\n"
    "1,c-1,TV1,索尼 55 英寸电视,,1,4999,31/03/2026 14:05\n"
    '2,c-2,HP1,降噪耳机,,2,"899,50",01/04/2026 09:00\n'
).encode("gb18030")
CHINESE_PEOPLE = "客户编号,姓名,邮箱\nc-1,张伟,wei@example.com\nc-2,李娜,na@example.com\n".encode(
    "gb18030"
)


def test_a_file_in_another_encoding_says_so_and_is_read_once_that_is_chosen(
    browser: Client,
) -> None:
    columns = send(browser, CHINESE_PEOPLE)["Location"]

    refused = browser.get(columns)
    (problem,) = refused.context["preview"].problems
    assert problem.code == "encoding"
    assert "Choose the encoding of the file" in refused.content.decode()
    assert refused.context["is_blocked"]

    chosen = f"{columns}?encoding=gb18030"
    mapped = browser.get(chosen).context["preview"].mapping
    assert mapped == {"external_id": "客户编号", "full_name": "姓名", "email": "邮箱"}
    browser.post(chosen, {f"map-{k}": v for k, v in mapped.items()} | {"at-once": "1"})
    running.run(Job.objects.get().pk, clock=timezone.now)

    with purpose("import", actor="test", now=timezone.now()):
        people = Customer.objects.order_by("external_id")
        names = [one.full_name.reveal() for one in people if one.full_name is not None]
    assert names == ["张伟", "李娜"]


def test_orders_in_chinese_arrive_with_all_that_the_command_offers(browser: Client) -> None:
    columns = send(browser, CHINESE_ORDERS, kind="orders")["Location"] + "?encoding=gb18030"
    looked = browser.get(columns)
    assert "索尼 55 英寸电视" in looked.content.decode()
    mapped = {f"map-{k}": v for k, v in looked.context["preview"].mapping.items()}
    asked = mapped | {"currency": "cny", "time_zone": "Asia/Shanghai", "at-once": "1",
                      "date_format": "%d/%m/%Y %H:%M", "decimal_comma": "on"}  # fmt: skip
    words = "product,category\nTV1,电视\nHP1,音频\n".encode("gb18030")

    browser.post(columns, asked | {"categories": SimpleUploadedFile("c.csv", words)})
    assert len(on_disk()) == 2
    assert all("音频".encode("gb18030") not in content for content in on_disk())
    running.run(Job.objects.get().pk, clock=timezone.now)

    lines = OrderLine.objects.order_by("order__number")
    assert [(one.title, one.category, one.total_minor) for one in lines] == [
        ("索尼 55 英寸电视", "电视", 499_900),
        ("降噪耳机", "音频", 179_900),
    ]
    first = Order.objects.get(number="1")
    assert first.currency == "CNY"
    assert first.placed_at.isoformat() == "2026-03-31T06:05:00+00:00"
    assert on_disk() == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"date_format": "%d/%m"}, "write day, month and year as %d, %m and %Y"),
        ({"currency": "EURO"}, "Ensure this value has at most 3 characters"),
        ({"currency": "ABC"}, "is not a currency"),
        ({"time_zone": "Mars/Base"}, "Select a valid choice"),
        ({"categories": SimpleUploadedFile("c.csv", b"sku,kind\n1,2\n")}, "product, category"),
    ],
)
def test_options_that_cannot_be_are_told_and_nothing_starts(
    browser: Client, asked: dict[str, Any], told: str
) -> None:
    columns = send(browser, CHINESE_ORDERS, kind="orders")["Location"] + "?encoding=gb18030"
    mapping = browser.get(columns).context["preview"].mapping
    usual = {"currency": "CNY", "time_zone": "Asia/Shanghai"}

    answer = browser.post(columns, {f"map-{k}": v for k, v in mapping.items()} | usual | asked)

    assert told in answer.content.decode()
    assert not Job.objects.exists()
    assert len(on_disk()) == 1


def test_a_format_can_be_chosen_where_the_columns_tell_another(browser: Client) -> None:
    head = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
    columns = send(browser, head.encode(), kind="orders")["Location"]

    told = browser.get(columns).context["preview"]
    chosen = browser.get(f"{columns}?format=csv").context["preview"]
    wrong = browser.get(f"{columns}?format=shopify")

    assert (told.format, chosen.format) == ("online-retail", "csv")
    assert wrong.context["is_blocked"]
    assert "The file lacks the columns" in wrong.content.decode()
