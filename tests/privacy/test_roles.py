"""Who may do what, as a table: role by permission."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory

from privacy import roles
from privacy.models import Staff
from tests import make

pytestmark = pytest.mark.django_db

ROLES = ("viewer", "marketer", "approver", "support", "privacy_officer", "administrator")
TABLE = """
campaigns.view_campaign            yes yes yes yes yes yes
campaigns.add_campaign             -   yes -   -   -   yes
campaigns.change_template          -   yes -   -   -   yes
campaigns.approve_campaign         -   -   yes -   -   yes
campaigns.send_campaign            -   yes -   -   -   yes
campaigns.pause_campaign           -   yes yes -   yes yes
recommendations.view_product       yes yes yes yes yes yes
recommendations.change_product     -   yes -   -   -   yes
profiles.view_customer             yes yes yes yes yes yes
profiles.change_customer           -   -   -   yes yes yes
profiles.delete_customer           -   -   -   -   yes yes
profiles.reveal_customer           -   -   -   yes yes yes
profiles.add_segment               -   yes -   -   -   yes
profiles.add_upload                -   yes -   -   -   yes
jobs.view_job                      yes yes yes yes yes yes
jobs.retry_job                     -   yes -   -   -   yes
privacy.view_auditentry            -   -   -   -   yes yes
privacy.view_consententry          -   -   -   -   yes yes
privacy.add_suppression            -   -   -   -   yes yes
privacy.change_subject             -   -   -   -   yes yes
privacy.change_shop                -   -   -   -   -   yes
privacy.add_apikey                 -   -   -   -   -   yes
privacy.change_staff               -   -   -   -   -   yes
"""
CELLS = [
    (role, line.split()[0], answer == "yes")
    for line in TABLE.strip().splitlines()
    for role, answer in zip(ROLES, line.split()[1:], strict=True)
]


@pytest.mark.parametrize(("role", "permission", "expected"), CELLS)
def test_a_role_may(role: str, permission: str, *, expected: bool) -> None:
    staff = Staff(username=role, role=role)

    assert staff.has_perm(permission) is expected


def test_no_role_but_the_administrator_changes_staff_shop_or_keys() -> None:
    for role in ROLES[:-1]:
        changes = {
            name
            for name in roles.permissions_of(role)
            if not name.split(".")[1].startswith("view_")
            and name.endswith(
                ("_staff", "_shop", "_apikey", "_auditentry", "_keyring", "_subjectkey")
            )
        }
        assert changes == set()


def test_nobody_has_permissions_who_is_not_active() -> None:
    staff = make.staff("administrator")
    staff.is_active = False

    assert not staff.has_perm("jobs.view_job")
    assert not staff.has_module_perms("jobs")
    assert not staff.is_staff
    assert not staff.is_superuser


def test_an_unknown_role_may_nothing() -> None:
    assert roles.permissions_of("owner") == set()


def test_apps_show_to_whom_they_hold_something() -> None:
    assert Staff(role="viewer").has_module_perms("campaigns")
    assert Staff(role="viewer").has_module_perms("profiles")
    assert not Staff(role="viewer").has_module_perms("sessions")


def test_an_account_signs_in_with_its_password_and_may_enter_the_admin() -> None:
    Staff.objects.create_user("ann", password="a long one", role="marketer")

    staff = authenticate(RequestFactory().post("/"), username="ann", password="a long one")

    assert isinstance(staff, Staff)
    assert (staff.is_staff, staff.is_superuser) == (True, False)
    assert authenticate(RequestFactory().post("/"), username="ann", password="another") is None


def test_an_account_made_by_command_is_an_administrator() -> None:
    assert Staff.objects.create_superuser("root", password="a long one").is_superuser
