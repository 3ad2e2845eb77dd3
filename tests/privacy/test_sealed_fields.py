"""What a sealed field promises: bound to its row, found by its tag, shown as a mask."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.models import F, Q
from django.db.models.expressions import OrderBy
from django.test.utils import isolate_apps

from privacy.crypto import blind_index
from privacy.crypto.envelope import SealedIntegrityError
from privacy.fields import (
    ClearClass,
    SealedDateField,
    SealedModel,
    SealedTextField,
    reveal_columns,
)
from privacy.purposes import purpose
from privacy.sealed import Sealed
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

KNOWN_TAGS = json.loads((Path(__file__).parent / "data" / "index_v1.json").read_text("utf-8"))
NORMALISE: dict[str, Callable[[str], str]] = {
    "email": blind_index.normalise_email,
    "phone": blind_index.normalise_phone,
    "last_four": blind_index.last_four,
}

EMAIL = "Anna.Canary@Example.com"
CANARIES = ["Canary", "13812348000", "王小明", "1988-03-01"]


def full() -> Customer:
    return make.customer(
        "c-1",
        email=EMAIL,
        phone="+8613812348000",
        full_name="王小明",
        birth_date=date(1988, 3, 1),
    )


def opened(handle: Sealed[str] | None) -> str:
    assert handle is not None
    with purpose("import", actor="test", now=NOW):
        return handle.reveal()


def test_a_saved_value_comes_back_as_it_was_set() -> None:
    full()

    found = Customer.objects.get()

    assert opened(found.email) == EMAIL
    assert opened(found.phone) == "+8613812348000"
    assert opened(found.full_name) == "王小明"
    assert found.birth_date is not None
    with purpose("import", actor="test", now=NOW):
        assert found.birth_date.reveal() == date(1988, 3, 1)


@pytest.mark.parametrize("value", ["", "0", "False", "🜁 four bytes", "x" * 65_536])
def test_odd_texts_are_values_and_not_null(value: str) -> None:
    make.customer("c-1", full_name=value)

    assert opened(Customer.objects.get().full_name) == value


def test_no_value_is_null() -> None:
    make.customer("c-1")

    assert Customer.objects.get().email is None
    assert Customer.objects.filter(email__isnull=True, email_tag__isnull=True).count() == 1


def test_the_database_holds_no_plaintext() -> None:
    full()

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM profiles_customer")
        stored = b"|".join(
            str(v).encode() + b"|" + (bytes(v) if isinstance(v, bytes | memoryview) else b"")
            for v in cursor.fetchone()
        )

    assert not [canary for canary in CANARIES if canary.encode() in stored]


@pytest.mark.parametrize("is_saved", [True, False])
def test_every_way_to_print_gives_the_mask(
    caplog: pytest.LogCaptureFixture, *, is_saved: bool
) -> None:
    row = full()
    if is_saved:
        row = Customer.objects.get()
    else:
        row.email = EMAIL
    handles = [row.email, row.phone, row.full_name, row.birth_date]

    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r", handles, row.__dict__)
    shown = [
        *(f"{h} {h!r} {h:>30} {str(h)}" for h in handles),  # noqa: RUF010 -- both ways are meant
        str(row),
        repr(row),
        json.dumps([str(h) for h in handles]),
        repr(list(Customer.objects.values())),
        repr(list(Customer.objects.values_list("email", "full_name"))),
        serializers.serialize("json", [row]),
        caplog.text,
    ]

    assert [str(h) for h in handles] == ["A***@E***.com", "138****8000", "王*", "1988-**-**"]
    assert not [canary for canary in CANARIES if canary in "".join(shown)]


def test_a_handle_refuses_json_pickle_and_copy() -> None:
    handle = full().email

    for refuse in (json.dumps, pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            refuse(handle)


def test_a_stored_row_may_be_pickled_and_copied_but_never_with_plaintext() -> None:
    full()
    row = Customer.objects.get()

    assert opened(pickle.loads(pickle.dumps(row)).email) == EMAIL  # noqa: S301 -- our own bytes
    assert opened(copy.deepcopy(row).email) == EMAIL
    row.email = "new@example.com"
    with pytest.raises(TypeError, match="waits to be sealed"):
        pickle.dumps(row)


def test_a_fixture_carries_the_ciphertext_both_ways() -> None:
    row = full()
    text = serializers.serialize("json", [row])

    next(iter(serializers.deserialize("json", text))).save()

    assert opened(Customer.objects.get().email) == EMAIL


def test_lookups_go_through_the_blind_index() -> None:
    row = full()
    other = make.customer("c-2", email="b@example.com")
    everybody = Customer.objects

    assert everybody.get(email=" anna.canary@EXAMPLE.com ") == row
    assert everybody.get(Q(email="b@example.com") | Q(email="nobody@example.com")) == other
    assert everybody.filter(email__in=["b@example.com", EMAIL]).count() == 2
    assert everybody.exclude(email=EMAIL).get() == other
    assert everybody.get(phone="+86 138 1234 8000") == row
    assert not everybody.filter(email="no address").exists()


def test_lookups_join_through_foreign_keys() -> None:
    row = full()
    row.identities.create(anonymous_id="a-1", joined_at=NOW)

    from profiles.models import Identity

    assert Identity.objects.filter(customer__email=EMAIL).count() == 1


@pytest.mark.parametrize(
    "condition",
    [
        {"email__icontains": "anna"},
        {"email__gt": "a"},
        {"full_name": "王小明"},
        {"full_name__in": ["王小明"]},
        {"birth_date__year": 1988},
    ],
)
def test_other_lookups_are_refused(condition: dict[str, object]) -> None:
    with pytest.raises(FieldError):
        Customer.objects.filter(**condition)


def test_sorting_by_a_sealed_column_is_refused() -> None:
    with pytest.raises(FieldError, match="sealed"):
        Customer.objects.order_by("-email")


def test_updates_in_bulk_refuse_plaintext_and_clear_tags_with_the_value() -> None:
    full()

    with pytest.raises(TypeError, match="sealed per row"), transaction.atomic():
        Customer.objects.update(email="new@example.com")
    with pytest.raises(TypeError, match="sealed per row"), transaction.atomic():
        Customer._base_manager.update(full_name="New")
    Customer.objects.update(email=None)

    assert not Customer.objects.filter(email=EMAIL).exists()
    assert Customer.objects.get().email_suppression_tag is None


def test_bulk_update_seals_each_row_and_moves_its_tags() -> None:
    rows = [make.customer(f"c-{n}", email=f"{n}@example.com") for n in range(3)]
    for row in rows:
        row.email = f"new-{row.external_id}@example.com"

    Customer.objects.bulk_update(rows, ["email"])

    assert opened(Customer.objects.get(email="new-c-2@example.com").email) == "new-c-2@example.com"
    assert not Customer.objects.filter(email="2@example.com").exists()


def test_saving_one_field_moves_its_tags() -> None:
    full()
    row = Customer.objects.get()

    row.email = "new@example.com"
    row.save(update_fields=["email"])

    assert Customer.objects.get(email="new@example.com") == row
    assert not Customer.objects.filter(email=EMAIL).exists()


def test_opening_and_saving_leaves_the_ciphertext_as_it_is() -> None:
    full()
    before = Customer.objects.values_list("email", "phone", "full_name").get()

    Customer.objects.get().save()

    assert Customer.objects.values_list("email", "phone", "full_name").get() == before


def test_deferred_values_are_fetched_when_asked_for() -> None:
    full()

    assert opened(Customer.objects.only("pk").get().email) == EMAIL
    assert opened(Customer.objects.defer("email").get().email) == EMAIL


def test_a_handle_of_another_row_is_not_taken_over() -> None:
    row, other = full(), make.customer("c-2")

    with pytest.raises(TypeError, match="another row"):
        setattr(other, "email", row.email)  # noqa: B010 -- a wrong assignment, types would tell


@pytest.mark.parametrize(("column", "into"), [("email", "full_name"), ("full_name", "email")])
def test_a_ciphertext_does_not_open_in_another_column(column: str, into: str) -> None:
    row = full()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE profiles_customer SET {into} = {column}")  # noqa: S608

    with pytest.raises(SealedIntegrityError):
        opened(getattr(Customer.objects.get(pk=row.pk), into))


def test_a_ciphertext_does_not_open_in_another_row() -> None:
    row, other = full(), make.customer("c-2", email="b@example.com")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE profiles_customer SET email = (SELECT email FROM profiles_customer"
            " WHERE id = %s) WHERE id = %s",
            [row.pk, other.pk],
        )

    moved = Customer.objects.get(pk=other.pk)
    with pytest.raises(SealedIntegrityError):
        opened(moved.email)
    with purpose("import", actor="job:1", now=NOW):
        found = reveal_columns(Customer.objects.all(), ["email"], "import")
    assert (found, found.damaged) == ({row.pk: {"email": EMAIL}}, {other.pk})
    assert str(moved.email) == "*** (damaged)"
    with pytest.raises(ValueError, match="mask"):
        moved.full_name = str(moved.email)


def test_columns_are_revealed_by_row() -> None:
    row, bare = full(), make.customer("c-2")

    with purpose("import", actor="job:1", now=NOW):
        found = reveal_columns(Customer.objects.all(), ["email", "full_name"], "import")

    assert found == {
        row.pk: {"email": EMAIL, "full_name": "王小明"},
        bare.pk: {"email": None, "full_name": None},
    }


def test_a_list_of_customers_fetches_all_keys_at_once(django_assert_num_queries: object) -> None:
    from privacy.keystore import keystore

    for n in range(30):
        make.customer(f"c-{n}", email=f"{n}@example.com")
    rows = list(Customer.objects.all())
    keystore.forget()
    keystore.installation()

    with django_assert_num_queries(1, using="keystore"):  # type: ignore[operator]
        assert len({str(row.email) for row in rows}) > 1


@pytest.mark.django_db(transaction=True)
def test_a_duplicate_address_is_refused_by_the_database() -> None:
    full()

    with pytest.raises(IntegrityError), transaction.atomic():
        make.customer("c-2", email="ANNA.canary@example.com")


def test_a_phone_is_found_by_its_last_four_digits() -> None:
    row = full()
    make.customer("c-2", phone="+8613812348001")

    assert Customer.objects.get(phone__last_four="8000") == row
    row.phone = "+8613812349999"
    row.save(update_fields=["phone"])
    assert Customer.objects.get(phone__last_four="9999") == row
    for nothing in ("", "800", "18000", "80 0", "abcd"):
        assert not Customer.objects.filter(phone__last_four=nothing).exists()


@pytest.mark.parametrize("name", ["email", "phone", "full_name"])
def test_a_mask_is_never_stored_over_what_it_stands_for(name: str) -> None:
    row = full()
    mask = str(getattr(row, name))

    with pytest.raises(ValueError, match="mask") as caught:
        setattr(row, name, mask)

    assert mask not in str(caught.value)
    assert str(getattr(row, name)) == mask


def test_a_failed_save_is_not_taken_for_a_stored_value() -> None:
    full()
    row = make.customer("c-2", email="b@example.com")
    row = Customer.objects.get(pk=row.pk)
    row.full_name = "New"
    row.email = EMAIL
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()

    row.email = "c@example.com"
    row.save()

    assert opened(Customer.objects.get(email="c@example.com").full_name) == "New"


def test_a_row_that_was_deleted_meanwhile_does_not_come_back() -> None:
    row = full()
    Customer.objects.all().delete()

    with pytest.raises(DatabaseError), transaction.atomic():
        row.save()

    assert not Customer.objects.exists()


def test_sorting_by_an_expression_of_a_sealed_column_is_refused() -> None:
    for order in (F("email").desc(), F("email"), OrderBy(F("phone"))):
        with pytest.raises(FieldError, match="sealed"):
            Customer.objects.order_by(order)


@isolate_apps("tests")
def test_a_model_sorted_by_a_sealed_column_fails_the_check() -> None:
    class Wrong(SealedModel):
        sealed_label = "wrong"
        uuid = models.UUIDField()
        subject = models.UUIDField()
        name = SealedTextField()

        class Meta:
            app_label = "tests"
            ordering = ["-name"]

    assert [error.id for error in Wrong.check() if "order" in error.msg] == ["privacy.E001"]


@isolate_apps("tests")
def test_a_column_in_clear_without_a_data_class_fails_the_check() -> None:
    class Wrong(SealedModel):
        sealed_label = "wrong"
        clear_classes = {"town": ClearClass.PLACE, "gone": ClearClass.AGE}
        uuid = models.UUIDField()
        subject = models.UUIDField()
        name_tag = models.BinaryField(max_length=16, null=True)
        name = SealedTextField(tag="name_tag")
        town = models.CharField(max_length=50)
        nickname = models.CharField(max_length=50)

        class Meta:
            app_label = "tests"

    found = [error.msg for error in Wrong.check() if error.id == "privacy.E014"]
    assert found == [
        "tests.Wrong.nickname stands in clear and has no data class.",
        "tests.Wrong classifies gone, which is no column in clear.",
    ]


@pytest.mark.parametrize("name", ["city", "gender", "birth_year", "occupation"])
def test_what_stands_in_clear_of_a_customer_has_a_data_class(name: str) -> None:
    assert Customer.clear_classes[name] != ClearClass.TECHNICAL


def test_dates_are_of_a_declared_class() -> None:
    born = Customer._meta.get_field("birth_date")

    assert (born.data_class, SealedDateField(data_class="warranty").data_class) == (
        "birth_date",
        "warranty",
    )


def test_the_known_tags_of_version_1_are_found_by_later_versions() -> None:
    for case in KNOWN_TAGS:
        made = blind_index.Tagger(bytes.fromhex(case["key"])).tag(
            NORMALISE[case["kind"]](case["value"])
        )

        assert made.hex() == case["tag"]
