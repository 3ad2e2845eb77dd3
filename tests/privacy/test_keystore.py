"""Keys are kept apart, made once, and never silently replaced."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django.fixtures import Settings

from campaigns import approvals, delivery
from campaigns.models import Delivery
from config import probes
from privacy import subject_keys
from privacy.crypto.envelope import SealedIntegrityError
from privacy.fields import reveal_columns
from privacy.keystore import Keystore, keystore
from privacy.models import Keyring, SubjectKey
from privacy.providers import FileProvider, KeyUnavailableError
from privacy.purposes import purpose
from profiles.models import Customer
from tests import make
from tests.campaigns.sending import Tray
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_keys(settings: Settings, tmp_path: Path) -> None:
    settings.KEYS_DIR = tmp_path / "keys"


def test_the_first_sealing_makes_a_root_key_that_only_its_owner_reads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    make.customer("c-1", email="a@example.com")

    assert stat.S_IMODE(FileProvider().path.stat().st_mode) == 0o600
    assert stat.S_IMODE(FileProvider().path.parent.stat().st_mode) == 0o700
    assert "keep a copy" in caplog.text
    assert [path.name for path in FileProvider().path.parent.iterdir()] == ["root.key"]


def test_a_lost_root_key_is_never_replaced() -> None:
    make.customer("c-1", email="a@example.com")
    FileProvider().path.unlink()
    keystore.forget()

    with pytest.raises(KeyUnavailableError, match=r"root\.key is missing .* put it back"):
        make.customer("c-2", email="b@example.com")
    assert not FileProvider().path.exists()


def test_a_wrong_root_key_is_named_before_anything_is_sealed_with_it() -> None:
    make.customer("c-1", email="a@example.com")
    FileProvider().path.write_bytes(base64.b64encode(bytes(32)))
    keystore.forget()

    with pytest.raises(KeyUnavailableError, match=r"root\.key is not the root key"):
        make.customer("c-2", email="b@example.com")


@pytest.mark.parametrize("text", ["", "short", "é", "A" * 43])
def test_a_damaged_root_key_is_named(text: str) -> None:
    make.customer("c-1", email="a@example.com")
    FileProvider().path.write_text(text, encoding="utf-8")
    keystore.forget()

    with pytest.raises(KeyUnavailableError, match=r"root\.key"):
        str(Customer.objects.get().email)


def test_an_emptied_keystore_is_not_begun_anew_over_sealed_data() -> None:
    make.customer("c-1", email="a@example.com")
    Keyring.objects.all().delete()
    keystore.forget()

    with pytest.raises(KeyUnavailableError, match="restore it from its backup"):
        make.customer("c-2", email="b@example.com")


def test_the_root_key_may_stand_in_the_environment(settings: Settings) -> None:
    settings.KEY_PROVIDER, settings.KEY_ROOT = "env", base64.b64encode(os.urandom(32)).decode()

    make.customer("c-1", email="a@example.com")

    assert not FileProvider().path.exists()
    settings.KEY_ROOT = ""
    keystore.forget()
    with pytest.raises(KeyUnavailableError, match="KEY_ROOT is empty"):
        str(Customer.objects.get().email)


def test_an_unknown_provider_is_named(settings: Settings) -> None:
    settings.KEY_PROVIDER = "vault"

    with pytest.raises((KeyUnavailableError, ImproperlyConfigured), match="'vault'"):
        make.customer("c-1", email="a@example.com")


def test_every_subject_has_its_own_key_made_once() -> None:
    subjects = [uuid4() for _ in range(5)]

    keystore.create(subjects)
    keystore.create([*subjects, subjects[0]])

    assert SubjectKey.objects.count() == 5
    assert len({bytes(key) for key in SubjectKey.objects.values_list("wrapped", flat=True)}) == 5


def test_a_customer_without_personal_data_needs_no_key() -> None:
    make.customer("c-1")

    assert not SubjectKey.objects.exists()


def test_another_process_uses_the_stored_key() -> None:
    customer = make.customer("c-1", email="a@example.com")
    other = Keystore()

    assert set(other.ciphers(customer.subject_id.bytes)) == {1}
    other.create([customer.subject_id])
    assert SubjectKey.objects.count() == 1


def test_without_its_key_a_value_is_gone_and_no_new_key_hides_it() -> None:
    make.customer("c-1", email="a@example.com")
    SubjectKey.objects.all().delete()
    keystore.forget()

    with (
        purpose("import", actor="test", now=NOW),
        pytest.raises(SealedIntegrityError, match=r"key of customer\.email is gone"),
    ):
        reveal(Customer.objects.get())


def reveal(customer: Customer) -> str:
    assert customer.email is not None
    return customer.email.reveal()


def test_the_wrapped_key_of_another_subject_does_not_open() -> None:
    one, two = (make.customer(f"c-{n}", email=f"{n}@example.com") for n in range(2))
    wrapped = SubjectKey.objects.get(subject_uuid=one.subject_id).wrapped
    SubjectKey.objects.filter(subject_uuid=two.subject_id).update(wrapped=wrapped)
    keystore.forget()

    assert [str(row.email) for row in Customer.objects.order_by("pk")] == [
        "0***@e***.com",
        "*** (damaged)",
    ]
    with (
        purpose("import", actor="test", now=NOW),
        pytest.raises(SealedIntegrityError, match=r"key of customer\.email is gone"),
    ):
        reveal(Customer.objects.get(pk=two.pk))


@pytest.fixture
def one_damaged() -> Customer:
    """Three customers, and one whose key in the keystore lost a bit."""
    people = [make.reader(f"c-{n}") for n in range(4)]
    damaged = people[1]
    row = SubjectKey.objects.get(subject_uuid=damaged.subject_id)
    wrapped = bytes(row.wrapped)
    SubjectKey.objects.filter(pk=row.pk).update(wrapped=wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
    keystore.forget()
    return damaged


def test_one_damaged_key_hides_one_person_and_the_list_stands(
    one_damaged: Customer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.force_login(make.staff())

    page = client.get("/admin/profiles/customer/")

    assert page.status_code == 200
    text = page.content.decode()
    assert text.count("*** (damaged)") == 2  # the address and the name
    assert text.count("c***@e***.com") == 3
    named = {getattr(record, "subject", "") for record in caplog.records}
    assert str(one_damaged.subject_id) in named


def test_many_are_opened_but_for_the_damaged_one(one_damaged: Customer) -> None:
    with purpose("campaign.email", actor="job:1", now=NOW):
        found = reveal_columns(
            Customer.objects.for_purpose("campaign.email"), ["email"], "campaign.email"
        )

    assert found.damaged == {one_damaged.pk}
    assert sorted(row["email"] for row in found.values()) == [
        "c-0@example.com",
        "c-2@example.com",
        "c-3@example.com",
    ]


def test_a_message_to_the_damaged_one_is_skipped_with_the_reason(one_damaged: Customer) -> None:
    campaign = make.written_campaign()
    delivery.plan(campaign, NOW)
    approvals.launch(campaign)
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    assert len(tray.recipients) == 3
    skipped = Delivery.objects.get(state=Delivery.State.SKIPPED)
    assert (skipped.customer, skipped.reason) == (one_damaged, "damaged")


def test_nothing_is_sealed_for_the_damaged_one_and_no_new_key_hides_it(
    one_damaged: Customer,
) -> None:
    person = Customer.objects.get(pk=one_damaged.pk)
    person.full_name = "New Name"

    with pytest.raises(KeyUnavailableError, match=str(one_damaged.subject_id)):
        person.save()
    assert SubjectKey.objects.filter(subject_uuid=one_damaged.subject_id).count() == 1


def test_doctor_counts_damaged_keys(one_damaged: Customer) -> None:
    found = probes.person_keys()

    assert (found.level, found.text) == (probes.Level.FAIL, "1 are damaged")
    SubjectKey.objects.filter(subject_uuid=one_damaged.subject_id).delete()
    assert probes.person_keys().level == probes.Level.OK


def test_many_keys_are_stored_each_once_whatever_stood_before() -> None:
    subjects = [uuid4().bytes for _ in range(2 * subject_keys.ROWS_A_STATEMENT + 1)]
    keystore.ensure(subjects[::50])
    there = SubjectKey.objects.count()

    made = keystore.ensure([*subjects, *subjects], likely_new=True)
    keystore.forget_subjects()

    assert there == len(subjects[::50])
    assert SubjectKey.objects.count() == len(subjects) == len(made)
    sealed = made[subjects[0]][1].encrypt(bytes(12), b"text", b"")
    assert keystore.many(subjects)[subjects[0]][1].decrypt(bytes(12), sealed, b"") == b"text"
    assert subject_keys.insert([]) == 0


def test_a_forked_child_holds_no_unwrapped_key() -> None:
    make.customer("c-1", email="a@example.com")
    assert len(keystore._subjects) == 1  # noqa: SLF001 - what is unwrapped is nobody's business
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, b"filled" if len(keystore._subjects) else b"empty")  # noqa: SLF001
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 10) == b"empty"
