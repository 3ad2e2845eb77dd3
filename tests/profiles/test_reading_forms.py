"""JSON lines and Excel are read as CSV is: row by row, bounded, nothing lost without a word."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from profiles.files import reading_excel, tables
from profiles.files.reading import BadRow, DamagedFileError, Table, UnreadableFileError
from profiles.models import Customer, Order, Upload

Rows = list[tuple[int, "list[str] | BadRow"]]


def table(content: bytes, **options: Any) -> Table:
    return tables.table(io.BytesIO(content), n_bytes=len(content), **options)


def lines(*objects: Any) -> bytes:
    return "".join(f"{json.dumps(one)}\n" for one in objects).encode()


def workbook(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_members_of_json_lines_are_columns_whatever_their_order() -> None:
    found = table(lines({"a": "x", "b": 2}, {"b": 1.50, "c": None}, {"a": True, "c": [1]}))

    assert found.columns == ["a", "b", "c"]
    assert list(found.rows()) == [
        (1, ["x", "2", ""]), (2, ["", "1.5", ""]), (3, ["true", "", "[1]"]),
    ]  # fmt: skip


def test_an_object_in_json_lines_is_a_column_and_so_are_its_members() -> None:
    found = table(lines({"id": 1, "at": {"city": "Köln", "n": 1e20}}))

    assert found.columns == ["id", "at", "at.city", "at.n"]
    assert list(found.rows()) == [
        (1, ["1", '{"city":"Köln","n":1e20}', "Köln", "100000000000000000000"])
    ]


def test_a_line_that_is_no_object_is_a_bad_row_and_reading_goes_on() -> None:
    deep = b'{"a": ' + b"[" * 5_000 + b"\n"
    content = lines({"a": 1}) + b"{broken\n[1]\n" + deep + b'{"a": "\\u0000"}\n' + lines({"a": 2})

    assert list(table(content).rows()) == [
        (1, ["1"]),
        (2, BadRow("json_invalid")),
        (3, BadRow("json_invalid")),
        (4, BadRow("json_invalid")),
        (5, BadRow("nul_byte")),
        (6, ["2"]),
    ]


def test_a_member_that_comes_late_is_a_bad_row_and_not_lost_without_a_word() -> None:
    content = lines(*[{"a": n} for n in range(1_000)], {"a": 1, "late": "x"}, {"a": 2})

    assert list(table(content).rows(after=1_000)) == [
        (1_001, BadRow("member_unknown")), (1_002, ["2"]),
    ]  # fmt: skip


def test_packed_json_lines_cut_short_give_what_stood_before() -> None:
    packed = gzip.compress(lines(*[{"a": n, "b": str(n * 7919)} for n in range(50)]))
    found = table(packed[:-100]).rows()

    assert [next(found), next(found)] == [(1, ["0", "0"]), (2, ["1", "7919"])]
    with pytest.raises(DamagedFileError):
        list(found)


def test_a_list_around_json_lines_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnreadableFileError, match="one object a line"):
        table(b'[{"a": 1}]')


def test_cells_of_a_workbook_read_as_people_see_them() -> None:
    when = dt.datetime(2026, 1, 5, 10, 30)  # noqa: DTZ001 -- sheets know no zones
    content = workbook(["id", "price", "at", "ok", None], [13085.0, 19.99, when, True], [], ["x"])

    found = table(content)

    assert found.columns == ["id", "price", "at", "ok"]
    assert list(found.rows()) == [
        (2, ["13085", "19.99", "2026-01-05T10:30:00", "true"]), (4, ["x", "", "", ""]),
    ]  # fmt: skip
    assert list(table(content).rows(after=2)) == [(4, ["x", "", "", ""])]


@pytest.mark.parametrize(
    ("rows", "columns", "lines"),
    [
        ([["Orders of May"], [], ["as of 1 June"], ["a", "b", "c"], ["1", "2", "3"]], "abc", [5]),
        ([["a"], ["1"], ["2"]], "a", [2, 3]),
        ([["a"], ["1", "beside"], ["2"]], "a", [2, 3]),
        ([["a", "b"], ["1", "2", "3"]], "ab", [2]),
        ([["a"], *([n] for n in "123456"), ["7", "8", "9"]], "a", [2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_a_title_above_the_table_names_no_columns(
    rows: list[list[Any]], columns: str, lines: list[int]
) -> None:
    found = table(workbook(*rows))

    assert found.columns == list(columns)
    assert [number for number, _row in found.rows()] == lines


def test_a_workbook_whose_parts_unpack_too_far_is_never_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (reading_excel.SUSPECT_BYTES + 1))

    with pytest.raises(UnreadableFileError, match="far more") as refused:
        table(out.getvalue())

    assert refused.value.code == "file_unpacks_too_large"


def test_a_workbook_that_lies_about_what_a_part_unpacks_to_is_damaged() -> None:
    content = workbook(["id"], *[[f"customer {n}"] for n in range(2_000)])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part), zipfile.ZIP_DEFLATED)
    lying = bytearray(out.getvalue())
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        size = old.getinfo("xl/worksheets/sheet1.xml").file_size
    told, shorter = size.to_bytes(4, "little"), (size // 2).to_bytes(4, "little")
    assert told in lying

    with pytest.raises(DamagedFileError):
        list(table(bytes(lying.replace(told, shorter))).rows())


def test_a_workbook_with_a_row_beyond_the_last_one_ends_there() -> None:
    content = workbook(["id"], ["a"])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            text = old.read(part).replace(b'<row r="2"', b'<row r="99999999999"')
            new.writestr(part.filename, text)

    with pytest.raises(DamagedFileError, match="1048577"):
        list(table(out.getvalue()).rows())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04 and no more", "not_a_workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "workbook_unsupported"),
        (gzip.compress(b"PK\x03\x04 and no more", mtime=0), "packed_twice"),
    ],
)
def test_what_is_no_workbook_is_told_in_words(content: bytes, code: str) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        table(content)

    assert refused.value.code == code


def test_a_gzip_bomb_stops_at_the_limit_and_keeps_what_it_gave() -> None:
    content = gzip.compress(b"id,city\n" + b"1,Bonn\n" * 200_000)
    found = table(content, max_unpacked=1_000_000)
    rows: Rows = []

    with pytest.raises(DamagedFileError) as stopped:
        rows.extend(found.rows())

    assert stopped.value.code == "file_unpacks_too_large"


@pytest.mark.django_db
def test_people_come_in_from_json_lines_and_from_a_workbook(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines({"id": 1, "email": "a@example.com", "city": "Bonn"}))
    (tmp_path / "b.xlsx").write_bytes(workbook(["id", "E-Mail"], [2, "b@example.com"]))

    for name in ("a.jsonl", "b.xlsx"):
        call_command("import_customers", str(tmp_path / name), stdout=io.StringIO())

    assert Customer.objects.get(email="a@example.com").city == "Bonn"
    assert Customer.objects.get(email="b@example.com").external_id == "2"


@pytest.mark.django_db
def test_orders_come_in_from_a_workbook(tmp_path: Path) -> None:
    when = dt.datetime(2026, 1, 5, 10, 30)  # noqa: DTZ001 -- sheets know no zones
    path = tmp_path / "orders.xlsx"
    path.write_bytes(workbook(["nr", "sku", "n", "price", "at"], ["A1", "p1", 2, 19.99, when]))

    call_command(
        "import_orders", str(path), currency="EUR", timezone="Europe/Berlin", stdout=io.StringIO(),
        map=["order=nr", "product=sku", "quantity=n", "price=price", "placed_at=at"],
    )  # fmt: skip

    assert Order.objects.get().total_minor == 3998


LYING = {
    "the city holds addresses": "id,city\n" + "".join(f"c{n},a{n}@example.com\n" for n in range(9)),
    "the e-mail holds dates": "id,email\n" + "".join(f"c{n},2026-01-0{n}\n" for n in range(1, 9)),
    "the id is an address": "id,city\n" + "".join(f"a{n}@example.com,Bonn\n" for n in range(9)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("text", LYING.values(), ids=LYING.keys())
def test_a_file_whose_header_lies_is_refused_before_a_row_of_it_comes_in(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)

    with pytest.raises(CommandError, match="is said to hold"):
        call_command("import_customers", str(path), stdout=io.StringIO(), stderr=io.StringIO())

    assert not Customer.objects.exists()
    assert Upload.objects.get().finished_at


@pytest.mark.django_db
def test_a_few_wrong_values_are_rows_of_their_own_and_no_lie(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id,email\n" + "".join(f"c{n},a{n}@example.com\n" for n in range(6)) + "x,no\n")

    call_command("import_customers", str(path), stdout=io.StringIO())

    assert Upload.objects.get().summary["counts"] == {"rows": 7, "added": 6, "rejected": 1}
