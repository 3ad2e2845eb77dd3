"""What a file would change, told row by row before it changes anything."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from privacy import consent
from privacy.consent import Declaration
from privacy.models import AuditEntry
from profiles.importing import comparing, preview_words, previewing, uploads
from profiles.importing.comparing import Change, Compared, Difference
from profiles.models import Customer, Order, Upload
from tests import make
from tests.make import NOW
from tests.profiles.orders import HEAD as ORDER_HEAD
from tests.profiles.orders import MAPPED

pytestmark = pytest.mark.django_db

HEAD = "customer id,name,e-mail,phone,country,birth date,city\n"
ANN = "c-1,Ann Lee,ann@example.com,+442079460001,GB,1988-03-01,London\n"


def put(folder: Path, text: str, name: str = "f.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def run(kind: str, path: Path, **options: Any) -> tuple[Upload, str]:
    told = io.StringIO()
    call_command(f"import_{kind}", str(path), stdout=told, stderr=io.StringIO(), **options)
    return Upload.objects.latest("pk"), told.getvalue()


def told(upload: Upload) -> list[tuple[int, bool, dict[str, tuple[str, str]]]]:
    return [
        (line, one.is_new, {c.column: (c.before, c.after) for c in one.changes})
        for line, one in comparing.told(upload.summary["diff"])
    ]


def test_another_name_or_birthday_under_the_same_mask_is_told_as_a_change(tmp_path: Path) -> None:
    run("customers", put(tmp_path, HEAD + "c-1,Maria Keller,,,DE,1990-05-03,Bern\n"))
    same_masks = HEAD + "c-1,Mario Kolber,,,DE,1990-08-09,Bern\n"
    respelt = HEAD + "c-1,Maria Keller,,,DE,1990/05/03,Basel\n"

    changed, printed = run("customers", put(tmp_path, same_masks, "b.csv"), preview=True)
    other, _ = run("customers", put(tmp_path, respelt, "c.csv"), preview=True)

    ((_line, is_new, columns),) = told(changed)
    assert (is_new, set(columns)) == (False, {"full_name", "birth_date"})
    assert columns["full_name"][0] == columns["full_name"][1]
    assert "Kolber" not in printed + str(changed.summary)
    assert [set(row[2]) for row in told(other)] == [{"city"}]


def test_a_preview_of_customers_says_which_row_changes_which_column_and_shows_nobody(
    tmp_path: Path,
) -> None:
    run("customers", put(tmp_path, HEAD + ANN + "c-2,Bo Ek,bo@example.com,,SE,,Lund\n"))
    again = (
        f"{HEAD}{ANN}c-2,Bo Ek,bea@example.com,,SE,,Malmö\nc-3,Cy Ito,cy@example.com,,JP,,\n"
        "c-4,Di,no address,,,,\n"
    )

    upload, printed = run("customers", put(tmp_path, again, "b.csv"), preview=True)

    assert upload.summary["counts"] == {
        "rows": 4, "added": 1, "changed": 1, "same": 1, "rejected": 1,
    }  # fmt: skip
    changed, new = told(upload)
    assert changed == (
        3, False, {"email": ("b***@e***.com", "b***@e***.com"), "city": ("Lund", "Malmö")},
    )  # fmt: skip
    assert (new[0], new[1], new[2]["email"]) == (4, True, ("", "c***@e***.com"))
    assert (
        "line 3, changes: email: b***@e***.com → b***@e***.com (differs, the masks look alike)"
        in printed
    )
    assert "; city: Lund → Malmö" in printed
    assert "rows in which city changes: 1" in printed
    assert "email_invalid" in printed
    stored = str(upload.summary)
    assert "bea@" not in stored + printed
    assert "Cy Ito" not in stored + printed
    assert Customer.objects.count() == 2


@pytest.mark.django_db(transaction=True, databases=["default", "keystore"])
def test_a_name_and_a_birth_date_that_change_under_the_same_mask_are_told_and_audited(
    tmp_path: Path,
) -> None:
    old = "c-1,Maria Keller,,,CH,1990-05-03,Bern\nc-2,Eva Roth,,,CH,1990-01-02,Bern\n"
    new = "c-1,Mario Kolber,,,CH,1990-08-09,Bern\nc-2,Eva Roth,,,CH,1990-01-02,Basel\n"
    run("customers", put(tmp_path, HEAD + old))

    upload, printed = run("customers", put(tmp_path, HEAD + new, "b.csv"), preview=True)

    (_, _, first), (_, _, second) = told(upload)
    assert first.keys() == {"full_name", "birth_date"}
    assert all(before == after for before, after in first.values())
    assert second == {"city": ("Bern", "Basel")}
    assert printed.count("(differs, the masks look alike)") == 2
    for value in ("Kolber", "Keller", "08-09", "05-03"):
        assert value not in f"{upload.summary}{printed}"
    opened = AuditEntry.objects.get(action="value.revealed", purpose="import")
    assert opened.outcome == AuditEntry.Outcome.ALLOWED


def test_a_row_without_all_columns_changes_only_what_it_tells(tmp_path: Path) -> None:
    run("customers", put(tmp_path, HEAD + ANN))

    upload, _printed = run(
        "customers", put(tmp_path, "id,e-mail\nc-1,ann@example.com\n", "b.csv"), preview=True
    )

    assert told(upload) == []


def test_a_preview_of_orders_tells_new_orders_and_lines_of_those_that_are_there(
    tmp_path: Path,
) -> None:
    first = ORDER_HEAD + "1,c-1,TV,1,500,2026-01-05\n"
    run("orders", put(tmp_path, first), **MAPPED)
    second = f"{first}1,c-1,HDMI,2,9.50,2026-01-05\n2,c-2,TV,1,500,2026-01-06\n3,c-2,TV,x,1,1\n"

    upload, printed = run("orders", put(tmp_path, second, "b.csv"), preview=True, **MAPPED)

    assert told(upload) == [
        (3, False, {"order": ("", "1"), "product": ("", "HDMI"), "quantity": ("", "2"),
                    "total": ("", "19.00 EUR")}),
        (4, True, {"order": ("", "2"), "product": ("", "TV"), "quantity": ("", "1"),
                   "total": ("", "500.00 EUR")}),
    ]  # fmt: skip
    assert "line 3, changes: order: – → 1" in printed
    assert upload.summary["reasons"] == {"quantity_unreadable": 1}
    assert Order.objects.count() == 1


def test_a_preview_of_consents_tells_what_each_row_changes(tmp_path: Path) -> None:
    customer = make.customer("c-1")
    consent.record_many(
        [Declaration(
            subject=customer.subject_id, purpose="campaign.email", channel="email",
            state="given", wording="Yes", source="web", happened_at=NOW,
        )],
        now=NOW,
    )  # fmt: skip
    text = (
        "customer id,purpose,channel,state,wording,source,date\n"
        "c-1,campaign.email,email,withdrawn,No,shop,2026-06-01T00:00:00Z\n"
        "c-1,campaign.sms,sms,given,Yes,shop,2026-01-01T00:00:00Z\n"
    )

    upload, _printed = run("consents", put(tmp_path, text), preview=True)

    (_line, is_new, changes), (_line, is_other_new, _changes) = told(upload)
    assert (is_new, is_other_new) == (False, True)
    assert changes["state"] == ("given", "withdrawn")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("suppressions", "e-mail,reason\nann@example.com,bounced\nbo@example.com,\n"),
        (
            "events",
            "event,timestamp,user id\nA,2026-01-01T00:00:00Z,c-1\nB,2026-01-02T00:00:00Z,c-1\n",
        ),
    ],
)
def test_a_preview_tells_new_rows_until_they_were_brought_in(
    tmp_path: Path, kind: str, text: str
) -> None:
    before, _printed = run(kind, put(tmp_path, text), preview=True)
    run(kind, put(tmp_path, text))
    after, _printed = run(kind, put(tmp_path, text, "b.csv"), preview=True)

    assert [(line, is_new) for line, is_new, _changes in told(before)] == [(2, True), (3, True)]
    assert told(after) == []
    assert "@" not in str(before.summary["diff"])


def test_a_preview_says_what_the_columns_hold(tmp_path: Path) -> None:
    rows = "".join(f'{n},c-{n % 3},TV,1,"{n},50",{n:02}/01/2026 10:00\n' for n in range(1, 21))
    options = MAPPED | {"date_format": "%d/%m/%Y %H:%M", "decimal_comma": True}

    upload, _printed = run("orders", put(tmp_path, ORDER_HEAD + rows), preview=True, **options)

    facts = {one.name: one for one in preview_words.columns(upload.summary)}
    assert facts["placed_at"].holds == "dates as %d/%m/%Y %H:%M"
    assert facts["price"].holds == "numbers with a decimal comma"
    assert (facts["customer"].holds, facts["customer"].n_distinct) == ("text", 3)
    assert (facts["order"].holds, facts["order"].empty) == ("numbers", 0.0)


def test_dates_of_which_day_and_month_cannot_be_told_apart_say_so(tmp_path: Path) -> None:
    rows = "".join(f"{n},c-1,TV,1,5,0{n}/0{n}/2026 10:00\n" for n in range(1, 5))
    options = MAPPED | {"date_format": "%d/%m/%Y %H:%M"}

    upload, _printed = run("orders", put(tmp_path, ORDER_HEAD + rows), preview=True, **options)

    facts = {one.name: one for one in preview_words.columns(upload.summary)}
    assert facts["placed_at"].holds == "dates as %d/%m/%Y %H:%M or %m/%d/%Y %H:%M"


def test_of_rows_with_one_key_the_later_is_told_of_and_empty_cells_change_nothing() -> None:
    rows = [
        {"key": "a", "city": "Bonn"}, {"key": "a", "city": "Ulm"}, {"key": "b", "city": ""},
        {"key": "c", "city": "Rom"}, {"key": "d", "city": "x\x1f2"},
    ]  # fmt: skip
    there = [
        {"key": "a", "city": "Bonn"}, {"key": "b", "city": "Oslo"}, {"key": "d", "city": "x\x1f1"},
    ]  # fmt: skip

    assert previewing.differences(Compared(rows, there)) == [
        None,
        Difference(is_new=False, changes=[Change("city", "Bonn", "Ulm")]),
        None,
        Difference(is_new=True, changes=[Change("city", "", "Rom")]),
        Difference(is_new=False, changes=[Change("city", "x", "x")]),
    ]
    assert previewing.differences(Compared([], there)) == []


def test_of_each_kind_the_first_fifty_rows_are_kept_and_all_columns_counted() -> None:
    kept: dict[str, Any] = {}
    one = Difference(is_new=False, changes=[Change("city", "Bonn", "Ulm")])

    comparing.add(kept, [(line, one) for line in range(2, 62)])
    comparing.add(kept, [(line, Difference(is_new=True, changes=[])) for line in range(70, 130)])

    assert [len([row for row in kept["rows"] if row[1] == is_new]) for is_new in (0, 1)] == [50, 50]
    assert kept["changed"] == {"city": 60}


def test_what_a_preview_told_of_rows_goes_after_a_day(tmp_path: Path) -> None:
    upload, _printed = run("customers", put(tmp_path, HEAD + ANN), preview=True)
    assert upload.finished_at is not None

    uploads.discard_old(upload.finished_at + uploads.KEPT_FOR * 2)

    upload.refresh_from_db()
    assert "diff" not in upload.summary
    assert upload.summary["counts"] == {"rows": 1, "added": 1}


ORDERS = "Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID,Country\n"


@pytest.mark.parametrize("kind", ["customers", "events", "suppressions"])
def test_a_file_of_orders_is_refused_as_anything_else_and_the_columns_are_named(
    tmp_path: Path, kind: str
) -> None:
    head = ORDERS.replace("Customer ID", "E-mail") if kind == "suppressions" else ORDERS
    who = "ann@example.com" if kind == "suppressions" else "17850"
    path = put(tmp_path, f"{head}1,TV,1,2026-01-05 10:00,500,{who},France\n")

    with pytest.raises(
        CommandError, match=r"Invoice, StockCode, Quantity, .* of another kind: Orders"
    ):
        run(kind, path)

    assert not Customer.objects.exists()
    (problem,) = uploads.preview(io.BytesIO(path.read_bytes()), kind, n_bytes=9).problems
    assert problem.code == "other_kind"


def test_a_file_of_orders_may_still_be_read_for_its_customers(tmp_path: Path) -> None:
    row = "1,TV,1,2026-01-05 10:00,500,17850,France\n"

    run("customers", put(tmp_path, ORDERS + row), map=["external_id=Customer ID"])
    run("customers", put(tmp_path, ORDERS.strip() + ",Phone\n" + row.strip() + ",\n", "b.csv"))

    assert Customer.objects.get().external_id == "17850"


@pytest.mark.parametrize("kind", Upload.Kind.values)
def test_a_file_with_a_header_alone_says_that_it_holds_no_rows(tmp_path: Path, kind: str) -> None:
    heads = {
        "orders": ORDER_HEAD, "customers": HEAD, "suppressions": "e-mail\n",
        "events": "event,timestamp\n",
        "consents": "customer id,purpose,channel,state,wording,source,date\n",
    }  # fmt: skip
    options = MAPPED if kind == "orders" else {}

    with pytest.raises(CommandError, match="holds no rows below them"):
        run(kind, put(tmp_path, heads[kind]), **options)
