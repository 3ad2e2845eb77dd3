"""The reveal of one customer: by whom, after what, how often, and what is written down first."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from privacy.models import AuditEntry, Staff
from profiles.models import Customer
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)
EMAIL, PHONE, NAME = "ann.secret@shop.example", "+436601234567", "Ann Secretary"
ASKED = {"group": "contact", "code": "order", "reason": "ticket 4711"}


@pytest.fixture
def ann() -> Customer:
    make.shop()
    return make.customer("C-1", email=EMAIL, phone=PHONE, full_name=NAME)


@pytest.fixture
def support(client: Client) -> Client:
    client.force_login(make.staff(Staff.Role.SUPPORT))
    return client


def reveal(client: Client, whom: Customer, **changes: str) -> Any:
    path = f"/admin/profiles/customer/{whom.pk}/reveal/"
    page = f"http://testserver/admin/profiles/customer/{whom.pk}/change/"
    return client.post(path, ASKED | changes, headers={"Referer": page})


def opened() -> int:
    return AuditEntry.objects.filter(action="value.revealed", outcome="allowed").count()


def holds_anything(answer: Any) -> bool:
    text = answer.content.decode()
    return any(value in text for value in (EMAIL, PHONE, NAME))


def test_one_group_is_shown_kept_by_nobody_and_masked_again(support: Client, ann: Customer) -> None:
    answer = reveal(support, ann)

    text = answer.content.decode()
    assert EMAIL in text
    assert PHONE in text
    assert NAME not in text
    assert 'data-remask-seconds="30"' in text
    assert 'data-mask="a***@s***.example"' in text
    assert "no-store" in answer["Cache-Control"]


def test_who_looked_at_what_and_why_is_in_the_audit_log(support: Client, ann: Customer) -> None:
    reveal(support, ann, reason="ticket 4711, she is ann.secret@shop.example")

    entries = AuditEntry.objects.filter(action="value.revealed")
    staff = Staff.objects.get(role="support")
    assert {entry.actor for entry in entries} == {f"staff:{staff.pk}"}
    assert {field for entry in entries for field in entry.fields} == {
        "profiles.customer.email",
        "profiles.customer.phone",
    } or all("customer" in field for entry in entries for field in entry.fields)
    assert all(entry.subjects == [str(ann.subject_id)] for entry in entries)
    assert all(entry.reason.startswith("order: ticket 4711") for entry in entries)
    assert EMAIL not in str(list(AuditEntry.objects.values()))


def test_nothing_is_shown_that_could_not_be_written_down(support: Client, ann: Customer) -> None:
    support.get("/admin/")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {AuditEntry._meta.db_table} RENAME TO away")
    try:
        with pytest.raises(DatabaseError):
            reveal(support, ann)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE away RENAME TO {AuditEntry._meta.db_table}")


@pytest.mark.parametrize("role", ["viewer", "marketer", "approver"])
def test_no_other_role_reveals(client: Client, ann: Customer, role: str) -> None:
    client.force_login(make.staff(role))
    answer = reveal(client, ann)
    assert answer.status_code == 404
    assert not holds_anything(answer)
    assert not opened()


def test_a_link_reveals_nothing(support: Client, ann: Customer) -> None:
    answer = support.get(f"/admin/profiles/customer/{ann.pk}/reveal/", ASKED)
    assert answer.status_code == 405
    assert not opened()


def test_another_site_reveals_nothing(ann: Customer) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make.staff(Staff.Role.SUPPORT))
    assert reveal(client, ann).status_code == 403
    assert not opened()


@pytest.mark.parametrize(
    "changes", [{"reason": "  "}, {"code": ""}, {"code": "curious"}, {"group": "all"}]
)
def test_without_a_reason_or_a_group_nothing_is_shown(
    support: Client, ann: Customer, changes: dict[str, str]
) -> None:
    answer = reveal(support, ann, **changes)
    assert answer.status_code == 302
    assert not opened()


def test_who_signed_in_long_ago_confirms_first(support: Client, ann: Customer) -> None:
    support.get("/admin/")
    session = support.session
    session["confirmed_at"] = (timezone.now() - timedelta(minutes=11)).timestamp()
    session.save()

    answer = reveal(support, ann)

    assert answer["Location"].startswith("/admin/privacy/staff/me/confirm/?next=")
    assert f"%2Fcustomer%2F{ann.pk}%2F" in answer["Location"]
    assert not opened()


def test_thirty_an_hour_and_no_more(support: Client, ann: Customer) -> None:
    for _ in range(30):
        assert reveal(support, ann).status_code == 200
    before = opened()

    answer = reveal(support, ann)

    assert answer.status_code == 302
    assert opened() == before
    refused = AuditEntry.objects.get(action="reveal.refused")
    assert (refused.outcome, refused.subjects) == ("refused", [str(ann.subject_id)])


def test_the_page_itself_shows_masks_only(support: Client, ann: Customer) -> None:
    assert not holds_anything(support.get(f"/admin/profiles/customer/{ann.pk}/change/"))


@pytest.mark.parametrize(
    ("term", "n_found"),
    [("8000", 1), ("+86 138 1234 8000", 1), ("800", 0), ("18000", 0), ("9999", 0)],
)
def test_customers_are_found_by_the_last_four_digits_of_a_phone(
    support: Client, term: str, n_found: int
) -> None:
    make.customer("by-phone", phone="+8613812348000")
    make.customer("other", phone="+8613812348001")

    page = support.get("/admin/profiles/customer/", {"q": term}).content.decode()

    assert (page.count("by-phone") > 0) == bool(n_found)
    assert "other" not in re.findall(r">(other)<", page)
