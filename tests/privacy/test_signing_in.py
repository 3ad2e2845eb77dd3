"""Who may sit at the admin, how sure we are of it, and for how long."""

from __future__ import annotations

from base64 import b32decode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from pytest_django import Settings

from privacy import second_factor
from privacy.models import AuditEntry, Staff
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
FACTOR, CONFIRM, HOME = (
    "/admin/privacy/staff/me/factor/",
    "/admin/privacy/staff/me/confirm/",
    "/admin/",
)
PASSWORD = "correct horse battery"


@pytest.fixture
def boss() -> Staff:
    staff = make.staff()
    staff.set_password(PASSWORD)
    staff.save()
    return staff


def code_at(staff: Staff, at: Any) -> str:
    totp = TOTP(b32decode(second_factor.secret(staff.second_factor)))
    totp.time = at.timestamp()
    return f"{totp.token():06}"


def with_factor(staff: Staff) -> list[str]:
    """Set the factor up an hour ago; returns its recovery codes."""
    at = timezone.now() - timedelta(hours=1)
    factor = second_factor.begin(staff)
    staff.refresh_from_db()
    return second_factor.confirm(factor, code_at(staff, at), now=at)


def sign_in(client: Client, password: str = PASSWORD, *, address: str = "192.0.2.1") -> Any:
    form = {"username": "administrator", "password": password}
    return client.post("/admin/login/", form, REMOTE_ADDR=address)


def age(client: Client, **seconds: float) -> None:
    """Make the stamps of the session older."""
    session = client.session
    for name, by in seconds.items():
        session[name] -= by
    session.save()


# The second factor -------------------------------------------------------------------------


def test_codes_are_those_of_rfc_6238() -> None:
    """Appendix B of the RFC gives eight digits; six are their last."""
    for seconds, expected in ((59, 287082), (1111111109, 81804), (20000000000, 353130)):
        totp = TOTP(b"12345678901234567890")
        totp.time = seconds
        assert totp.token() == expected


def test_nothing_of_the_secret_is_stored(boss: Staff) -> None:
    codes = with_factor(boss)
    factor = second_factor.of(Staff.objects.get())
    assert factor
    stored = str([vars(factor), *factor.recovery_codes.values()])
    assert second_factor.secret(factor) not in stored
    assert b32decode(second_factor.secret(factor)).hex() not in stored
    assert not any(code in stored for code in codes)


def test_a_code_serves_once_and_for_half_a_minute_around(boss: Staff) -> None:
    with_factor(boss)
    now = timezone.now()
    token = code_at(boss, now)

    assert not second_factor.check(boss, token, now=now + timedelta(seconds=90))
    assert second_factor.check(boss, token, now=now)
    assert not second_factor.check(boss, token, now=now)
    assert not second_factor.check(boss, code_at(boss, now - timedelta(seconds=30)), now=now)


def test_a_recovery_code_serves_once(boss: Staff) -> None:
    codes = with_factor(boss)
    now = timezone.now()
    assert len(set(codes)) == second_factor.N_CODES
    assert second_factor.check(boss, f" {codes[0].upper()}", now=now)
    assert not second_factor.check(boss, codes[0], now=now)
    assert second_factor.check(boss, codes[1], now=now)


def test_guessing_codes_is_made_slow(boss: Staff) -> None:
    with_factor(boss)
    now = timezone.now()
    for _ in range(5):
        assert not second_factor.check(boss, "no", now=now)
    right = code_at(boss, now)

    assert not second_factor.check(boss, right, now=now + timedelta(seconds=29))
    assert second_factor.check(boss, right, now=now + timedelta(seconds=30))


def test_an_account_with_a_factor_sees_nothing_before_its_code(client: Client, boss: Staff) -> None:
    with_factor(boss)
    assert sign_in(client).status_code == 302

    for path in (HOME, "/admin/privacy/apikey/", "/admin/profiles/customer/", "/setup/"):
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith(FACTOR)
    assert "Customers" not in client.get(FACTOR).content.decode()

    assert client.post(FACTOR, {"code": "000000"}).status_code == 200
    assert client.get(HOME).status_code == 302
    here = client.post(FACTOR, {"code": code_at(boss, timezone.now()), "next": "/admin/jobs/job/"})
    assert (here.status_code, here["Location"]) == (302, "/admin/jobs/job/")
    assert client.get(HOME).status_code == 200


def test_where_it_is_required_the_first_sign_in_sets_it_up(
    client: Client, boss: Staff, settings: Settings
) -> None:
    settings.STAFF_MFA = "required"
    sign_in(client)
    assert client.get(HOME)["Location"].startswith(FACTOR)
    page = client.get(FACTOR).content.decode()
    boss.refresh_from_db()
    assert "<svg" in page
    assert second_factor.secret(boss.second_factor) in page

    shown = client.post(FACTOR, {"code": code_at(boss, timezone.now())})

    assert "no-store" in shown["Cache-Control"]
    assert shown.content.decode().count("<code>") == second_factor.N_CODES
    assert client.get(HOME).status_code == 200
    assert AuditEntry.objects.filter(action="second_factor.set").exists()


def test_the_secret_is_not_shown_again_once_it_is_in_force(client: Client, boss: Staff) -> None:
    with_factor(boss)
    client.force_login(boss)
    client.post(FACTOR, {"code": code_at(boss, timezone.now())})
    assert second_factor.secret(boss.second_factor) not in client.get(FACTOR).content.decode()


