"""Keys: shown once, kept as a digest, bound to scopes, origins and time."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.views import APIView

from privacy import doors
from privacy.api import authentication
from privacy.models import ApiKey
from privacy.problems import DomainError
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
SHOP = "https://shop.example"


def issue(kind: str = ApiKey.Kind.SECRET, **facts: Any) -> tuple[ApiKey, str]:
    return doors.issue(make.source(), kind=kind, now=NOW, **facts)


def refused(plaintext: str, **moment: Any) -> bool:
    try:
        doors.find(plaintext, now=NOW + timedelta(**moment))
    except DomainError as error:
        return (error.code, error.status) == ("invalid_key", 401)
    return False


def test_only_the_digest_of_a_key_is_kept() -> None:
    key, plaintext = issue()

    assert plaintext.startswith("sk_live_")
    assert plaintext.startswith(key.prefix)
    kept = str(list(ApiKey.objects.values()))
    assert plaintext[doors.PREFIX_LENGTH :] not in kept
    assert doors.find(plaintext, now=NOW) == key


def test_a_revoked_or_expired_or_unknown_key_opens_nothing() -> None:
    revoked, revoked_text = issue()
    _expiring, expiring_text = issue(expires_at=NOW + timedelta(days=1))
    doors.revoke(revoked, now=NOW)

    assert refused(revoked_text)
    assert not refused(expiring_text, hours=23)
    assert refused(expiring_text, days=1)
    assert refused("sk_live_" + "A" * 43)
    assert refused("")


def test_what_is_taken_from_a_key_in_use_is_gone_for_its_next_request() -> None:
    key, plaintext = issue(ApiKey.Kind.WRITE, origins=[SHOP])
    other = "https://other.example"
    assert doors.allows_origin(doors.find(plaintext, now=NOW), SHOP)

    ApiKey.objects.filter(pk=key.pk).update(origins=[other])
    found = doors.find(plaintext, now=NOW)
    assert doors.allows_origin(found, other)
    assert not doors.allows_origin(found, SHOP)

    key.source.name = "Renamed"
    key.source.save()
    assert doors.find(plaintext, now=NOW).source.name == "Renamed"

    doors.revoke(key, now=NOW)
    assert refused(plaintext)


def test_a_found_key_that_is_changed_unsaved_changes_nothing_for_others() -> None:
    _key, plaintext = issue(ApiKey.Kind.WRITE, origins=[SHOP])
    doors.find(plaintext, now=NOW).kind = ApiKey.Kind.SECRET

    assert doors.find(plaintext, now=NOW).kind == ApiKey.Kind.WRITE


def test_the_use_of_a_key_is_noted_at_most_once_a_minute() -> None:
    key, plaintext = issue()
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (61, 60)):
        doors.find(plaintext, now=NOW + timedelta(seconds=seconds))
        key.refresh_from_db()
        assert key.last_used_at == NOW + timedelta(seconds=noted)


def test_a_publishable_key_never_reads_profiles_whatever_it_asks_for() -> None:
    key, _plaintext = issue(ApiKey.Kind.WRITE, scopes=["customers:read"])

    assert sorted(doors.scopes_of(key)) == [
        *("decisions:read", "events:write", "push:write", "recommendations:read")
    ]
    with pytest.raises(DomainError, match="customers:read"):
        authentication.require_scope(key, "customers:read")


def test_a_scope_nobody_knows_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(DomainError, match="orders:write") as refusal:
        issue(scopes=["order:write"])
    assert refusal.value.code == "unknown_scope"


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*.shop.example",
        "shop.example",
        "https://shop.example/path",
        "https://shop.example?q",
        "https://ann@shop.example",
        "https://shop.example:99999",
        "https://[shop.example",
        "https://",
        "https://shop example",
        "https://" + "a" * 70 + ".example",
        "file://shop.example",
    ],
)
def test_only_exact_origins_are_taken(origin: str) -> None:
    with pytest.raises(DomainError, match="without path or wildcard") as refusal:
        issue(ApiKey.Kind.WRITE, origins=[origin])
    assert refusal.value.code == "invalid_origin"


@pytest.mark.parametrize(
    "origin", ["http://shop.example", "http://localhost.shop.example", "http://127.0.0.2:8000"]
)
def test_plain_http_is_taken_of_ones_own_machine_alone(origin: str) -> None:
    with pytest.raises(DomainError, match="with https") as refusal:
        issue(ApiKey.Kind.WRITE, origins=[origin])
    assert refusal.value.code == "insecure_origin"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("HTTPS://Shop.Example:443/", "https://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(given: str, kept: str) -> None:
    assert issue(ApiKey.Kind.WRITE, origins=[given])[0].origins == [kept]


def test_a_browser_key_serves_its_own_origins_and_pages_of_this_installation() -> None:
    _key, plaintext = issue(ApiKey.Kind.WRITE, origins=[SHOP + "/"])
    for origin, allowed in (
        (SHOP, True),
        ("http://testserver", True),
        ("https://evil.example", False),
    ):
        request = RequestFactory().post("/v1/batch", headers={"Origin": origin})
        if allowed:
            assert authentication.admit(request, plaintext).source == make.source()
        else:
            with pytest.raises(DomainError) as refusal:
                authentication.admit(request, plaintext)
            assert refusal.value.code == "origin_not_allowed"


def test_only_a_known_origin_may_read_answers() -> None:
    issue(ApiKey.Kind.WRITE, origins=[SHOP])

    def allowed(origin: str) -> str | None:
        request = RequestFactory().options("/v1/batch", headers={"Origin": origin})
        return authentication.cors_headers(request).get("Access-Control-Allow-Origin")

    assert allowed(SHOP) == SHOP
    assert allowed("https://evil.example") is None


@pytest.mark.parametrize(
    "header", ["Bearer {key}", "Basic {basic}", "bearer {key}"], ids=["bearer", "basic", "lower"]
)
def test_a_key_is_found_in_either_header(header: str) -> None:
    basic = base64.b64encode(b"wk_live_x:").decode()
    request = RequestFactory().get(
        "/", headers={"Authorization": header.format(key="wk_live_x", basic=basic)}
    )
    assert authentication.key_in_header(request) == "wk_live_x"


def test_a_broken_header_holds_no_key() -> None:
    request = RequestFactory().get("/", headers={"Authorization": "Basic %%%"})
    assert authentication.key_in_header(request) == ""


def test_a_view_asks_for_its_scope_by_method() -> None:
    class Orders(APIView):
        authentication_classes = [authentication.ApiKeyAuthentication]
        permission_classes = [authentication.HasScope]
        required_scope = "orders"

        def get(self, request: Any) -> Any:
            from rest_framework.response import Response

            return Response({})

        post = get

    _key, plaintext = issue(scopes=["orders:read"])
    headers = {"Authorization": f"Bearer {plaintext}"}
    view = Orders.as_view()

    # The view's door reads the wall clock, at which the key is still live.
    assert view(RequestFactory().get("/v1/orders", headers=headers)).status_code == 200
    assert view(RequestFactory().post("/v1/orders", headers=headers)).status_code == 403
    answer = view(RequestFactory().get("/v1/orders"))
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="candor"')


@pytest.mark.parametrize(
    ("user_hash", "expires_at"), [("é", 60), ("00", 10**400), ("", -(10**400))]
)
def test_a_hash_of_any_form_is_refused_not_an_error(user_hash: str, expires_at: int) -> None:
    at = expires_at if abs(expires_at) > 60 else int(NOW.timestamp()) + expires_at

    assert not doors.vouches(make.source(), "C-1", user_hash, at, NOW)


@pytest.mark.parametrize("kind", ApiKey.Kind.values)
def test_while_a_key_is_rotated_two_are_live_and_never_three(kind: str) -> None:
    key, old = issue(kind, scopes=["orders:read"], origins=[SHOP])
    successor, new = doors.rotate(key, now=NOW)

    assert (successor.kind, successor.scopes, successor.origins) == (kind, key.scopes, [SHOP])
    assert not refused(old, days=6)
    assert not refused(new)
    for again in (key, successor):
        with pytest.raises(DomainError) as refusal:
            doors.rotate(again, now=NOW + timedelta(days=6))
        assert refusal.value.code == "not_rotatable"
    assert refused(old, days=7)
    assert doors.rotate(successor, now=NOW + timedelta(days=7))


def test_rotating_lengthens_no_life_and_wakes_no_dead_key() -> None:
    expiring, text = issue(expires_at=NOW + timedelta(days=1))
    successor, _new = doors.rotate(expiring, now=NOW)
    assert successor.expires_at == NOW + timedelta(days=1)
    assert refused(text, days=1)

    revoked, _text = issue()
    doors.revoke(revoked, now=NOW)
    with pytest.raises(DomainError):
        doors.rotate(revoked, now=NOW)


def test_a_key_whose_successor_was_revoked_can_be_rotated_again() -> None:
    key, _old = issue()
    doors.revoke(doors.rotate(key, now=NOW)[0], now=NOW)

    assert doors.rotate(key, now=NOW)[0].replaces == key
