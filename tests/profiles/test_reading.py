from __future__ import annotations

import gzip
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.files import tables
from profiles.files.reading import (
    MAX_LINE_BYTES,
    BadRow,
    DamagedFileError,
    Table,
    UnreadableFileError,
)
from profiles.files.tables import open_table

HEAD = b"order,product,quantity\n"
Rows = list[tuple[int, "list[str] | BadRow"]]


def table(content: bytes, encoding: str = "utf-8") -> Table:
    return tables.table(io.BytesIO(content), n_bytes=len(content), encoding=encoding)


def rows(content: bytes, encoding: str = "utf-8", *, after: int = 0) -> Rows:
    return list(table(content, encoding).rows(after=after))


def test_rows_come_with_the_number_of_their_first_line() -> None:
    content = HEAD + b'1,"two\nlines",3\n\n2,b,4\n'

    assert rows(content) == [(2, ["1", "two\nlines", "3"]), (5, ["2", "b", "4"])]


def test_reading_goes_on_behind_a_line() -> None:
    content = HEAD + b"1,a,1\n2,b,2\n3,c,3\n"

    assert rows(content, after=3) == [(4, ["3", "c", "3"])]


def test_gzip_is_told_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(gzip.compress(HEAD + b"1,a,1\n"))

    with open_table(path, required=["order"]) as found:
        assert list(found.rows()) == [(2, ["1", "a", "1"])]
        assert found.n_bytes_read == found.n_bytes == path.stat().st_size


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_splits_the_first_line(mark: str) -> None:
    content = (
        mark.join(["order", "product", "price net" if mark == "," else "price, net"])
        + "\n"
        + mark.join("abc")
        + "\n"
    )

    assert rows(content.encode()) == [(2, ["a", "b", "c"])]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        assert table("﻿order,product\n".encode(), encoding).columns == ["order", "product"]


def test_chinese_encodings_are_read_when_they_are_named() -> None:
    content = "订单,商品\n1,耳机\n".encode("gb18030")

    found = table(content, "gb18030")

    assert found.columns == ["订单", "商品"]
    assert list(found.rows()) == [(2, ["1", "耳机"])]


def test_another_encoding_is_refused_and_the_option_named() -> None:
    with pytest.raises(UnreadableFileError, match=r"Line 3 .*--encoding") as caught:
        rows(HEAD + b"1,a,1\n2,caf\xe9,1\n")
    assert caught.value.code == "encoding"


@pytest.mark.parametrize(
    ("content", "encoding", "code"),
    [
        (HEAD, "klingon", "encoding_unknown"),
        (HEAD, "utf-16", "encoding_unsupported"),
        ("order,product\n".encode("utf-16"), "utf-8", "encoding_unsupported"),
        (b"", "utf-8", "empty"),
        (b"\n", "utf-8", "empty"),
        (b"\x00\x01\n", "utf-8", "not_a_table"),
        (b"a" * (MAX_LINE_BYTES + 1), "utf-8", "not_a_table"),
    ],
)
def test_what_is_no_table_is_refused_with_a_code(content: bytes, encoding: str, code: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        table(content, encoding)
    assert caught.value.code == code


def test_absent_columns_are_named_beside_those_found(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(HEAD)

    with (
        pytest.raises(UnreadableFileError, match=r"lacks .*: price, day\. It has: order, product"),
        open_table(path, required=["order", "price", "day"]),
    ):
        pass


def test_a_column_that_is_needed_and_stands_twice_is_refused_by_name() -> None:
    found = table(b"order,product,note,order,note\n")

    found.require(["product"])
    with pytest.raises(UnreadableFileError, match="has the column order twice") as caught:
        found.require(["product", "order"])
    assert caught.value.code == "column_twice"


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UnreadableFileError, match=r"nowhere\.csv cannot be opened"),
        open_table(tmp_path / "nowhere.csv"),
    ):
        pass


def test_a_line_with_a_nul_byte_is_one_bad_row() -> None:
    assert rows(HEAD + b"1,a\0,1\n2,b,2\n") == [(2, BadRow("nul_byte")), (3, ["2", "b", "2"])]


def test_rows_of_another_width_are_bad_unless_only_blanks_are_too_many() -> None:
    content = HEAD + b"1,a\n2,b,2,,\n3,c,3,x\n"

    assert rows(content) == [
        (2, BadRow("field_count")),
        (3, ["2", "b", "2"]),
        (4, BadRow("field_count")),
    ]


def test_a_quote_never_closed_is_one_bad_row_that_says_how_many_lines_it_took() -> None:
    lines = 60_000
    content = HEAD + b'1,"a,1\n' + b"2,b,2\n" * lines

    found = rows(content)

    assert found[0][0] == 2
    swallowed = found[0][1]
    assert isinstance(swallowed, BadRow)
    assert swallowed.code == "field_too_long"
    assert len(found) - 1 == lines + 1 - swallowed.n_lines


def test_a_line_of_64_mib_is_one_bad_row_in_bounded_memory() -> None:
    pieces = [HEAD, b"1,a,1\n", *[b"x" * (1 << 20)] * 64, b"\n2,b,2\n"]
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for piece in pieces:
            file.write(piece)
    content = packed.getvalue()

    tracemalloc.start()
    found = rows(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found == [(2, ["1", "a", "1"]), (3, BadRow("line_too_long")), (4, ["2", "b", "2"])]
    assert peak < 8 << 20


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_gzip_cut_short_hands_out_what_was_read_then_says_so(kept: float) -> None:
    lines = [f"{n},{n * 7919 % 9973},{n * 31 % 97}\n".encode() for n in range(50_000)]
    whole = gzip.compress(HEAD + b"".join(lines))
    found = table(whole[: int(len(whole) * kept)]).rows()

    read: Rows = []
    with pytest.raises(DamagedFileError, match="nothing is added twice") as caught:
        read.extend(found)

    assert caught.value.code == "file_truncated"
    assert len(read) > kept * len(lines) * 0.8
    assert [row for _, row in read] == [line.decode().strip().split(",") for line in lines][
        : len(read)
    ]


def test_a_damaged_gzip_is_told_from_a_short_one() -> None:
    whole = bytearray(gzip.compress(HEAD + b"1,a,1\n" * 50_000))
    whole[-6] ^= 0xFF

    with pytest.raises(DamagedFileError) as caught:
        rows(bytes(whole))

    assert caught.value.code == "file_damaged"


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r")), min_size=3, max_size=3
        )
    )
)
def test_what_a_csv_writer_wrote_is_read_back(written: list[list[str]]) -> None:
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["a", "b", "c"], *written])

    found = [row for _, row in rows(text.getvalue().encode())]

    assert found == written


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"order,product\r1,a\r2,b\r", "line_ends"),
        (b"a" * 200_000 + b",b\n1,2\n", "not_a_table"),
        (b"C-1,Ann Lee,ann@shop.example\nC-2,Bo,bo@shop.example\n", "no_header"),
        (b"C-1,+43 660 1234567\n", "no_header"),
    ],
)
def test_a_first_line_that_names_no_columns_is_refused_unquoted(content: bytes, code: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        table(content)

    assert caught.value.code == code
    assert "ann@" not in str(caught.value)