def test_an_administrator_takes_a_lost_factor_away(client: Client, boss: Staff) -> None:
    other = make.staff("viewer")
    with_factor(other)
    client.force_login(boss)

    chosen = {"action": "remove_second_factor", "_selected_action": [other.pk]}
    client.post("/admin/privacy/staff/", chosen)

    other.refresh_from_db()
    assert second_factor.of(Staff.objects.get(pk=other.pk)) is None
    entry = AuditEntry.objects.get(action="second_factor.removed")
    assert (entry.actor, entry.reason) == (f"staff:{boss.pk}", f"staff:{other.pk}")


# Sessions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "seconds", "is_open"),
    [
        ("seen_at", 29 * 60, True),
        ("seen_at", 31 * 60, False),
        ("signed_in_at", 8 * 3600 - 60, True),
        ("signed_in_at", 8 * 3600 + 60, False),
    ],
)
def test_a_session_ends(
    client: Client, boss: Staff, stamp: str, seconds: float, *, is_open: bool
) -> None:
    client.force_login(boss)
    client.get(HOME)
    age(client, **{stamp: seconds})
    assert (client.get(HOME).status_code == 200) is is_open


def test_a_page_that_asks_by_itself_keeps_no_session_alive(client: Client, boss: Staff) -> None:
    client.force_login(boss)
    client.get(HOME)
    for _ in range(4):
        age(client, seen_at=9 * 60)
        client.get("/admin/jobs/job/", headers={"HX-Request": "true"})
    assert client.get(HOME).status_code == 302


@pytest.mark.usefixtures("boss")
def test_a_new_password_ends_every_other_session(client: Client) -> None:
    elsewhere = Client()
    for browser in (client, elsewhere):
        sign_in(browser)
        assert browser.get(HOME).status_code == 200

    form = {
        "old_password": PASSWORD,
        "new_password1": "x7-quiet-otter",
        "new_password2": "x7-quiet-otter",
    }
    assert client.post("/admin/password_change/", form).status_code == 302

    assert client.get(HOME).status_code == 200
    assert elsewhere.get(HOME).status_code == 302


# Asking again ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/admin/privacy/apikey/add/", {"kind": "sk", "scopes": ["pii:read"]}),
        ("/admin/privacy/apikey/", {"action": "revoke"}),
        ("/admin/privacy/staff/add/", {"username": "mallory", "role": "administrator"}),
        ("/admin/privacy/rootkey/rotate/people/", {}),
    ],
)
def test_after_ten_minutes_what_is_dangerous_asks_again(
    client: Client, boss: Staff, path: str, data: dict[str, Any]
) -> None:
    client.force_login(boss)
    client.get(HOME)
    age(client, confirmed_at=601)

    answer = client.post(path, data, headers={"Referer": f"http://testserver{path}"})

    assert answer.status_code == 302
    assert answer["Location"] == f"{CONFIRM}?next={path.replace('/', '%2F')}"
    assert Staff.objects.count() == 1


def test_password_and_code_together_confirm(client: Client, boss: Staff) -> None:
    with_factor(boss)
    client.force_login(boss)
    client.post(FACTOR, {"code": code_at(boss, timezone.now())})
    age(client, confirmed_at=601)
    codes = second_factor.renew_codes(Staff.objects.get(), now=NOW)

    for password, code in ((PASSWORD, ""), ("wrong", codes[0]), (PASSWORD, "000000")):
        assert client.post(CONFIRM, {"password": password, "code": code}).status_code == 200
    done = client.post(
        CONFIRM, {"password": PASSWORD, "code": codes[0], "next": "/admin/jobs/job/"}
    )

    assert done["Location"] == "/admin/jobs/job/"
    assert client.get("/admin/privacy/apikey/add/").status_code == 200


def test_passwords_are_not_guessed_at_the_confirmation_either(client: Client, boss: Staff) -> None:
    client.force_login(boss)
    for _ in range(10):
        client.post(CONFIRM, {"password": "wrong"})
    assert client.post(CONFIRM, {"password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\thttps://evil.example",
    ],
)
def test_after_confirming_nobody_is_led_elsewhere(client: Client, boss: Staff, wanted: str) -> None:
    client.force_login(boss)
    done = client.post(CONFIRM, {"password": PASSWORD, "next": wanted})
    assert (done.status_code, done["Location"]) == (302, HOME)


# Lockout -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_failures_before() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.usefixtures("boss")
def test_guessing_passwords_shuts_out_that_name_from_that_address_only(client: Client) -> None:
    statuses = [sign_in(client, "wrong").status_code for _ in range(11)]
    assert statuses[:9] == [200] * 9
    assert statuses[-1] == 429
    assert sign_in(client).status_code == 429

    other = make.staff("viewer")
    other.set_password(PASSWORD)
    other.save()
    same_place = {"username": "viewer", "password": PASSWORD}
    assert Client().post("/admin/login/", same_place, REMOTE_ADDR="192.0.2.1").status_code == 302
    assert sign_in(Client(), address="192.0.2.2").status_code == 302


@pytest.mark.usefixtures("boss")
def test_behind_a_proxy_the_clients_are_told_apart(client: Client, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1

    def status(password: str, passed_on: str) -> int:
        answer = client.post(
            "/admin/login/",
            {"username": "administrator", "password": password},
            headers={"X-Forwarded-For": passed_on},
            REMOTE_ADDR="10.0.0.1",
        )
        return answer.status_code

    # What the attacker writes before the proxy's own word does not make him another.
    for number in range(11):
        last = status("wrong", f"203.0.113.{number}, 198.51.100.66")
    assert last == 429
    assert status(PASSWORD, "198.51.100.7") == 302
