"""`/v1/customers`: personal data goes in and never comes out in the clear."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from privacy.models import ConsentEntry
from profiles.models import Customer
from tests import make
from tests.profiles.test_orders_api import call

pytestmark = pytest.mark.django_db
ANN = {
    "email": "ann.lee@shop.example",
    "phone": "+43 660 1234567",
    "fullName": "Ann Lee",
    "birthDate": "1990-05-17",
    "locale": "en-GB",
    "city": "Graz",
}


def put(client: Client, external_id: str = "C-1", **members: Any) -> tuple[int, dict[str, Any]]:
    return call(client, "PUT", f"/v1/customers/{external_id}", members)


def test_a_customer_goes_in_and_comes_out_masked(client: Client) -> None:
    status, told = put(client, **ANN)

    assert status == 200
    assert call(client, "GET", "/v1/customers/C-1") == (200, told)
    assert (told["id"], told["city"], told["birthYear"]) == ("C-1", "Graz", 1990)
    text = json.dumps(told, ensure_ascii=False)
    for plain in ("ann.lee", "6601234567", "660 1234567", "Ann Lee", "05-17"):
        assert plain not in text
    assert Customer.objects.get(email="ANN.LEE@shop.example").external_id == "C-1"


def test_members_left_out_stay_and_null_takes_away(client: Client) -> None:
    put(client, **ANN)

    _status, told = put(client, city="Wien", phone=None)

    assert (told["city"], told["locale"], told["phone"]) == ("Wien", "en-GB", None)
    assert told["email"] is not None


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_birth_date_that_is_taken_away_takes_its_year_along(
    client: Client, nothing: str | None
) -> None:
    put(client, **ANN)

    _status, told = put(client, birthDate=nothing)

    assert told["birthYear"] is None
    assert Customer.objects.get().birth_date is None


@pytest.mark.parametrize(
    ("members", "status", "code", "pointer"),
    [
        ({"email": "no address"}, 400, "invalid_email", "/email"),
        ({"phone": "no phone"}, 400, "invalid_phone", "/phone"),
        ({"email": "ann.lee@shop.example"}, 409, "email_taken", "/email"),
    ],
)
def test_values_that_cannot_be_kept_are_refused_without_being_quoted(
    client: Client, members: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    put(client, **ANN)

    answer = put(client, "C-2", **members)

    assert (answer[0], answer[1]["code"]) == (status, code)
    assert answer[1]["errors"][0]["pointer"] == pointer
    assert next(iter(members.values())) not in json.dumps(answer[1])
    assert not Customer.objects.filter(external_id="C-2").exists()


def test_an_address_is_no_customer_id(client: Client) -> None:
    status, problem = put(client, "ann@shop.example")

    assert (status, problem["errors"][0]["code"]) == (400, "personal_id")


def declare(client: Client, *declarations: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return call(client, "PUT", "/v1/customers/C-1/consents", {"consents": list(declarations)})


def consent(state: str = "given", **members: Any) -> dict[str, Any]:
    return {
        "purpose": "campaign.email",
        "channel": "email",
        "state": state,
        "wording": "Yes, write to me.",
    } | members


def test_consents_are_written_down_and_what_happened_last_is_in_force(client: Client) -> None:
    make.customer("C-1")

    declare(client, consent("withdrawn", happenedAt="2026-02-01T00:00:00Z"))
    status, told = declare(client, consent("given", happenedAt="2026-01-01T00:00:00Z"))

    assert status == 200
    assert [(one["purpose"], one["state"]) for one in told["consents"]] == [
        ("campaign.email", "withdrawn")
    ]
    assert ConsentEntry.objects.count() == 2


def test_a_wrong_declaration_is_pointed_at_and_none_is_written(client: Client) -> None:
    make.customer("C-1")

    status, problem = declare(client, consent(), consent(purpose="campaign.carrier_pigeon"))

    assert (status, problem["code"]) == (400, "unknown_purpose")
    assert problem["errors"][0]["pointer"] == "/consents/1/purpose"
    assert not ConsentEntry.objects.exists()


def test_the_consents_of_nobody_are_not_found(client: Client) -> None:
    assert declare(client, consent())[0] == 404


def test_a_browser_key_reads_no_customer(client: Client) -> None:
    make.customer("C-1")
    for path in (
        "/v1/customers/C-1",
        "/v1/orders/1",
        "/v1/jobs/" + "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    ):
        status, problem = call(client, "GET", path, key=make.write_key())
        assert (status, problem["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("external_id", ["a%00b", "a%0Ab", "a" * 101])
@pytest.mark.parametrize("method", ["PUT", "GET"])
@pytest.mark.parametrize("kind", ["customers", "orders"])
def test_an_id_that_cannot_be_kept_is_refused(
    client: Client, method: str, kind: str, external_id: str
) -> None:
    status, told = call(client, method, f"/v1/{kind}/{external_id}", {})

    assert (status, told["code"]) == (400, "invalid_id")


def test_a_body_nested_too_deeply_is_malformed(client: Client) -> None:
    answer = client.generic(
        "PUT",
        "/v1/customers/C-1",
        "[" * 100_000,
        content_type="application/json",
        headers={"Authorization": f"Bearer {make.secret_key()}"},
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
