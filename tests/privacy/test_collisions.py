"""Two addresses with one tag, which chance does not bring about: nobody is taken for another."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from privacy import registry
from privacy.fields import ValueTakenError, sealed_field
from profiles.models import Customer
from tests import make
from tests.privacy.test_rotation import rotate
from tests.profiles.test_orders_api import call

pytestmark = pytest.mark.django_db
EMAIL = sealed_field(Customer, "email")


@pytest.fixture
def ann() -> Customer:
    """Ann, under whose tag the index would look for Bo."""
    ann = make.customer("c-ann", email="ann@example.com")
    Customer.objects.filter(pk=ann.pk).update(email_tag=EMAIL.tags_of("bo@example.com")[0])
    return ann


def test_a_request_of_the_law_is_never_about_the_wrong_person(ann: Customer) -> None:
    assert Customer.objects.get(email="bo@example.com") == ann  # what the index alone would say

    assert registry.subjects_at("email", "bo@example.com") == set()
    Customer.objects.filter(pk=ann.pk).update(email_tag=EMAIL.tags_of("ann@example.com")[0])
    assert registry.subjects_at("email", " ANN@example.com") == {ann.subject_id}


@pytest.mark.usefixtures("ann")
def test_a_collision_is_told_apart_from_an_address_that_is_taken(client: Client) -> None:
    key = make.secret_key()

    def put(email: str) -> tuple[int, dict[str, Any]]:
        return call(client, "PUT", "/v1/customers/c-bo", {"email": email}, key=key)

    status, told = put("bo@example.com")
    assert (status, told["code"], told["errors"][0]["pointer"]) == (
        409,
        "index_collision",
        "/email",
    )
    assert "example.com" not in str(told)
    make.customer("c-cy", email="cy@example.com")
    assert put("cy@example.com")[1]["code"] == "email_taken"


@pytest.mark.usefixtures("ann")
def test_a_rotation_of_the_index_keys_ends_it(settings: Any) -> None:
    settings.KEY_CACHE_SECONDS = 0
    rotate("indexes")

    bo = make.customer("c-bo", email="bo@example.com")

    assert Customer.objects.get(email="bo@example.com") == bo


@pytest.mark.usefixtures("ann")
def test_the_databases_own_refusal_names_the_column_and_no_value() -> None:
    for write in (
        lambda: make.customer("c-x", email="bo@example.com"),
        lambda: Customer.objects.bulk_create([fresh("c-y"), fresh("c-z")]),
    ):
        with (
            pytest.raises(ValueTakenError, match=r"another row has this customer\.email"),
            transaction.atomic(),
        ):
            write()


def fresh(name: str) -> Customer:
    subject = make.subject()
    return Customer(external_id=name, subject=subject, email="new@example.com", created_at=make.NOW)
