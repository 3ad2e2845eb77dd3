"""A dry run changes nothing and tells the truth; an import taken back leaves what others changed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import models

from privacy.models import Subject, Suppression
from privacy.purposes import purpose
from profiles.events import merging
from profiles.models import (
    Customer,
    CustomerTraits,
    Event,
    Order,
    OrderLine,
    Refund,
    StagedLine,
    Upload,
    UploadChange,
)
from profiles.traits import featuring
from tests import make
from tests.make import NOW
from tests.privacy.persons import erase
from tests.profiles.orders import HEAD, MAPPED

pytestmark = pytest.mark.django_db
PEOPLE = "id,name,e-mail,city\n"
LINES = HEAD + (
    "A1,c1,p1,2,10,2026-01-05\nA1,c1,p2,1,5,2026-01-05\nA2,c2,p1,1,10,2026-01-06\n"
    "A3,c1,p1,-1,10,2026-01-08\n"
)
HELD: tuple[type[models.Model], ...] = (
    Customer, Subject, Order, OrderLine, Refund, Event, Suppression, UploadChange, StagedLine,
)  # fmt: skip


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Upload]:
    def loaded(command: str, text: str, **options: Any) -> Upload:
        path = tmp_path / f"{Upload.objects.count()}.csv"
        path.write_text(text)
        extra = MAPPED if command == "import_orders" else {}
        call_command(command, str(path), stdout=io.StringIO(), **extra, **options)
        return Upload.objects.latest("pk")

    return loaded


def undo(upload: Upload) -> dict[str, int]:
    call_command("undo_import", str(upload.uuid), stdout=io.StringIO())
    upload.refresh_from_db()
    return {name: upload.summary[name] for name in ("undone", "kept")}


def everything() -> dict[str, list[Any]]:
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in HELD}


def sizes() -> dict[str, int]:
    return {model.__name__: model._base_manager.count() for model in HELD}


def test_a_dry_run_of_people_tells_what_each_row_would_do_and_does_nothing(
    load: Callable[..., Upload],
) -> None:
    load("import_customers", f"{PEOPLE}1,Ann,a@example.com,Bonn\n2,Ben,b@example.com,Bonn\n")
    before = everything()

    upload = load(
        "import_customers",
        f"{PEOPLE}1,Ann,a@example.com,Bonn\n2,Ben,b@example.com,Köln\n3,Cid,,\n4,Dan,a@example.com,\n",
        preview=True,
    )

    assert everything() == before
    counts = {"rows": 4, "same": 1, "changed": 1, "added": 1, "rejected": 1}
    assert upload.summary["counts"] == counts
    assert upload.summary["reasons"] == {"email_taken": 1}


def test_a_dry_run_of_orders_tells_what_the_import_then_does(load: Callable[..., Upload]) -> None:
    load("import_orders", LINES)
    more = f"{LINES}A2,c2,p9,1,7,2026-01-06\nA4,c3,p1,1,10,2026-01-07\nA1,c9,p1,1,1,2026-01-05\n"
    before = everything()

    told = load("import_orders", more, preview=True).summary["counts"]

    assert everything() == before
    done = load("import_orders", more).summary
    assert {name: told[name] for name in ("orders_added", "lines_added", "refunds_added")} == {
        name: done["counts"][name] for name in ("orders_added", "lines_added", "refunds_added")
    }
    assert (told["orders_added"], told["orders_changed"], told["same"]) == (1, 1, 4)
    assert told["misfits"] == done["reasons"]["customer_differs"] == 1


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("import_customers", f"{PEOPLE}1,Ann,a@example.com,Bonn\n2,Ben,,\n"),
        ("import_orders", LINES),
        ("import_suppressions", "address\na@example.com\n"),
    ],
)
def test_what_an_import_added_goes_and_nothing_else(
    load: Callable[..., Upload], command: str, text: str
) -> None:
    make.customer("other")
    before = sizes()
    upload = load(command, text)
    assert sizes() != before

    taken_back = undo(upload)

    assert taken_back["kept"] == 0
    assert sizes() | {"UploadChange": 0} == before
    assert taken_back["undone"] == UploadChange.objects.exclude(undone_at=None).count()


def test_what_was_taken_back_can_be_brought_in_again(load: Callable[..., Upload]) -> None:
    events = "event,timestamp,user id\nProduct Viewed,2026-01-05 10:30:00,c-1\n"
    for command, text in (("import_orders", LINES), ("import_events", events)):
        upload = load(command, text)
        merging.merge(NOW)
        before = sizes()
        undo(upload)
        load(command, text)
        merging.merge(NOW)
        assert sizes() | {"UploadChange": 0} == before | {"UploadChange": 0}


def test_a_changed_customer_is_as_before_sealed_values_included(
    load: Callable[..., Upload],
) -> None:
    load("import_customers", f"{PEOPLE}1,Ann Lee,a@example.com,Bonn\n")
    before = Customer.objects.values().get()
    upload = load("import_customers", f"{PEOPLE}1,Ann Ray,new@example.com,Köln\n")

    assert undo(upload) == {"undone": 1, "kept": 0}

    assert Customer.objects.values().get() == before
    customer = Customer.objects.get(email="a@example.com")
    assert customer.full_name
    with purpose("import", actor="test", now=NOW):
        assert customer.full_name.reveal() == "Ann Lee"


def test_what_another_source_changed_since_stays(load: Callable[..., Upload]) -> None:
    load("import_customers", f"{PEOPLE}1,Ann,a@example.com,Bonn\n")
    upload = load("import_customers", f"{PEOPLE}1,Ann Ray,new@example.com,Köln\n")
    Customer.objects.update(city="Ulm")

    assert undo(upload) == {"undone": 0, "kept": 1}

    assert Customer.objects.get(email="a@example.com").city == "Ulm"


def test_a_customer_who_ordered_since_stays(load: Callable[..., Upload]) -> None:
    upload = load("import_customers", f"{PEOPLE}c1,Ann,a@example.com,Bonn\nc9,Ben,,\n")
    load("import_orders", LINES)

    assert undo(upload) == {"undone": 2, "kept": 0}

    ann = Customer.objects.get(external_id="c1")
    assert (ann.email, ann.city, ann.orders.count()) == (None, "", 1)
    assert not Customer.objects.filter(external_id="c9").exists()


def test_traits_follow_when_an_import_is_taken_back(load: Callable[..., Upload]) -> None:
    make.order(make.customer("c1"), ("tv", "", 1, 100), days_ago=5)
    upload = load("import_orders", LINES)
    featuring.build_traits(NOW)
    undo(upload)

    featuring.build_traits(NOW)

    traits = CustomerTraits.objects.get(customer__external_id="c1")
    assert (traits.n_orders, traits.revenue_minor) == (1, 100)


def test_lines_added_to_an_order_go_and_its_total_follows(load: Callable[..., Upload]) -> None:
    load("import_orders", LINES)
    upload = load("import_orders", f"{HEAD}A2,c2,p9,1,7,2026-01-06\n")
    assert Order.objects.get(number="A2").total_minor == 1700

    undo(upload)

    assert Order.objects.get(number="A2").total_minor == 1000


def test_an_order_that_a_later_file_told_more_of_stays(load: Callable[..., Upload]) -> None:
    upload = load("import_orders", LINES)
    load("import_orders", f"{HEAD}A2,c2,p9,1,7,2026-01-06\n")

    undo(upload)

    assert list(Order.objects.values_list("number", flat=True)) == ["A2"]


def test_an_import_is_taken_back_once_and_a_dry_run_never(load: Callable[..., Upload]) -> None:
    upload = load("import_orders", LINES)
    undo(upload)

    for one in (upload, load("import_orders", LINES, preview=True)):
        with pytest.raises(CommandError, match="taken back already"):
            undo(one)


def test_a_person_erased_leaves_no_note_of_an_import(load: Callable[..., Upload]) -> None:
    load("import_customers", f"{PEOPLE}1,Ann,a@example.com,Bonn\n")
    erase(Customer.objects.get())

    assert not UploadChange.objects.exists()
