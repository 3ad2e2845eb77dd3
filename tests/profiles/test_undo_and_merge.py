"""Imports, merges of customers, taking either back, and new keys: in any order nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.models import Job
from privacy.keystore import keystore
from privacy.problems import DomainError
from privacy.purposes import purpose
from profiles.identity import joining
from profiles.importing import undoing
from profiles.importing.row_changes import mark, stored
from profiles.models import Customer, CustomerMerge, Order, Upload, UploadChange
from tests import make
from tests.profiles.orders import HEAD
from tests.profiles.test_undoing import PEOPLE, load, undo

__all__ = ["load"]
pytestmark = pytest.mark.django_db
Load = Callable[..., Upload]
FIRST = f"{PEOPLE}1,Ann,a@example.com,Bonn\n2,Ann,b@example.com,Köln\n"


@pytest.fixture(autouse=True)
def shop(settings: Any) -> None:
    make.shop()
    settings.KEY_CACHE_SECONDS = 0
    keystore.forget()


def join(*take: str) -> CustomerMerge:
    return joining.merge("1", "2", take=take, reason="One person", actor="test", now=timezone.now())


def apart(merged: CustomerMerge) -> Customer:
    return joining.undo(merged, reason="Two persons", actor="test", now=timezone.now())


def rotate(what: str) -> None:
    call_command("rotate_keys", what, verbosity=0)
    keystore.reread()


def names() -> dict[str, str | None]:
    with purpose("import", actor="test", now=timezone.now()):
        return {
            one.external_id: one.full_name.reveal() if one.full_name else None
            for one in Customer.objects.order_by("external_id")
        }


def test_an_import_is_not_taken_back_while_a_merge_holds_what_it_added(load: Load) -> None:
    upload = load("import_customers", FIRST)
    merged = join()
    before = list(Customer.objects.values())

    with pytest.raises(CommandError, match=f"Undo.*{merged.uuid}"):
        undo(upload)

    assert list(Customer.objects.values()) == before
    apart(merged)
    assert undo(upload)["kept"] == 0
    assert not Customer.objects.filter(external_id="2").exists()


def test_the_page_of_an_import_says_which_merge_is_in_the_way(load: Load, client: Client) -> None:
    upload = load("import_customers", FIRST)
    merged = join()
    client.force_login(make.staff())

    said = client.post(
        reverse("admin:profiles_upload_undo", args=[upload.pk]), follow=True
    ).content.decode()

    assert str(merged.uuid) in said
    upload.refresh_from_db()
    assert undoing.is_undoable(upload)


def test_a_merge_in_the_middle_stops_the_taking_back_and_loses_nothing(load: Load) -> None:
    upload = load("import_customers", FIRST)
    merged = join()

    with pytest.raises(DomainError) as refused:
        undoing.step(upload, now=timezone.now())

    assert (refused.value.code, refused.value.status) == ("customers_merged", 409)
    assert UploadChange.objects.filter(upload=upload, undone_at=None, is_kept=False).count() == 2
    assert CustomerMerge.objects.get() == merged


def test_an_import_into_a_merged_record_is_taken_back_as_any_other(load: Load) -> None:
    load("import_customers", FIRST)
    merged = join()
    upload = load("import_customers", f"{PEOPLE}1,Ann Ray,new@example.com,Ulm\n")

    assert undo(upload) == {"undone": 1, "kept": 0}

    assert Customer.objects.get().city == "Bonn"
    assert names() == {"1": "Ann"}
    assert apart(merged).external_id == "2"
    assert Customer.objects.count() == 2


def test_a_file_with_the_merged_id_adds_nobody_and_its_undoing_deletes_nobody(load: Load) -> None:
    load("import_customers", FIRST)
    merged = join()
    upload = load("import_orders", f"{HEAD}A1,2,p1,2,10,2026-01-05\n")
    assert Order.objects.get().customer == Customer.objects.get(external_id="1")
    apart(merged)

    undo(upload)

    assert not Order.objects.exists()
    assert set(names()) == {"1", "2"}


def test_a_merge_is_undone_after_an_import_it_moved_rows_of(load: Load) -> None:
    load("import_customers", FIRST)
    upload = load("import_orders", f"{HEAD}A1,2,p1,2,10,2026-01-05\nA2,1,p1,2,10,2026-01-05\n")
    kept = make.order(Customer.objects.get(external_id="2"), ("tv", "", 1, 100), number="B1")
    merged = join()
    assert undo(upload) == {"undone": 2, "kept": 0}

    restored = apart(merged)

    assert list(Order.objects.values_list("number", "customer")) == [("B1", restored.pk)]
    kept.refresh_from_db()
    assert kept.customer == restored


def test_what_a_merge_took_over_stays_when_the_import_is_taken_back(load: Load) -> None:
    make.customer("2", full_name="Ann Lee")
    upload = load("import_customers", f"{PEOPLE}1,,a@example.com,Bonn\n")
    join("full_name")

    undo(upload)

    ann = Customer.objects.get()
    assert (ann.external_id, ann.email, ann.city) == ("1", None, "")
    assert names() == {"1": "Ann Lee"}


@pytest.mark.parametrize("what", ["people", "indexes"])
def test_after_new_keys_sealed_values_stay_readable_and_the_undoing_says_so(
    load: Load, what: str
) -> None:
    load("import_customers", f"{PEOPLE}1,Ann Lee,a@example.com,Bonn\n")
    upload = load("import_customers", f"{PEOPLE}1,Ann Ray,new@example.com,Ulm\n")
    rotate(what)

    undo(upload)

    assert upload.summary["resealed"] == 1
    assert Customer.objects.get(email="new@example.com").city == "Bonn"
    assert names() == {"1": "Ann Ray"}


def test_new_keys_that_began_before_the_import_are_noticed(load: Load) -> None:
    """The rotation's job is older than the import, or forgotten: the value itself tells."""
    load("import_customers", f"{PEOPLE}1,Ann Lee,a@example.com,Bonn\n")
    upload = load("import_customers", f"{PEOPLE}1,Ann Ray,a@example.com,Bonn\n")
    rotate("people")
    Job.objects.all().delete()
    # As if the import had been the last to write the name after the page was sealed anew.
    change = UploadChange.objects.get(upload=upload)
    held = stored([Customer.objects.get().pk])[Customer.objects.get().pk]
    change.after = {name: mark(held[name]) for name in change.after}
    change.save()

    undo(upload)

    assert names() == {"1": "Ann Ray"}
    assert upload.summary["resealed"] == 1
