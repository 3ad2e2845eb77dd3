"""What every request under /v1 passes: repeats, limits, sizes, one answer for nothing there."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from privacy import doors, idempotency, retention, throttling
from privacy.api.addresses import address_of
from privacy.models import ApiKey, Reply
from privacy.problems import DomainError
from privacy.throttling import Limit, TooManyError
from profiles.models import Customer, Order
from tests import make
from tests.make import NOW
from tests.profiles.calls import post, track

pytestmark = pytest.mark.django_db
ORDER = {
    "currency": "EUR",
    "placedAt": "2026-03-01T10:00:00Z",
    "lines": [{"id": "1", "productId": "tv", "quantity": 1, "unitPrice": "100.00"}],
}


def put(client: Client, body: Any = ORDER, *, key: str, name: str = "", number: str = "1") -> Any:
    headers = {"Authorization": f"Bearer {key}"} | ({"Idempotency-Key": name} if name else {})
    path = f"/v1/orders/{number}"
    return client.put(path, json.dumps(body), content_type="application/json", headers=headers)


# Asking twice ------------------------------------------------------------------------------


def test_a_repeat_gets_the_first_reply_and_acts_no_second_time(client: Client) -> None:
    key = make.secret_key()
    first = put(client, key=key, name="a")
    Order.objects.all().delete()

    again = put(client, key=key, name="a")

    assert first.status_code == again.status_code == 200
    assert (again.content, again["Content-Type"]) == (first.content, first["Content-Type"])
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert not Order.objects.exists()


def test_a_name_serves_one_request_only(client: Client) -> None:
    key = make.secret_key()
    put(client, key=key, name="a")

    other_body = put(client, ORDER | {"currency": "USD"}, key=key, name="a")
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")
    # Another key, and another address, has names of its own.
    assert put(client, key=make.secret_key(), name="a").status_code == 200
    assert put(client, key=key, name="a", number="2").status_code == 200
    assert Reply.objects.count() == 3


def test_a_refused_body_is_refused_alike_again_but_what_may_pass_is_tried_again(
    client: Client,
) -> None:
    key = make.secret_key()
    faulty = put(client, {"lines": 5}, key=key, name="a")
    assert faulty.status_code == 400
    assert put(client, {"lines": 5}, key=key, name="a").content == faulty.content

    poor = make.secret_key(["orders:read"])
    assert put(client, key=poor, name="b").status_code == 403
    ApiKey.objects.filter(digest=doors.digest(poor)).update(scopes=["orders:write"])
    assert put(client, key=poor, name="b").status_code == 200


def test_a_second_request_waits_for_the_first_whose_name_a_dead_process_does_not_keep() -> None:
    key = make.key_of(make.source(), kind=ApiKey.Kind.SECRET)

    def begin(seconds: float) -> Reply:
        at = NOW + timedelta(seconds=seconds)
        return idempotency.begin(key, "a", route="POST /v1/x", said=b"{}", now=at)

    first = begin(0)
    with pytest.raises(DomainError) as refusal:
        begin(119)
    assert (refusal.value.code, refusal.value.status) == ("request_in_flight", 409)

    second = begin(121)
    with pytest.raises(DomainError):
        begin(122)
    idempotency.finish(first, status=200, headers={}, body=b"late")
    assert Reply.objects.get().status is None
    idempotency.finish(second, status=200, headers={}, body=b"in time")
    assert bytes(begin(123).body) == b"in time"


def test_a_reply_is_kept_for_48_hours() -> None:
    key = make.key_of(make.source(), kind=ApiKey.Kind.SECRET)
    for hours, is_kept in ((0, False), (47, True), (49, False)):
        at = NOW + timedelta(hours=hours)
        reply = idempotency.begin(key, "a", route="POST /v1/x", said=b"{}", now=at)
        assert (reply.status is not None) is is_kept
        idempotency.finish(reply, status=200, headers={}, body=b"")
    due = {one.schedule.name: one.n_rows for one in retention.due(NOW + timedelta(days=5))}
    assert due["replies"] == 1


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 256])
def test_a_name_is_short_and_printable(client: Client, name: str) -> None:
    answer = put(client, key=make.secret_key(), name=name)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")


def test_a_publishable_key_keeps_no_replies_since_everybody_has_it(client: Client) -> None:
    headers = {"Authorization": f"Bearer {make.write_key()}", "Idempotency-Key": "a"}
    body = json.dumps(track())
    for _ in range(2):
        client.post("/v1/track", body, content_type="application/json", headers=headers)
    assert not Reply.objects.exists()


# Limits ------------------------------------------------------------------------------------


def test_a_window_slides_so_that_its_edge_gives_nobody_twice_the_limit() -> None:
    limit, start = Limit("test", 10, 60), NOW.replace(second=0)

    def taken(second: int, wanted: int) -> int:
        for n_done in range(wanted):
            try:
                throttling.take([(limit, "who")], now=start + timedelta(seconds=second))
            except TooManyError:
                return n_done
        return wanted

    assert taken(59, 10) == 10
    assert taken(61, 10) == 0
    assert taken(5 * 60, 11) == 10


def test_whoever_waits_as_long_as_told_is_let_in() -> None:
    limit = Limit("test", 5, 60)
    at = NOW
    for _round in range(20):
        try:
            throttling.take([(limit, "who")], now=at)
            at += timedelta(seconds=1)
        except TooManyError as refusal:
            at += timedelta(seconds=int(refusal.headers["Retry-After"]))
            throttling.take([(limit, "who")], now=at)


def test_a_caller_over_the_limit_is_told_when_to_come_back(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(doors.LIMITS, "wk", (Limit("key", 100, 60), Limit("caller", 2, 60)))
    key = make.write_key()
    answers = [post(client, track(), key=key) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[0]["RateLimit-Policy"] == '"caller";q=2;w=60'
    assert answers[0]["RateLimit"].startswith('"caller";r=1;t=')
    assert answers[2].json()["code"] == "too_many_requests"
    assert 1 <= int(answers[2]["Retry-After"]) <= 120
    # Others with the same key are not shut out.
    other = client.post(
        "/v1/track",
        json.dumps(track()),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
        REMOTE_ADDR="203.0.113.9",
    )
    assert other.status_code == 202


def test_who_guesses_keys_is_slowed_down(client: Client) -> None:
    statuses = [post(client, track(), key="wk_live_guess").status_code for _ in range(130)]
    assert set(statuses[:30]) == {401}
    assert set(statuses) == {401, 429}


def test_no_address_stands_in_the_cache() -> None:
    from django.core.cache import cache

    limit = Limit("test", 5, 60)
    throttling.take([(limit, "203.0.113.9")], now=NOW)
    assert "203.0.113.9" not in str(vars(cache))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.10", False),
    ],
)
def test_a_caller_of_ipv6_is_its_network(one: str, other: str, *, alike: bool) -> None:
    assert (throttling.neighbourhood(one) == throttling.neighbourhood(other)) is alike


@pytest.mark.parametrize(
    ("n_proxies", "passed", "expected"),
    [
        (0, "198.51.100.1", "192.0.2.1"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "10.0.0.9, 198.51.100.1", "198.51.100.1"),
        (2, "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "198.51.100.1", "192.0.2.1"),
        (1, "", ""),
        (1, "<script>", ""),
    ],
)
def test_the_clients_address_is_what_our_own_proxies_say(
    settings: Settings, n_proxies: int, passed: str, expected: str
) -> None:
    settings.TRUSTED_PROXIES = n_proxies
    request = RequestFactory(REMOTE_ADDR="192.0.2.1").get("/", headers={"X-Forwarded-For": passed})
    assert address_of(request) == expected


# Sizes, and what is not there ---------------------------------------------------------------


def test_a_body_over_the_bound_is_refused_before_it_is_read(
    client: Client, settings: Settings
) -> None:
    settings.API_MAX_BODY_BYTES = 1_000
    answer = put(client, ORDER | {"coupon": "x" * 1_000}, key=make.secret_key())
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_that_unpacks_to_a_thousand_times_its_size_is_refused(client: Client) -> None:
    bomb = gzip.compress(b'{"batch":[' + b" " * 50_000_000 + b"]}")
    answer = client.post(
        "/v1/batch",
        bomb,
        content_type="application/json",
        headers={"Authorization": f"Bearer {make.write_key()}", "Content-Encoding": "gzip"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_what_is_not_there_and_what_never_was_answer_alike(client: Client) -> None:
    gone = make.customer("gone")
    gone.subject.erased_at = timezone.now()
    gone.subject.save()
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    Customer.objects.filter(pk=gone.pk).delete()

    def answer(path: str) -> dict[str, Any]:
        said = client.get(path, headers=headers)
        assert said.status_code == 404
        told: dict[str, Any] = said.json()
        return {name: told[name] for name in told if name not in {"instance", "request_id"}}

    answers = [
        answer(path)
        for path in (
            "/v1/customers/gone",
            "/v1/customers/never",
            "/v1/orders/never",
            "/v1/jobs/00000000-0000-0000-0000-000000000000",
        )
    ]
    assert all(one == answers[0] for one in answers)


def test_answers_to_a_key_are_kept_by_nobody(client: Client) -> None:
    make.customer("C-1")
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    assert client.get("/v1/customers/C-1", headers=headers)["Cache-Control"] == "no-store"
