"""One table says how much of a value is shown, to whom, while what is done; never all of it."""

from __future__ import annotations

import itertools
import sys
from datetime import date
from functools import partial

import pytest
from django.test import Client, RequestFactory
from django.views.debug import ExceptionReporter, get_exception_reporter_filter

from config.unseen import NoValues
from privacy import masking
from privacy.models import Staff
from privacy.purpose_registry import REGISTRY
from privacy.purposes import purpose
from profiles.models import Customer
from tests import make
from tests.make import NOW

VALUES = {
    "email": "anna@example.com",
    "phone": "+8613812348000",
    "name": "Anna Smith",
    "birth_date": "1988-03-01",
    "text": "ticket",
}
ROLES = ("", *Staff.Role.values)


@pytest.mark.parametrize("data_class", VALUES)
def test_no_role_and_no_purpose_sees_a_whole_value(data_class: str) -> None:
    for role, name in itertools.product(ROLES, ("", *REGISTRY)):
        with masking.looking(partial(str, role)), masking.doing(name):
            seen = masking.shown(VALUES[data_class], data_class)
        assert "*" in seen
        assert VALUES[data_class] not in seen


def test_what_the_table_does_not_name_is_shown_in_part() -> None:
    assert masking.level("email", "marketer", "") is masking.Show.PARTIAL
    assert masking.level("email", "a role to come", "a purpose to come") is masking.Show.PARTIAL


def test_a_class_nobody_knows_is_hidden() -> None:
    assert masking.shown("something", "new class") == masking.HIDDEN


def test_role_and_purpose_decide_together() -> None:
    def seen(role: str, name: str = "") -> str:
        with masking.looking(lambda: role), masking.doing(name):
            return masking.shown(VALUES["birth_date"], "birth_date")

    assert seen("support") == "1988-**-**"
    assert seen("viewer") == masking.HIDDEN
    assert seen("support", "campaign.email") == masking.HIDDEN


def full() -> Customer:
    return make.customer(
        "c-1",
        email=VALUES["email"],
        phone=VALUES["phone"],
        full_name=VALUES["name"],
        birth_date=date(1988, 3, 1),
    )


@pytest.mark.django_db
def test_the_handle_masks_for_who_looks_and_for_what() -> None:
    customer = full()

    assert str(customer.phone) == "138****8000"
    with masking.looking(lambda: Staff.Role.VIEWER):
        assert str(customer.phone) == masking.HIDDEN
    with purpose("campaign.email", actor="job:1", now=NOW):
        assert str(customer.birth_date) == masking.HIDDEN
    assert str(customer.birth_date) == "1988-**-**"


@pytest.mark.django_db
def test_pages_mask_for_the_account_that_looks(client: Client) -> None:
    customer = full()

    def page(role: str) -> str:
        client.force_login(make.staff(role))
        return client.get(f"/admin/profiles/customer/{customer.pk}/change/").content.decode()

    assert "138****8000" in page(Staff.Role.SUPPORT)
    assert "138****8000" not in page(Staff.Role.VIEWER)


def test_reports_of_errors_hold_no_values() -> None:
    request = RequestFactory().post("/x", {"email": VALUES["email"]})
    secret = VALUES["email"]
    try:
        int(secret[:4])
    except ValueError:
        report = ExceptionReporter(request, *sys.exc_info())

    assert isinstance(get_exception_reporter_filter(request), NoValues)
    assert ("secret", "<str>") in report.filter.get_traceback_frame_variables(
        request, sys._getframe()
    )
    assert VALUES["email"] not in report.get_traceback_text() + report.get_traceback_html()
