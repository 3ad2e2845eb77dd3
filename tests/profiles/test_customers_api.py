"""`/v1/customers`: personal data goes in and never comes out in the clear."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy import doors
from privacy.models import ApiKey, AuditEntry, Consent, ConsentEntry, Erasure, UseRule
from profiles.identity import enrolling
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
        # Too long as it was said, though it would be kept short.
        ({"city": "1" * 101}, 400, "validation_error", "/city"),
        ({"phone": "no phone"}, 400, "invalid_phone", "/phone"),
        ({"fullName": "A*** L***"}, 400, "invalid_full_name", "/fullName"),
        ({"birthDate": "9999-01-01"}, 400, "validation_error", "/birthDate"),
        ({"birthDate": "0001-01-01"}, 400, "validation_error", "/birthDate"),
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


def test_free_texts_are_kept_without_persons(client: Client) -> None:
    _status, told = put(client, city="ask ann@shop.example", occupation="司机13800138000")

    assert (told["city"], told["occupation"]) == ("ask [email]", "司机[phone]")


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


@pytest.mark.parametrize(
    ("moment", "code"),
    [("2999-01-01T00:00:00Z", "in_the_future"), ("1970-01-01T00:00:00Z", "long_past")],
)
def test_a_consent_of_a_time_that_cannot_be_is_refused(
    client: Client, moment: str, code: str
) -> None:
    make.customer("C-1")

    status, told = declare(client, consent(), consent(happenedAt=moment))

    assert (status, told["code"]) == (400, code)
    assert told["errors"][0]["pointer"] == "/consents/1/happenedAt"
    assert not Consent.objects.exists()


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


# Erasing, copies, many at once, plain values ------------------------------------------------


def key_with(*scopes: str) -> str:
    return make.secret_key([*doors.SECRET_SCOPES, *scopes])


def run(client: Client, job: str) -> None:
    found = Job.objects.get(uuid=job)
    assert call(client, "GET", f"/v1/jobs/{job}")[1]["state"] == "queued"
    ended = running.run(found.pk, clock=timezone.now)
    assert ended is not None
    assert ended.state == Job.State.DONE, ended.error_code


@pytest.fixture
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR, settings.OUTBOX_DIR = tmp_path, tmp_path / "outbox"


@pytest.mark.usefixtures("own_folder")
def test_a_customer_is_erased_by_a_job_that_location_names(client: Client) -> None:
    put(client, **ANN)
    key = key_with("customers:erase")

    def delete() -> Any:
        return client.delete("/v1/customers/C-1", headers={"Authorization": f"Bearer {key}"})

    first, again = delete(), delete()
    assert (first.status_code, again.json()) == (202, first.json())
    assert first["Location"] == f"/v1/jobs/{first.json()['job']}"
    run(client, first.json()["job"])

    assert delete().status_code == 404
    assert Erasure.objects.get().actor.startswith("key:sk_live_")
    assert not Customer.objects.exists()


def test_erasing_needs_a_scope_that_is_given_by_name(client: Client) -> None:
    put(client, **ANN)

    status, problem = call(client, "DELETE", "/v1/customers/C-1")

    assert (status, problem["code"]) == (403, "missing_scope")
    assert not Erasure.objects.exists()


@pytest.mark.usefixtures("own_folder")
def test_a_copy_is_made_by_a_job_and_fetched_once_it_is_ready(client: Client) -> None:
    put(client, **ANN)
    put(client, "C-2")
    key = key_with("pii:read")
    assert call(client, "POST", "/v1/customers/C-1/export")[0] == 403

    status, told = call(client, "POST", "/v1/customers/C-1/export", key=key)
    path = f"/v1/customers/C-1/exports/{told['export']}"
    assert (status, call(client, "GET", path, key=key)[1]["code"]) == (202, "not_ready")
    run(client, told["job"])

    answer = client.get(path, headers={"Authorization": f"Bearer {key}"})
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert json.loads(archive.read("data.json"))["customer"][0]["email"] == ANN["email"]
    assert "no-store" in answer["Cache-Control"]
    assert AuditEntry.objects.get(action="export.downloaded").actor.startswith("key:sk_live_")
    assert call(client, "GET", path.replace("C-1", "C-2"), key=key)[0] == 404


def many(client: Client, *customers: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return call(client, "POST", "/v1/customers/batch", {"customers": list(customers)})


def test_many_customers_go_in_at_once_as_each_alone_would(client: Client) -> None:
    put(client, city="Wien", phone="+436601234567")

    status, told = many(
        client,
        {"id": "C-1", "fullName": "Ann Lee", "phone": None},
        {"id": "C-2", **ANN},
    )

    assert (status, told) == (200, {"accepted": 2})
    first, second = Customer.objects.order_by("external_id")
    assert (first.city, str(first.full_name), first.phone) == ("Wien", "A*** L***", None)
    assert (first.phone_tag, first.phone_last_four_tag) == (None, None)
    assert (second.birth_year, second.city) == (1990, "Graz")
    assert Customer.objects.get(email=ANN["email"]) == second


@pytest.mark.parametrize(
    ("wrong", "status", "code", "pointer"),
    [
        ({"id": "C-3", "email": "no address"}, 400, "invalid_email", "/customers/1/email"),
        ({"id": "C-3", "email": "KNOWN@shop.example"}, 409, "email_taken", "/customers/1/email"),
        ({"id": "C-3", "email": "two@shop.example"}, 409, "email_taken", "/customers/1/email"),
        ({"id": "a@shop.example"}, 400, "personal_id", "/customers/1/id"),
        ({"id": "C-2"}, 400, "repeated_id", "/customers"),
    ],
)
def test_one_wrong_customer_of_many_is_pointed_at_and_none_is_kept(
    client: Client, wrong: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    put(client, email="known@shop.example")

    found, problem = many(client, {"id": "C-2", "email": "two@shop.example"}, wrong)

    (error,) = problem["errors"]
    assert (found, error["code"], error["pointer"]) == (status, code, pointer)
    assert Customer.objects.count() == 1


def test_many_take_as_many_queries_as_a_few() -> None:
    def n_queries(n: int) -> int:
        stated = [
            (f"{n}-{k}", {"email": f"{n}.{k}@shop.example", "city": "Graz"}) for k in range(n)
        ]
        with CaptureQueriesContext(connection) as asked:
            assert enrolling.put_many(stated, now=make.NOW) == n
        return len(asked)

    n_queries(2)  # the root keys are read
    assert n_queries(40) == n_queries(3)


def allow(purpose: str, *data_classes: str) -> None:
    """Let the newest key open those classes for the purpose."""
    prefix = ApiKey.objects.latest("pk").prefix
    for data_class in data_classes:
        UseRule.objects.create(kind="key", who=prefix, purpose=purpose, data_class=data_class)


def read(client: Client, purpose: str, key: str) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}", "Purpose": purpose}
    answer = client.get("/v1/customers/C-1", headers=headers)
    return answer.status_code, answer.json()


def test_plain_values_come_out_for_a_purpose_and_leave_one_entry(client: Client) -> None:
    put(client, **ANN)
    key = key_with("pii:read")
    allow("support.reveal", "email", "phone", "name", "birth_date")

    status, told = read(client, "support.reveal", key)

    assert (status, told["email"], told["fullName"]) == (200, ANN["email"], ANN["fullName"])
    assert told["phone"] == "+436601234567"
    entry = AuditEntry.objects.get(action="value.revealed")
    assert entry.actor.startswith("key:sk_live_")
    assert (entry.purpose, entry.outcome) == ("support.reveal", "allowed")


def test_without_scope_purpose_or_rule_nothing_plain_comes_out(client: Client) -> None:
    put(client, **ANN)
    able = key_with("pii:read")

    assert read(client, "support.reveal", make.secret_key())[1]["code"] == "missing_scope"
    assert read(client, "curiosity", able)[1]["code"] == "unknown_purpose"
    assert read(client, "recommend", able)[1]["code"] == "purpose_denied"
    assert read(client, "support.reveal", able)[1]["code"] == "purpose_denied"
    assert "***" in call(client, "GET", "/v1/customers/C-1", key=able)[1]["email"]
    assert not AuditEntry.objects.filter(action="value.revealed", outcome="allowed").exists()


def test_advertising_reads_only_whom_it_reaches_and_what_it_covers(client: Client) -> None:
    put(client, **ANN)
    key = key_with("pii:read")
    allow("campaign.email", "email", "name")
    assert read(client, "campaign.email", key)[1]["code"] == "purpose_denied"

    make.consent(Customer.objects.get())
    status, told = read(client, "campaign.email", key)

    assert (status, told["email"]) == (200, ANN["email"])
    assert "*" in told["phone"]
