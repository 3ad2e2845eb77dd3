"""E-mail over a provider's API: what it takes, how it fails, and what it reports back."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64encode
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from campaigns import delivery, throttling
from campaigns.channels import email
from campaigns.channels.base import Outcome, Result
from campaigns.channels.esp import EspChannel
from campaigns.composing import message_id
from campaigns.models import Delivery, Feedback, Provider
from config.mail import anymail
from privacy.models import Suppression
from tests import make
from tests.campaigns.http_server import Reply, closed_port, http
from tests.campaigns.sending import Tray, launched
from tests.make import NOW

pytestmark = pytest.mark.django_db

TAKEN = Reply(body={"ErrorCode": 0, "Message": "OK", "To": "ann@example.com", "MessageID": "m"})


def use(settings: Any, name: str, *pairs: str) -> None:
    settings.MAIL_ESP, settings.ANYMAIL = name, anymail(name, pairs)


def use_postmark(settings: Any, url: str) -> None:
    use(settings, "postmark", "server_token=t", f"api_url={url}", "webhook_secret=me:secret")
    settings.ANYMAIL["REQUESTS_TIMEOUT"] = 0.4


def three_messages() -> Tray:
    for name in ("ann", "bob", "eve"):
        make.reader(name)
    launched()
    tray = Tray()
    delivery.send_due(NOW, channel=tray)
    return tray


def test_a_message_goes_over_the_api_with_its_links_and_headers(settings: Any) -> None:
    tray = three_messages()
    with http(TAKEN) as server:
        use_postmark(settings, server.url)
        results = email.channel().send_batch(tray.taken[:1])

    assert results == [Result(tray.taken[0].key, Outcome.SENT, "250")]
    told = server.heard[0].json
    row = Delivery.objects.get(pk=tray.taken[0].key)
    assert told["To"] == tray.taken[0].recipient
    assert f"/u/{row.token}" in told["HtmlBody"]
    headers = {one["Name"]: one["Value"] for one in told["Headers"]}
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"/u/{row.token}" in headers["List-Unsubscribe"]
    assert told["Metadata"] == {"message_ref": message_id(row.campaign, row.pk)}
    assert (told["TrackOpens"], told["TrackLinks"]) == (False, "None")


@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (Reply(500, "broken"), Outcome.UNKNOWN, "500"),
        (Reply(401, "no"), Outcome.LATER, "login_refused"),
        (Reply(429, "slow", {"Retry-After": "7"}), Outcome.LATER, "429"),
        (Reply(503, "busy"), Outcome.LATER, "503"),
        (Reply(422, {"ErrorCode": 300, "Message": "Invalid"}), Outcome.REFUSED, "422"),
        (Reply(fault="reset"), Outcome.UNKNOWN, "connection_lost"),
        (Reply(fault="hang"), Outcome.UNKNOWN, "connection_lost"),
        (Reply(200, "this is no JSON"), Outcome.UNKNOWN, "200"),
        (
            Reply(body={"ErrorCode": 0, "Message": "OK", "To": "x", "MessageID": "m"}),
            Outcome.UNKNOWN,
            "provider_unclear",
        ),
    ],
)
def test_each_way_to_fail_is_told_apart(
    settings: Any, reply: Reply, outcome: Outcome, code: str
) -> None:
    tray = three_messages()
    with http(reply) as server:
        use_postmark(settings, server.url)
        result = EspChannel("postmark").send_batch(tray.taken[:1])[0]

    assert (result.outcome, result.code) == (outcome, code)


def test_nobody_listening_means_surely_not_sent(settings: Any) -> None:
    tray = three_messages()
    use_postmark(settings, f"http://127.0.0.1:{closed_port()}/")

    result = EspChannel("postmark").send_batch(tray.taken[:1])[0]

    assert (result.outcome, result.code) == (Outcome.LATER, "no_connection")


def test_a_provider_that_asks_to_wait_is_left_alone_that_long(settings: Any) -> None:
    tray = three_messages()
    with http(Reply(429, "slow", {"Retry-After": "90"})) as server:
        use_postmark(settings, server.url)
        results = EspChannel("postmark").send_batch(tray.taken)
        assert throttling.allowance(1, NOW) == 1
        assert not throttling.report(results, NOW)

    assert len(server.heard) == 1
    assert {result.outcome for result in results} == {Outcome.LATER}
    closed = Provider.objects.get(name="postmark")
    assert (closed.opened_until - NOW).total_seconds() == 90  # type: ignore[operator]


@pytest.mark.parametrize("given", ["token", "=x", "a b=c"])
def test_settings_that_are_none_are_named(given: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="part 1 of MAIL_ESP_SETTINGS"):
        anymail("postmark", [given])
    with pytest.raises(ImproperlyConfigured, match="must be one of brevo"):
        anymail("pigeon", [])


def test_without_its_credentials_a_provider_takes_nothing(settings: Any) -> None:
    tray = three_messages()
    use(settings, "postmark")

    results = EspChannel("postmark").send_batch(tray.taken)

    assert {(one.outcome, one.code) for one in results} == {(Outcome.LATER, "login_refused")}


# What providers report -----------------------------------------------------------------------


def sent(state: str = "sent") -> Delivery:
    return make.delivery(make.campaign(), make.reader("ann"), state=state, token="t" * 43)


def postmark_bounce(row: Delivery, kind: str, code: str) -> dict[str, Any]:
    return {
        "RecordType": "Bounce", "ID": 42, "Type": kind, "MessageID": "m", "Email": "ann@example.com",
        "BouncedAt": "2026-03-02T09:05:00Z", "Description": f"smtp; {code}", "Details": code,
        "Metadata": {"message_ref": message_id(row.campaign, row.pk)},
    }  # fmt: skip


def tell(client: Client, body: Any, *, provider: str = "postmark", login: str = "me:secret") -> int:
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
    path = f"/mail-events/{provider}"
    told = json.dumps(body) if not isinstance(body, str) else body
    return client.post(path, told, content_type="application/json", headers=headers).status_code


@pytest.mark.parametrize(
    ("kind", "words", "expected"),
    [
        ("HardBounce", "550 5.1.1 no such user", "hard"),
        ("HardBounce", "address is gone", "hard"),
        ("SoftBounce", "552 5.2.2 full", "soft"),
        ("SoftBounce", "not now", "soft"),
        ("SpamComplaint", "", "complaint"),
        ("Blocked", "554 5.7.1 policy", "blocked"),
    ],
)
def test_a_providers_report_has_its_effect(
    client: Client, settings: Any, kind: str, words: str, expected: str
) -> None:
    use_postmark(settings, "http://127.0.0.1:9")
    row = sent()

    for _ in range(2):
        assert tell(client, postmark_bounce(row, kind, words)) == 200

    assert Feedback.objects.get().kind == expected
    assert Suppression.objects.exists() == (expected in {"hard", "complaint"})


def test_a_report_that_is_not_genuine_has_no_effect(client: Client, settings: Any) -> None:
    use_postmark(settings, "http://127.0.0.1:9")
    body = postmark_bounce(sent(), "HardBounce", "5.1.1")

    assert tell(client, body, login="me:wrong") == 403
    assert tell(client, body, login="") == 403
    assert tell(client, body, provider="mailgun") == 404
    assert tell(client, "no json") == 400
    assert tell(client, ["no", "event"]) == 400
    assert client.get("/mail-events/postmark").status_code == 405
    assert client.head("/mail-events/postmark").status_code == 200
    assert not Feedback.objects.exists()


def test_reports_that_anybody_could_make_are_refused(client: Client, settings: Any) -> None:
    use(settings, "postmark", "server_token=t")

    with pytest.warns(match="insecure"):
        assert tell(client, postmark_bounce(sent(), "HardBounce", "5.1.1"), login="") == 403

    assert not Feedback.objects.exists()


def test_without_a_provider_nobody_may_report(client: Client, settings: Any) -> None:
    settings.MAIL_ESP = ""

    assert tell(client, {}) == 404


def test_a_signed_delivery_reconciles_what_was_unknown(client: Client, settings: Any) -> None:
    use(settings, "mailgun", "api_key=k", "webhook_signing_key=s", "sender_domain=shop.test")
    row = sent("unknown")
    stamp = str(int(time.time()))

    def body(key: bytes) -> dict[str, Any]:
        made = hmac.new(key, f"{stamp}abc".encode(), hashlib.sha256).hexdigest()
        return {
            "signature": {"timestamp": stamp, "token": "abc", "signature": made},
            "event-data": {
                "event": "delivered", "timestamp": NOW.timestamp(), "recipient": "ann@example.com",
                "message": {"headers": {"message-id": message_id(row.campaign, row.pk)[1:-1]}},
                "user-variables": {},
            },
        }  # fmt: skip

    assert tell(client, body(b"wrong"), provider="mailgun", login="") == 403
    row.refresh_from_db()
    assert row.state == "unknown"
    assert tell(client, body(b"s"), provider="mailgun", login="") == 200
    row.refresh_from_db()
    assert (row.state, row.sent_at) == ("sent", NOW)
