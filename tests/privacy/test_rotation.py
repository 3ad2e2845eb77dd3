"""Rotation: while keys are replaced, and after, every value opens and every row is found."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from jobs.models import Job
from privacy import subject_export
from privacy.crypto.envelope import generation_of
from privacy.keystore import keystore
from privacy.models import RootKey, SubjectKey
from privacy.rotation import EPOCH, JOB, indexes, is_due
from profiles.models import Customer
from tests import make
from tests.privacy.persons import copy_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _short_waits(settings: Settings, tmp_path: Path) -> None:
    settings.KEY_CACHE_SECONDS = 0
    settings.VAR_DIR = tmp_path
    keystore.forget()


def rotate(what: str) -> str:
    out = StringIO()
    call_command("rotate_keys", what, stdout=out)
    keystore.reread()
    return out.getvalue()


def people(n: int = 3) -> list[Customer]:
    return [
        make.customer(
            f"c-{k}", email=f"p{k}@example.com", phone=f"+861381234000{k}", full_name="王"
        )
        for k in range(n)
    ]


def masks() -> list[str]:
    return [f"{row.email} {row.phone} {row.full_name}" for row in Customer.objects.order_by("pk")]


def test_a_new_epoch_wraps_every_key_and_touches_no_value() -> None:
    people()
    stored, before = list(Customer.objects.values_list("email")), masks()
    keys = list(SubjectKey.objects.values_list("wrapped", flat=True))

    assert "3 rows done, 0 rows on the old key" in rotate("epochs")

    assert set(SubjectKey.objects.values_list("epoch", flat=True)) == {2}
    assert not set(map(bytes, keys)) & set(
        map(bytes, SubjectKey.objects.values_list("wrapped", flat=True))
    )
    assert list(Customer.objects.values_list("email")) == stored
    keystore.forget()
    assert masks() == before


def test_only_the_epoch_before_is_kept() -> None:
    people()
    rotate("epochs")
    rotate("epochs")

    assert list(RootKey.objects.filter(use="kek").values_list("version", flat=True)) == [2, 3]


def test_everybody_gets_a_new_key_and_the_old_ones_are_destroyed() -> None:
    people()
    before = masks()

    assert "3 rows done, 0 rows on the old key" in rotate("people")

    assert list(SubjectKey.objects.values_list("generation", flat=True)) == [2, 2, 2]
    sealed: Any = Customer.objects.values_list("email", "phone", "full_name")
    assert {generation_of(value) for row in sealed for value in row} == {2}
    assert masks() == before


def test_copies_that_wait_to_be_fetched_open_after_everybody_got_a_new_key() -> None:
    here, gone, damaged, cut_short = people(4)
    copies = [copy_of(person) for person in (here, gone, damaged, cut_short)]
    before = subject_export.download(copies[0], actor="test", now=make.NOW)
    keystore.destroy([gone.subject_id.bytes])
    subject_export.path_of(copies[2]).write_bytes(b"\x01\x01\x00\x01 altered on the disk")
    subject_export.path_of(copies[3]).write_bytes(b"\x01")

    with pytest.raises(CommandError, match="do not open"):
        rotate("people")

    assert subject_export.download(copies[0], actor="test", now=make.NOW) == before
    assert SubjectKey.objects.filter(subject_uuid=here.subject_id).get().generation == 2
    for person in (damaged, cut_short):
        assert SubjectKey.objects.filter(subject_uuid=person.subject_id).count() == 2


def test_a_process_that_held_the_old_key_and_row_reads_on() -> None:
    people(1)
    row = Customer.objects.get()
    before = str(row.email)

    rotate("people")

    assert str(row.email) == before


def test_a_row_read_before_and_saved_after_does_not_bring_the_old_ciphertext_back() -> None:
    people(1)
    early = Customer.objects.get()
    rotate("people")

    early.city = "Wien"
    early.save()
    Customer.objects.bulk_update([early], ["email", "city"])

    assert masks() == ["p***@e***.com 138****0000 王*"]
    assert Customer.objects.get().city == "Wien"


def test_a_value_that_does_not_open_keeps_its_key_and_is_counted() -> None:
    broken, _whole = people(2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE profiles_customer SET phone = full_name WHERE id = %s", [broken.pk])

    with pytest.raises(CommandError, match="do not open"):
        rotate("people")

    assert SubjectKey.objects.filter(subject_uuid=broken.subject_id).count() == 2
    assert str(Customer.objects.get(pk=broken.pk).full_name) == "王*"


@pytest.mark.parametrize("what", ["people", "epochs"])
def test_a_damaged_key_stays_and_is_counted(what: str) -> None:
    damaged, _whole = people(2)
    SubjectKey.objects.filter(subject_uuid=damaged.subject_id).update(wrapped=bytes(62))
    keystore.forget()

    with pytest.raises(CommandError, match="do not open"):
        rotate(what)

    kept = SubjectKey.objects.filter(subject_uuid=damaged.subject_id).order_by("pk")
    assert bytes(kept[0].wrapped) == bytes(62)
    assert masks() == ["*** (damaged) *** (damaged) *** (damaged)", "p***@e***.com 138****0001 王*"]


def test_an_erased_person_gets_no_new_key() -> None:
    gone, _there = people(2)
    keystore.destroy([gone.subject_id.bytes])

    rotate("people")

    assert not SubjectKey.objects.filter(subject_uuid=gone.subject_id).exists()


def test_a_new_index_key_tags_every_row_anew() -> None:
    people()
    tags = set(Customer.objects.values_list("email_tag", "phone_tag"))

    assert "3 rows done, 0 rows on the old key" in rotate("indexes")

    assert not tags & set(Customer.objects.values_list("email_tag", "phone_tag"))
    assert Customer.objects.get(email="P1@example.com").external_id == "c-1"
    assert Customer.objects.get(phone="+8613812340002").external_id == "c-2"
    assert list(RootKey.objects.filter(use="index").values_list("version", flat=True)) == [2]


@pytest.fixture
def _half_way() -> None:
    """Two index keys in force, the new one written; old rows keep their tags."""
    people()
    indexes.announce(2)
    RootKey.objects.filter(use="index", version=2).update(is_written=True)
    keystore.reread()


@pytest.mark.usefixtures("_half_way")
def test_no_row_is_missed_while_index_keys_are_rotated() -> None:
    make.customer("c-new", email="new@example.com")
    every = Customer.objects.all()

    assert every.get(email="p1@example.com").external_id == "c-1"
    assert every.get(email="new@example.com").external_id == "c-new"
    assert every.filter(email__in=["p1@example.com", "new@example.com"]).count() == 2
    assert every.exclude(email="p1@example.com").count() == 3


@pytest.mark.usefixtures("_half_way")
def test_an_address_stays_unique_while_index_keys_are_rotated() -> None:
    writes: list[Any] = [
        lambda: make.customer("c-x", email="p1@example.com"),
        lambda: Customer.objects.bulk_create(
            [
                Customer(
                    external_id="c-y",
                    subject=make.subject(),
                    email="p1@example.com",
                    created_at=make.NOW,
                )
            ]
        ),
    ]
    for write in writes:
        with pytest.raises(IntegrityError), transaction.atomic():
            write()

    row = Customer.objects.get(external_id="c-1")
    row.email = "P1@example.com"
    row.save()
    assert Customer.objects.get(email="p1@example.com") == row


@pytest.mark.usefixtures("_half_way")
def test_a_collision_of_old_and_new_is_counted_and_both_keys_stay() -> None:
    first, second = Customer.objects.order_by("pk")[:2]
    new = Customer._meta.get_field("email").tags_of("p0@example.com")[0]
    Customer.objects.filter(pk=second.pk).update(email_tag=new)

    fields = indexes.indexed_fields(Customer)
    columns = [name for field in fields for name in (field.attname, *field.index_columns)]
    row = Customer.objects.values("pk", "uuid", "subject_id", *columns).get(pk=first.pk)
    assert indexes.retag(Customer, fields, [row]) == 1
    assert bytes(Customer.objects.get(pk=first.pk).email_tag or b"") != new


def test_a_new_epoch_is_due_after_ninety_days() -> None:
    people(1)
    begun = RootKey.objects.get(use="kek").created_at

    assert not is_due(begun + EPOCH)
    assert is_due(begun + EPOCH + EPOCH / 90)


def test_the_keys_page_shows_how_far_a_rotation_is_and_begins_one(client: Client) -> None:
    people(1)
    client.force_login(make.staff())
    rotate("epochs")

    page = client.get("/admin/privacy/rootkey/").content.decode()
    begun = client.post("/admin/privacy/rootkey/rotate/people/")

    assert "1 rows done, 0 rows on the old key" in page
    assert begun.status_code == 302
    assert Job.objects.filter(kind=JOB, payload__what="people", state="queued").count() == 1
    assert client.post("/admin/privacy/rootkey/rotate/nothing/").status_code == 400


def test_only_administrators_begin_a_rotation(client: Client) -> None:
    client.force_login(make.staff("privacy_officer"))

    assert client.get("/admin/privacy/rootkey/").status_code == 200
    assert client.post("/admin/privacy/rootkey/rotate/people/").status_code == 403
