"""Webhooks by API: entered and looked after by a secret key that may."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from standardwebhooks import Webhook as Verifier

from privacy import announcing, doors
from privacy.announcing import Fact
from privacy.models import Reply, Webhook, WebhookDelivery
from tests import make
from tests.make import NOW
from tests.privacy.receiver import receiver

pytestmark = pytest.mark.django_db
BODY = {"name": "ERP", "url": "https://erp.example/hook", "eventTypes": ["job.finished"]}


class Caller:
    """A server of the shop's with a key of these scopes."""

    def __init__(self, *scopes: str) -> None:
        self.key = make.secret_key(scopes or ("webhooks:read", "webhooks:write"))

    def __call__(
        self, method: str, path: str = "", body: Any = None, *, name: str = ""
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        headers |= {"Idempotency-Key": name} if name else {}
        said = Client().generic(
            method,
            f"/v1/webhooks{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=headers,
        )
        return said.status_code, said.json()


@pytest.fixture
def call() -> Caller:
    return Caller()


def announce(n: int = 1) -> None:
    data = {"jobId": "1", "kind": "k", "state": "done", "errorCode": ""}
    announcing.announce([Fact("job.finished", data)] * n, now=NOW)


def test_a_webhook_is_made_with_a_secret_that_is_told_once(call: Caller) -> None:
    status, made = call("POST", body=BODY)

    assert status == 200
    assert {name: made[name] for name in BODY} == BODY
    assert (made["isEnabled"], made["state"]) == (True, "enabled")
    Verifier(made["secret"])
    _status, read = call("GET", f"/{made['id']}")
    assert read == {name: value for name, value in made.items() if name != "secret"}
    assert call("GET")[1] == {"data": [read], "next": None}


def test_a_repeat_of_the_request_gets_the_webhook_without_its_secret(call: Caller) -> None:
    _status, first = call("POST", body=BODY, name="a")
    _status, again = call("POST", body=BODY, name="a")

    assert again == first | {"secret": None}
    assert Webhook.objects.count() == 1
    assert first["secret"].encode() not in bytes(Reply.objects.get().body)


def test_writing_is_a_scope_that_is_asked_for_by_name() -> None:
    assert "webhooks:write" not in doors.SECRET_SCOPES
    reader = Caller(*doors.SECRET_SCOPES)
    assert reader("GET")[0] == 200
    one = f"/{make.webhook().uuid}"
    for method, path in (("POST", ""), ("PUT", one), ("DELETE", one), ("POST", f"{one}/test")):
        status, said = reader(method, path, BODY)
        assert (status, said["code"]) == (403, "missing_scope")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"url": "http://10.0.0.1/"}, "invalid_webhook_url", "/url"),
        ({"eventTypes": ["job.finished", "x.y"]}, "unknown_event_type", "/eventTypes/1"),
        ({"eventTypes": "job.finished"}, "validation_error", "/eventTypes"),
        ({"name": "x" * 101}, "validation_error", "/name"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field(
    call: Caller, body: dict[str, Any], code: str, pointer: str
) -> None:
    status, said = call("POST", body=BODY | body)
    assert (status, said["code"]) == (400, code)
    assert said["errors"][0]["pointer"] == pointer


def test_members_that_are_left_out_stay(call: Caller) -> None:
    webhook = make.webhook(state="failing", failing_since=NOW, disabled_at=NOW)
    _status, changed = call("PUT", f"/{webhook.uuid}", {"name": "New"})
    assert (changed["name"], changed["url"], changed["state"]) == ("New", webhook.url, "failing")
    _status, changed = call("PUT", f"/{webhook.uuid}", {"isEnabled": True})
    assert (changed["state"], changed["failingSince"], changed["disabledAt"]) == (
        "enabled",
        None,
        None,
    )


def test_a_deleted_webhook_is_gone_with_what_waits_for_it(call: Caller) -> None:
    webhook = make.webhook()
    announce()
    status, told = call("DELETE", f"/{webhook.uuid}")
    assert (status, told["name"]) == (200, "ERP")
    assert call("GET", f"/{webhook.uuid}")[0] == 404
    assert not WebhookDelivery.objects.exists()


def test_a_rotated_secret_is_told_once_and_no_third_made(call: Caller) -> None:
    webhook = make.webhook()
    status, told = call("POST", f"/{webhook.uuid}/rotate")
    assert (status, told["oldSecretUntil"] is not None) == (200, True)
    Verifier(told["secret"])
    status, said = call("POST", f"/{webhook.uuid}/rotate")
    assert (status, said["code"]) == (409, "not_rotatable")


def test_a_test_answers_with_what_came_of_it(call: Caller, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with receiver() as there:
        there.answer = lambda _heard: (418, {})
        webhook = make.webhook(url=there.url)
        status, told = call("POST", f"/{webhook.uuid}/test")
    assert (status, told["eventType"], told["state"]) == (200, "webhook.test", "failed")
    assert (told["status"], told["reason"]) == (418, "http_error")
    assert [attempt["status"] for attempt in told["attempts"]] == [418]
    assert told["messageId"] == there.ids[0]


def test_deliveries_come_page_by_page_the_newest_first(call: Caller) -> None:
    webhook = make.webhook()
    announce(5)
    keys = list(webhook.deliveries.order_by("-pk").values_list("uuid", flat=True))
    WebhookDelivery.objects.filter(uuid=keys[1]).update(state="failed")

    seen: list[str] = []
    cursor: str | None = ""
    n_pages = 0
    while cursor is not None:
        _status, page = call("GET", f"/{webhook.uuid}/deliveries?limit=2&cursor={cursor}")
        seen += [row["id"] for row in page["data"]]
        cursor, n_pages = page["next"], n_pages + 1
        announce()  # what comes in meanwhile shifts nothing
    assert seen == [str(key) for key in keys]
    assert n_pages == 3
    _status, failed = call("GET", f"/{webhook.uuid}/deliveries?state=failed")
    assert [row["id"] for row in failed["data"]] == [str(keys[1])]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_limit"),
        ("limit=201", "invalid_limit"),
        ("limit=²", "invalid_limit"),
        ("cursor=%25", "invalid_cursor"),
        ("cursor=LTE", "invalid_cursor"),
        ("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "invalid_cursor"),
        ("state=lost", "validation_error"),
    ],
)
def test_a_page_that_cannot_be_is_refused(call: Caller, query: str, code: str) -> None:
    webhook = make.webhook()
    status, said = call("GET", f"/{webhook.uuid}/deliveries?{query}")
    assert (status, said["code"]) == (400, code)


def test_deliveries_ask_no_more_for_many_than_for_few(
    call: Caller, django_assert_max_num_queries: Any
) -> None:
    webhook = make.webhook()
    announce(3)
    with django_assert_max_num_queries(30) as few:
        call("GET", f"/{webhook.uuid}/deliveries")
    announce(60)
    with django_assert_max_num_queries(len(few)):
        call("GET", f"/{webhook.uuid}/deliveries?limit=60")


def test_one_or_all_failed_ones_are_sent_again(call: Caller) -> None:
    webhook, other = make.webhook(), make.webhook("Other")
    announce(3)
    WebhookDelivery.objects.update(state="failed")
    path = f"/{webhook.uuid}/replay"

    one = webhook.deliveries.latest("pk")
    assert call("POST", path, {"deliveryId": str(one.uuid)}) == (200, {"replayed": 1})
    status, said = call("POST", path, {"deliveryId": str(one.uuid)})
    assert (status, said["code"]) == (409, "not_replayable")
    assert call("POST", path, {"since": NOW.isoformat()}) == (200, {"replayed": 2})
    assert other.deliveries.filter(state="failed").count() == 3
    elses = other.deliveries.latest("pk").uuid
    assert call("POST", path, {"deliveryId": str(elses)})[0] == 404
    for body in ({}, {"deliveryId": str(one.uuid), "since": NOW.isoformat()}):
        assert call("POST", path, body)[0] == 400
