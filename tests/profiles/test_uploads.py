"""Uploads: looked at first, kept for their import, deleted after it or after a day."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs import queue, running
from jobs.models import Job
from privacy.problems import DomainError
from profiles.files.appended import is_full
from profiles.files.rejects import RejectsFile, path_of
from profiles.importing import uploads
from profiles.importing.uploads import Preview
from profiles.models import Order, Upload
from profiles.orders.formats import OrderOptions
from tests import make
from tests.make import NOW
from tests.profiles.orders import HEAD, SAMPLE

pytestmark = pytest.mark.django_db

OPTIONS: dict[str, Any] = {
    "currency": "EUR",
    "time_zone": "UTC",
    "columns": {name: name for name in HEAD.strip().split(",")},
}


def look(content: bytes, kind: str = "orders", **options: Any) -> Preview:
    return uploads.preview(io.BytesIO(content), kind, n_bytes=len(content), **options)


def keep(content: bytes = HEAD.encode() + b"o-1,ann,p-1,1,10.00,2026-01-05\n") -> Upload:
    held = make.held(content)
    return uploads.store(held, "orders", OPTIONS, None, filename="../../o.csv", now=NOW)


def test_a_preview_knows_the_online_retailers_file() -> None:
    found = look(SAMPLE.read_bytes())

    assert (found.format, found.problems) == ("online-retail", [])
    assert len(found.rows) == 5


def test_a_preview_guesses_english_and_chinese_columns() -> None:
    english = look(b"Order ID;Customer-ID;SKU;Qty;Unit price;Order date\n1;2;3;4;5;2026-01-01\n")
    chinese = look(
        "订单号,会员编号,商品编号,商品名称,数量,单价,下单时间\n1,2,3,4,5,6,7\n".encode("gb18030"),
        encoding="gb18030",
    )

    assert english.mapping == {
        "order": "Order ID",
        "customer": "Customer-ID",
        "product": "SKU",
        "quantity": "Qty",
        "price": "Unit price",
        "placed_at": "Order date",
    }
    assert chinese.mapping == {
        "order": "订单号",
        "customer": "会员编号",
        "product": "商品编号",
        "title": "商品名称",
        "quantity": "数量",
        "price": "单价",
        "placed_at": "下单时间",
    }
    assert english.problems == chinese.problems == []


def test_a_preview_says_which_columns_it_could_not_find() -> None:
    (problem,) = look(b"Order ID,SKU\n1,2\n").problems

    assert problem.code == "columns_missing"
    assert "Quantity, Price of one, Placed at" in problem.text


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty"), (HEAD.encode() + b"caf\xe9,,,,,\n", "encoding"), (b"\0\n", "not_a_table")],
)
def test_a_preview_names_what_is_wrong_with_the_file(content: bytes, code: str) -> None:
    assert [problem.code for problem in look(content).problems] == [code]


def test_a_preview_of_people_shows_no_person() -> None:
    found = look(b"customer id,name,e-mail\nc-1,Ann Lee,ann@example.com\n", "customers")

    assert found.rows == [["x-9", "xxx xxx", "xxx@xxxxxxx.xxx"]]


def test_a_preview_of_orders_shows_what_it_understood_and_no_person() -> None:
    head = "Order ID,Customer-ID,E-mail,Name,SKU,Qty,Unit price,Order date,Note\n"
    row = "1,c-1,ann@example.com,Ann Lee,tv,2,9.99,2026-01-01,Ring 4711\n"

    found = look((head + row).encode())

    assert found.rows == [
        ["1", "c-1", "xxx@xxxxxxx.xxx", "xxx xxx", "tv", "2", "9.99", "2026-01-01", "xxxx 9999"]
    ]


def test_a_stored_file_is_private_and_gone_once_it_is_imported() -> None:
    upload = keep()
    path = Path(upload.path)
    assert path.parent == uploads.folder()
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"ann" not in path.read_bytes()
    assert upload.filename == "o.csv"

    job = running.run(Job.objects.get().pk, clock=timezone.now)

    assert job is not None
    assert job.state == Job.State.DONE
    assert Order.objects.get().total_minor == 1000
    upload.refresh_from_db()
    assert (upload.path, path.exists()) == ("", False)
    assert upload.finished_at is not None
    assert upload.summary["balanced"]


def test_a_file_that_was_never_imported_is_gone_after_a_day() -> None:
    upload = keep()

    assert uploads.discard_old(NOW + timedelta(hours=21)) == 0
    assert uploads.discard_old(NOW + timedelta(hours=23)) == 1

    assert not Path(upload.path).exists()


def test_a_file_held_for_a_look_and_left_is_gone_after_a_day() -> None:
    held = uploads.held_at(make.held(b"one"))
    os.utime(held, (NOW.timestamp(), NOW.timestamp()))

    uploads.discard_old(NOW + timedelta(hours=21))
    assert held.exists()
    uploads.discard_old(NOW + timedelta(hours=23))
    assert not held.exists()


def test_a_held_file_is_brought_in_once_however_often_it_is_asked_for() -> None:
    held = make.held(HEAD.encode())

    one, two = (
        uploads.store(held, "orders", OPTIONS, None, filename="o.csv", now=NOW) for _ in range(2)
    )

    assert one == two
    assert Job.objects.count() == 1


def test_a_file_of_a_command_is_never_deleted(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEAD)
    upload = uploads.filed(path, "orders", OPTIONS, now=NOW)

    uploads.discard(upload)
    uploads.discard_old(NOW + timedelta(days=9))

    assert path.exists()


@pytest.mark.parametrize("n_bytes_left", [0, 60, 80, -1])
def test_a_stored_file_that_was_cut_short_is_refused(n_bytes_left: int) -> None:
    path = Path(keep().path)
    path.write_bytes(path.read_bytes()[:n_bytes_left])

    job = running.run(Job.objects.get().pk, clock=timezone.now)

    assert job is not None
    assert (job.state, job.error_code) == (Job.State.DEAD, "file_altered")
    assert not Order.objects.exists()


def test_a_look_at_a_stored_file_that_was_altered_says_so() -> None:
    held = make.held(HEAD.encode())
    uploads.held_at(held).write_text("something else")

    (problem,) = uploads.look(held, "orders", actor="test", now=NOW).problems

    assert problem.code == "file_altered"


def test_a_commands_file_that_changed_under_its_import_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEAD)
    upload = uploads.filed(path, "orders", OrderOptions(**OPTIONS).to_json(), now=NOW)
    path.write_text("something else")
    asked = queue.enqueue("profiles.import_orders", {"upload": upload.pk}, now=NOW)

    job = running.run(asked.pk, clock=timezone.now)

    assert job is not None
    assert (job.state, job.error_code) == (Job.State.DEAD, "file_changed")


def test_a_file_of_rejects_has_an_end_and_goes_on_where_a_step_was_lost() -> None:
    upload = Upload.objects.create(kind="customers", filename="c.csv", created_at=NOW)
    n_bytes = n_more = 0
    for step in range(9):
        file = RejectsFile(upload, ["name"], n_bytes=n_bytes, n_more=n_more, full_bytes=61)
        for line in range(3):
            file.add(10 * step + line, "nul_byte", ["Ann"])
        reached = file.write()
        if step not in {1, 5}:  # the second step and the sixth are not committed
            n_bytes, n_more = reached, file.n_more

    *lines, last = path_of(upload).read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["line", "0", "1", "2", "20", "21", "22"]
    assert last == ",The file is full; 15 more rows are counted but not in it.,"
    assert not is_full(path_of(upload))


def test_options_are_checked_before_anything_is_kept() -> None:
    with pytest.raises(DomainError, match="not a currency"):
        uploads.store(
            make.held(b""),
            "orders",
            OPTIONS | {"currency": "EURO"},
            None,
            filename="o.csv",
            now=NOW,
        )

    assert not Upload.objects.exists()
    assert not Job.objects.exists()
