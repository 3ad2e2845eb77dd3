"""What comes in by `/v1/batch` and its kin: every event gets a verdict, and is stored once."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs import running
from jobs.models import Job
from profiles import asking
from profiles.events import ingestion, merging, staging
from profiles.models import Customer, Event, EventStaging, EventVerdict, RejectedEvent
from tests import make
from tests.profiles.calls import merge, post, staged, track

pytestmark = pytest.mark.django_db


def test_an_event_is_staged_answered_and_merged(client: Client) -> None:
    happened = timezone.now() - timedelta(hours=2)
    event = track(
        messageId="m-1",
        timestamp=happened.isoformat(),
        properties={"product_id": "p-7", "price": 19.99},
        context={"ip": "203.0.113.77", "page": {"path": "/p/7"}, "traits": {"email": "a@b.co"}},
    )

    answer = post(client, event)

    assert answer.status_code == 202
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": [], "warnings": []}
    assert EventStaging.objects.count() == 1
    merge()
    assert EventStaging.objects.count() == 0
    stored = Event.objects.get()
    assert (stored.message_id, stored.kind, stored.name) == ("m-1", "track", "Product Viewed")
    assert (stored.product_id, stored.properties["price"]) == ("p-7", 19.99)
    assert stored.context == {"page": {"path": "/p/7"}, "ip": "203.0.113.0"}
    assert stored.happened_at == happened
    assert not stored.is_confirmed


def test_the_merge_runs_as_the_job_that_the_request_asked_for(client: Client) -> None:
    post(client, track())
    post(client, track())

    job = Job.objects.get(kind=asking.MERGE)
    done = running.run(job.pk, clock=timezone.now)

    assert done is not None
    assert (done.state, done.result) == (Job.State.DONE, {"n_merged": 2})


def test_signs_that_the_database_would_take_for_its_own_arrive_as_they_were(client: Client) -> None:
    said = 'a\\b\tc\nd\re"f\\N\\.\\'
    post(client, track(messageId="m-1", properties={"product_id": "p-7", "title": said}))

    assert [one.facts["title"] for one in staging.newest(1)] == [said]
    merge()
    assert Event.objects.get().properties["title"] == said


def test_a_message_id_is_stored_once_within_and_across_requests(client: Client) -> None:
    first = post(client, track(messageId="m-1"), track(messageId="m-1"), track(messageId="m-2"))
    merge()
    post(client, track(messageId="m-1"))
    merge()

    assert (first.json()["accepted"], first.json()["duplicates"]) == (2, 1)
    assert sorted(Event.objects.values_list("message_id", flat=True)) == ["m-1", "m-2"]
    assert EventVerdict.objects.filter(verdict="duplicate").count() == 2


def test_two_sources_may_use_the_same_message_id(client: Client) -> None:
    post(client, track(messageId="m-1"))
    merge()
    other = make.source("App")
    ingestion.take_in(
        [json.dumps(track(messageId="m-1")).encode()],
        key=make.key_of(other),
        kind=None,
        sent_at=None,
        ip="",
        now=timezone.now(),
    )
    merge()

    assert Event.objects.count() == 2


def test_a_forgotten_message_id_may_come_again(client: Client) -> None:
    post(client, track(messageId="m-1"))
    merge()
    merging.forget(timezone.now() + timedelta(days=6))
    post(client, track(messageId="m-1"))
    merge()
    assert Event.objects.count() == 1

    merging.forget(timezone.now() + timedelta(days=8))
    post(client, track(messageId="m-1"))
    merge()
    assert Event.objects.count() == 2


def test_one_bad_event_does_not_spoil_its_batch(client: Client) -> None:
    answer = post(
        client,
        track(messageId="good"),
        {"type": "track", "event": "No id", "messageId": "bad"},
        {"type": "teleport", "userId": "7"},
        track(properties={"note": "x" * 33_000}),
        track(timestamp=(timezone.now() + timedelta(days=2)).isoformat()),
        track(name="Nul", properties={"a": "\x00"}),
        track(properties=[1]),
    )

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert [(one["index"], one["code"]) for one in answer.json()["rejected"]] == [
        (1, "missing_id"),
        (2, "unknown_type"),
        (3, "event_too_large"),
        (4, "timestamp_in_future"),
        (5, "nul_character"),
        (6, "invalid_event"),
    ]
    assert answer.json()["rejected"][0]["messageId"] == "bad"


def test_an_event_that_is_no_json_does_not_spoil_its_batch(client: Client) -> None:
    good = json.dumps(track(messageId="good"))
    deep = '{"type":"page","userId":"1","properties":{"a":' + "[" * 5_000 + "]" * 5_000 + "}}"

    answer = client.post(
        "/v1/batch",
        f'{{"batch":[{deep},{good},{{"price":NaN}}]}}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {make.write_key()}"},
    )

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert [(one["index"], one["code"]) for one in answer.json()["rejected"]] == [
        (0, "too_deep"),
        (2, "invalid_event"),
    ]
    assert RejectedEvent.objects.count() == 2


def test_an_escaped_backslash_before_u0000_is_no_nul_character(client: Client) -> None:
    text = r"a\u0000 in a manual"

    assert post(client, track(properties={"a": text})).status_code == 202
    merge()
    assert Event.objects.get().properties == {"a": text}


@pytest.mark.parametrize("sign", ["\t", "\n", "\r", "\\", "\\N", "\\.", '"', ""])
def test_every_sign_of_a_text_arrives_as_it_was_sent(client: Client, sign: str) -> None:
    event = track(messageId=f"m{sign}1", event=f"Looked{sign}up", properties={"note": f"a{sign}b"})

    assert post(client, event, track(messageId="m-2")).json()["accepted"] == 2
    merge()

    stored = Event.objects.get(message_id=f"m{sign}1")
    assert (stored.name, stored.properties) == (f"Looked{sign}up", {"note": f"a{sign}b"})
    assert Event.objects.get(message_id="m-2").properties == {}


def test_a_merge_takes_up_where_the_one_before_it_ended(client: Client) -> None:
    for number in range(5):
        post(client, track(messageId=f"m-{number}"))

    taken = [merging.merge(timezone.now(), limit=2) for _ in range(4)]

    assert taken == [2, 2, 1, 0]
    ids = Event.objects.order_by("pk").values_list("message_id", flat=True)
    assert list(ids) == [f"m-{number}" for number in range(5)]


def test_a_batch_of_which_nothing_is_taken_is_refused(client: Client) -> None:
    answer = post(client, {"type": "track", "event": "No id"})

    assert answer.status_code == 400
    assert answer.json()["code"] == "all_events_rejected"
    assert answer.json()["errors"][0]["pointer"] == "/batch/0"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_json"),
        (b"{}", {}, 400, "missing_batch"),
        (b'{"batch": [' + b"{}," * 500 + b"{}]}", {}, 413, "too_many_events"),
        (b" " * (512 * 1024 + 1), {}, 413, "body_too_large"),
        (
            gzip.compress(b" " * 5_000_000, mtime=0),
            {"Content-Encoding": "gzip"},
            413,
            "body_too_large",
        ),
        (
            gzip.compress(b'{"batch":[]}', mtime=0)[:-9],
            {"Content-Encoding": "gzip"},
            400,
            "invalid_gzip",
        ),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400, "invalid_gzip"),
        (b"{}", {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
        (b'{"batch": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, 400, "invalid_json"),
        ('{"batch": "é'.encode("latin-1"), {}, 400, "invalid_json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unreadable_body_is_refused_with_its_reason(
    client: Client, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    key = make.write_key()

    answer = client.post(
        "/v1/batch",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", **headers},
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"


def test_an_unknown_key_is_refused_and_nothing_is_stored(client: Client) -> None:
    answer = post(client, track(), key="wk_live_" + "x" * 43)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")
    assert not EventStaging.objects.exists()


def test_no_key_at_all_is_an_unknown_one(client: Client) -> None:
    answer = client.post("/v1/track", json.dumps(track()), content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")


@pytest.mark.parametrize("method", ["get", "put"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    answer = getattr(client, method)("/v1/batch")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_a_beacon_carries_its_key_in_a_body_of_plain_text(client: Client) -> None:
    body = json.dumps({"batch": [track()], "writeKey": make.write_key()})

    assert client.post("/v1/batch", body, content_type="text/plain").status_code == 202


def test_the_address_of_a_single_call_names_its_type(client: Client) -> None:
    for path, kind in (("/v1/page", "page"), ("/v1/s", "screen"), ("/v1/t", "track")):
        call = {"anonymousId": "v", "event": "Seen", "name": "Home", "type": "alias"}
        assert post(client, call, path=path).status_code == 202
        assert [one.kind for one in staged()] == [kind]
        EventStaging.objects.all().delete()


def test_a_wrong_client_clock_is_put_right_by_when_it_says_it_sent(client: Client) -> None:
    now = timezone.now()
    slow = now - timedelta(days=400)
    event = track(timestamp=(slow - timedelta(hours=1)).isoformat())

    post(client, event, sentAt=slow.isoformat())
    merge()

    age = now - Event.objects.get().happened_at
    assert abs(age - timedelta(hours=1)) < timedelta(seconds=5)


def test_a_batch_whose_hint_is_no_time_is_taken_and_told(client: Client) -> None:
    then = timezone.now() - timedelta(hours=2)

    answer = post(client, track(timestamp=then.isoformat()), track("Seen"), sentAt="yesterday")
    merge()

    assert answer.status_code == 202
    assert [(one["index"], one["code"]) for one in answer.json()["warnings"]] == [
        (0, "sent_at_ignored")
    ]
    assert Event.objects.get(name="Product Viewed").happened_at == then
    verdict = EventVerdict.objects.get()
    assert (verdict.verdict, verdict.code) == ("warned", "sent_at_ignored")


@pytest.mark.parametrize("sent_at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_hint_beyond_the_calendar_loses_no_event_and_no_rejection(
    client: Client, sent_at: str
) -> None:
    nameless = {"type": "track", "messageId": "m-0", "userId": "C-1"}

    answer = post(client, track(), nameless, sentAt=sent_at)

    assert answer.status_code == 202
    assert len(staged()) == 1
    assert [one["index"] for one in answer.json()["rejected"]] == [1]
    assert RejectedEvent.objects.count() == 1


def test_personal_properties_are_left_out_and_the_sender_is_told(client: Client) -> None:
    answer = post(
        client,
        track(
            properties={
                "Email": "a@b.co",
                "order": {"first_name": "Ann", "note": "call a@b.co", "sku": "1"},
                "tags": ["ok", "x@y.zz"],
                "name": "Camera",
                "url": "https://shop.example/p?email=a%40b.co#x",
                "手机号": "13800138000",
            }
        ),
    )

    merge()
    assert Event.objects.get().properties == {
        "order": {"sku": "1"},
        "tags": ["ok"],
        "name": "Camera",
        "url": "https://shop.example/p",
    }
    warning = answer.json()["warnings"][0]
    assert warning["code"] == "personal_data_dropped"
    assert "order.first_name" in warning["detail"]
    assert "a@b.co" not in answer.content.decode()


def test_events_of_a_test_key_are_judged_and_never_kept(client: Client) -> None:
    answer = post(client, track(), key=make.write_key(is_test=True))

    assert answer.json()["accepted"] == 1
    assert not EventStaging.objects.exists()
    assert list(EventVerdict.objects.values_list("verdict", flat=True)) == ["test"]


def test_a_merge_in_small_steps_ends_like_one_in_a_large_step(client: Client) -> None:
    post(client, *(track(messageId=f"m-{n}", userId=f"C-{n % 3}") for n in range(50)))

    while merging.merge(timezone.now(), limit=7):
        pass

    assert Event.objects.count() == 50
    assert Customer.objects.count() == 3


def test_browser_clients_find_their_settings(client: Client) -> None:
    key = make.write_key()

    found = client.get(f"/v1/projects/{key}/settings").json()["integrations"]["Segment.io"]

    assert found == {"apiKey": key, "apiHost": "127.0.0.1:8000/v1", "protocol": "http"}
    secret = client.get(f"/v1/projects/{make.secret_key()}/settings")
    assert secret.json()["code"] == "wrong_kind_of_key"


def test_a_page_of_a_listed_origin_may_send_and_another_may_not(client: Client) -> None:
    key = make.write_key(origins=["https://shop.example"])

    def send(origin: str) -> Any:
        return client.post(
            "/v1/t",
            json.dumps(track()),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}", "Origin": origin},
        )

    assert send("https://shop.example")["Access-Control-Allow-Origin"] == "https://shop.example"
    assert send("https://evil.example").status_code == 403
    assert "Access-Control-Allow-Origin" not in send("https://evil.example")
    preflight = client.options("/v1/t", headers={"Origin": "https://shop.example"})
    assert preflight.status_code == 204
    assert preflight["Access-Control-Allow-Headers"] == "authorization, content-type"
