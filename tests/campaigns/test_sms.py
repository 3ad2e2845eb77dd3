"""Text messages: what each gateway is told, how it fails, what comes back, who may be written to."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook

from campaigns import approvals, delivery, texting, throttling
from campaigns.channels import sms, ways
from campaigns.channels.base import Message, Outcome, Result
from campaigns.channels.outbox import messages
from campaigns.channels.sms import Gateway, SmsChannel
from campaigns.models import Campaign, Delivery, Feedback, Provider, SmsText, Variant
from campaigns.rendering import sms as texts
from privacy import consent, suppression
from privacy.models import Staff, Suppression
from profiles.models import Customer, Segment
from tests import make
from tests.campaigns.http_server import Reply, closed_port, http
from tests.campaigns.sending import Tray
from tests.make import NOW

pytestmark = pytest.mark.django_db

TEXT = "Hi {{ customer.first_name }}, 50% off. Reply STOP to end."
TAKEN = {
    "twilio": Reply(201, {"sid": "SM1", "status": "queued"}),
    "aliyun": Reply(200, {"Code": "OK", "BizId": "9"}),
    "signed": Reply(202, ""),
    "webhook": Reply(204, ""),
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def phone_reader(
    name: str = "ann", phone: str | None = "+8613800138000", **columns: Any
) -> Customer:
    found = make.customer(name, phone=phone, full_name="Ann Lee", locale="en", **columns)
    make.consent(found, "campaign.sms", "sms")
    return found


def campaign(
    name: str = "Texts", text: str = TEXT, *, approved: bool = True, **facts: Any
) -> Campaign:
    make.shop(pk=1, sender_email="shop@shop.test")
    rule = {"combinator": "and", "not": False, "rules": []}
    made = Campaign.objects.create(
        name=name, channel="sms", purpose="campaign.sms", holdout_ppm=0, created_at=NOW,
        segment=Segment.objects.create(name=name, rule=rule, created_at=NOW),
    )  # fmt: skip
    variant = Variant.objects.create(campaign=made, key="A")
    SmsText.objects.create(variant=variant, locale="en", text=text, **facts)
    if approved:
        boss = Staff.objects.filter(username="boss").first() or make.staff(username="boss")
        approvals.approve(made, staff=boss, now=NOW)
    return made


def launched(**facts: Any) -> Campaign:
    made = campaign(**facts)
    delivery.plan(made, NOW)
    approvals.launch(made)
    return made


def gateway(dialect: str, port: int, seconds: float = 1.0) -> Gateway:
    key = SECRET if dialect == "webhook" else "secret"
    url = f"{dialect}+http://key:{key}@127.0.0.1:{port}/path?from=%2B15550001&sign=Shop"
    found = Gateway.from_url(url)
    return Gateway(found.dialect, found.url, found.user, found.secret, found.query, seconds)


def message(key: str = "7", **facts: Any) -> Message:
    told: dict[str, Any] = {
        "recipient": "+8613800138000",
        "content": "50% 优惠, reply STOP".encode(),
    }
    told |= {"reference": f"{'0' * 32}.{key}", "template": "SMS_1", "parameters": {"name": "Ann"}}
    return Message(key, "", **{"date": NOW} | told | facts)


# What gateways are told -----------------------------------------------------------------------


def test_twilio_is_told_number_sender_text_and_where_to_report() -> None:
    with http(TAKEN["twilio"]) as server:
        result = SmsChannel(gateway("twilio", server.port)).send_batch([message()])[0]

    assert result.outcome is Outcome.SENT
    told = {name: value[0] for name, value in parse_qs(server.heard[0].body.decode()).items()}
    assert server.heard[0].path.endswith("/2010-04-01/Accounts/key/Messages.json")
    assert (told["To"], told["From"]) == ("+8613800138000", "+15550001")
    assert told["Body"] == "50% 优惠, reply STOP"
    assert told["StatusCallback"].endswith(f"/sms-events/twilio?ref={'0' * 32}.7")
    assert server.heard[0].headers["Authorization"].startswith("Basic ")


def test_aliyun_is_told_the_registered_text_and_its_parameters_signed() -> None:
    with http(TAKEN["aliyun"]) as server:
        SmsChannel(gateway("aliyun", server.port)).send_batch([message()])

    told = {name: value[0] for name, value in parse_qs(server.heard[0].body.decode()).items()}
    assert (told["PhoneNumbers"], told["SignName"]) == ("13800138000", "Shop")
    assert (told["TemplateCode"], json.loads(told["TemplateParam"])) == ("SMS_1", {"name": "Ann"})
    made = told.pop("Signature")
    assert made == sms.aliyun_signature("POST", told, "secret")


def test_the_signature_is_that_of_aliyuns_published_example() -> None:
    told = {
        "AccessKeyId": "testId", "Action": "SendSms", "Format": "XML", "OutId": "123",
        "PhoneNumbers": "15300000001", "RegionId": "cn-hangzhou", "SignName": "阿里云短信测试专用",
        "SignatureMethod": "HMAC-SHA1", "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466",
        "SignatureVersion": "1.0", "TemplateCode": "SMS_71390007",
        "TemplateParam": '{"customer":"test"}', "Timestamp": "2017-07-12T02:42:19Z",
        "Version": "2017-05-25",
    }  # fmt: skip

    assert sms.aliyun_signature("GET", told, "testSecret") == "zJDF+Lrzhj/ThnlvIToysFRq6t4="


def test_a_webhook_receiver_verifies_what_it_is_told() -> None:
    sent = message(date=timezone.now())
    with http(TAKEN["webhook"]) as server:
        SmsChannel(gateway("webhook", server.port)).send_batch([sent])

    headers = {name.lower(): value for name, value in server.heard[0].headers.items()}
    told: Any = Webhook(SECRET).verify(server.heard[0].body.decode(), headers)
    assert told["type"] == "message.send"
    assert told["data"]["to"] == "+8613800138000"
    assert told["data"]["text"] == "50% 优惠, reply STOP"


def test_a_signed_gateway_can_check_time_nonce_and_body() -> None:
    with http(TAKEN["signed"]) as server:
        SmsChannel(gateway("signed", server.port)).send_batch([message()])

    heard = server.heard[0]
    stamp, nonce = heard.headers["X-Timestamp"], heard.headers["X-Nonce"]
    assert heard.headers["X-Signature"] == sms.signature("secret", stamp, nonce, heard.body)
    assert heard.json["template"] == "SMS_1"


@pytest.mark.parametrize("dialect", sorted(TAKEN))
@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (Reply(429, "", {"Retry-After": "9"}), Outcome.LATER, "429"),
        (Reply(500, "broken"), Outcome.UNKNOWN, "500"),
        (Reply(401, "no"), Outcome.LATER, "login_refused"),
        (Reply(400, "bad"), Outcome.REFUSED, "400"),
        (Reply(302, "", {"Location": "http://127.0.0.1:1/"}), Outcome.UNKNOWN, "302"),
        (Reply(fault="reset"), Outcome.UNKNOWN, "connection_lost"),
        (Reply(fault="hang"), Outcome.UNKNOWN, "connection_lost"),
    ],
)
def test_each_gateway_fails_in_ways_that_are_told_apart(
    dialect: str, reply: Reply, outcome: Outcome, code: str
) -> None:
    with http(reply) as server:
        channel = SmsChannel(gateway(dialect, server.port, 0.2))
        results = channel.send_batch([message("1"), message("2")])

    assert (results[0].outcome, results[0].code) == (outcome, code)
    kept_back = code in {"429", "login_refused"}
    assert len(server.heard) == (1 if kept_back else 2)
    assert results[0].wait_seconds == (9 if code == "429" else 0)


@pytest.mark.parametrize("dialect", sorted(TAKEN))
def test_nobody_listening_keeps_the_whole_batch_back(dialect: str) -> None:
    results = SmsChannel(gateway(dialect, closed_port())).send_batch([message("1"), message("2")])

    assert {(one.outcome, one.code) for one in results} == {(Outcome.LATER, "no_connection")}


@pytest.mark.parametrize(
    ("dialect", "reply", "outcome", "code"),
    [
        ("twilio", Reply(400, {"code": 21211}), Outcome.REFUSED, "no_number 21211"),
        ("aliyun", Reply(200, {"Code": "isv.BUSINESS_LIMIT_CONTROL"}), Outcome.LATER, "429"),
        ("aliyun", Reply(200, {"Code": "isv.MOBILE_NUMBER_ILLEGAL"}), Outcome.REFUSED, "no_number"),
        ("aliyun", Reply(403, {"Code": "SignatureDoesNotMatch"}), Outcome.LATER, "login_refused"),
        ("aliyun", Reply(200, "no json"), Outcome.UNKNOWN, "200"),
        ("twilio", Reply(200, {}), Outcome.UNKNOWN, "200"),
    ],
)
def test_a_gateways_own_codes_are_read(
    dialect: str, reply: Reply, outcome: Outcome, code: str
) -> None:
    with http(reply) as server:
        result = SmsChannel(gateway(dialect, server.port)).send_batch([message()])[0]

    assert (result.outcome, result.code) == (outcome, code)


def test_a_gateway_of_registered_texts_takes_no_other() -> None:
    with http(TAKEN["aliyun"]) as server:
        result = SmsChannel(gateway("aliyun", server.port)).send_batch([message(template="")])[0]

    assert (result.outcome, result.code, server.heard) == (Outcome.REFUSED, "no_template", [])


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("pigeon://a:b@x.test", "must start with"),
        ("twilio://a:b@x.test", "lacks from"),
        ("signed://x.test", "key and secret"),
        ("signed+http://a:b@x.test", "another machine by https"),
    ],
)
def test_an_address_that_is_no_gateway_is_named(url: str, fault: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=fault):
        Gateway.from_url(url)


# A campaign by text message --------------------------------------------------------------------


def test_a_campaign_goes_to_those_who_agreed_to_text_messages_alone() -> None:
    phone_reader("ann")
    phone_reader("no-number", phone=None)
    make.reader("by-mail", phone="+8613800138001")
    refused = phone_reader("bob", phone="+8613800138002")
    made, tray = launched(), Tray()
    consent.record(
        refused.subject, "campaign.sms", "sms", "withdrawn",
        wording="no", source="test", happened_at=NOW, now=NOW,
    )  # fmt: skip

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == ["+8613800138000"]
    assert tray.taken[0].content.decode() == "Hi Ann, 50% off. Reply STOP to end."
    assert dict(made.deliveries.values_list("customer__external_id", "state")) == {
        "ann": "sent", "bob": "skipped",
    }  # fmt: skip
    assert made.deliveries.get(state="skipped").reason == "no_consent"


def test_without_a_gateway_texts_lie_in_the_outbox(settings: Any, tmp_path: Any) -> None:
    settings.SMS_URL, settings.OUTBOX_DIR = "", tmp_path
    phone_reader()
    launched()

    delivery.send_due(NOW)

    (shown,) = messages(tmp_path)
    assert shown.recipient == "+8613800138000"
    assert shown.subject.startswith("SMS: Hi Ann")


def test_channels_have_rates_of_their_own(settings: Any) -> None:
    settings.SMS_URL = "signed://key:secret@sms.test/?sign=Shop"
    phone_reader()
    make.reader("eve")
    launched()
    Provider.objects.create(name=ways.provider("sms"), per_minute=1, tokens=0, refilled_at=NOW)
    mails, tray = make.written_campaign("Mails"), Tray()
    delivery.plan(mails, NOW)
    approvals.launch(mails)

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == ["eve@example.com"]
    assert throttling.limit(NOW, channel="sms") is not None
    assert throttling.limit(NOW) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Hi {{ customer.first_name }}", "no_way_to_stop"),
        ("Hi {{ customer.phone }} STOP", "unknown_variable"),
        ("{% for x in (1..1000000000) %}a{% endfor %} STOP", "endless_loop"),
        ("a" * 1_601 + " STOP", "too_long"),
    ],
)
def test_what_is_wrong_with_a_text_is_said_before_approval(text: str, code: str) -> None:
    made = campaign(text=text, approved=False)

    assert code in {fault.code for fault in texting.faults(made, now=NOW)}


def test_an_edited_text_needs_a_new_approval() -> None:
    phone_reader()
    made = launched()
    SmsText.objects.update(text=TEXT + "!")

    delivery.send_due(NOW, channel=Tray())

    made.refresh_from_db()
    assert (made.status, made.pause_reason) == ("paused", "message_changed")


@pytest.mark.parametrize(
    ("text", "is_unicode", "n_units", "n_parts", "n_left"),
    [
        ("", False, 0, 0, 160),
        ("a" * 160, False, 160, 1, 0),
        ("a" * 161, False, 161, 2, 145),
        ("€" * 80, False, 160, 1, 0),
        ("€" * 81, False, 162, 2, 144),
        ("优" * 70, True, 70, 1, 0),
        ("优" * 71, True, 71, 2, 63),
        ("😀" * 35, True, 70, 1, 0),
        ("a" * 70 + "优", True, 71, 2, 63),
    ],
)
def test_a_text_is_as_long_as_the_network_says(
    text: str,
    *,
    is_unicode: bool,
    n_units: int,
    n_parts: int,
    n_left: int,
) -> None:
    assert texts.size(text) == texts.Size(is_unicode, n_units, n_parts, n_left)


# What comes back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "is_stop"),
    [
        ("STOP", True), (" stop. ", True), ("TD", True), ("td", True), ("退订", True), ("T", True),
        ("“退订”。", True), ("Stop all", True),
        ("please stop by tomorrow", False), ("TD-SCDMA", False), ("谢谢", False), ("", False),
    ],
)  # fmt: skip
def test_only_a_whole_answer_asks_to_stop(text: str, is_stop: bool) -> None:  # noqa: FBT001
    assert texts.is_stop(text) == is_stop


def twilio(client: Client, form: dict[str, str], *, token: str = "", query: str = "") -> int:
    path = f"/sms-events/twilio{query}"
    made = sms.twilio_signature(token or "secret", f"http://127.0.0.1:8000{path}", form)
    return client.post(path, form, headers={"X-Twilio-Signature": made}).status_code


@pytest.fixture
def by_twilio(settings: Any) -> None:
    settings.SMS_URL = "twilio://key:secret@api.test?from=%2B1555"


@pytest.mark.usefixtures("by_twilio")
def test_an_answer_to_stop_suppresses_the_number_and_ends_the_consent(client: Client) -> None:
    reader = phone_reader()

    for _ in range(2):
        assert twilio(client, {"From": "+8613800138000", "Body": "退订", "MessageSid": "1"}) == 200

    assert suppression.is_suppressed("sms", "+8613800138000")
    assert Suppression.objects.get().reason == "unsubscribed"
    assert not consent.is_in_force(reader.subject, "campaign.sms", "sms")


@pytest.mark.usefixtures("by_twilio")
def test_an_answer_that_nobody_signed_or_that_says_else_changes_nothing(client: Client) -> None:
    phone_reader()
    form = {"From": "+8613800138000", "Body": "STOP", "MessageSid": "1"}

    assert twilio(client, form, token="wrong") == 403
    assert twilio(client, form | {"Body": "Thanks!"}) == 200
    assert client.post("/sms-events/signed", {}).status_code == 404
    assert client.get("/sms-events/twilio").status_code == 405
    assert not Suppression.objects.exists()


@pytest.mark.usefixtures("by_twilio")
@pytest.mark.parametrize(
    ("status", "code", "kind", "state"),
    [
        ("delivered", "", "delivered", "sent"),
        ("undelivered", "30003", "soft", "failed"),
        ("undelivered", "30005", "hard", "failed"),
    ],
)
def test_a_status_reconciles_an_unknown_message(
    client: Client, status: str, code: str, kind: str, state: str
) -> None:
    made = campaign()
    Campaign.objects.update(status="planned", planned_at=NOW)
    row = make.delivery(made, phone_reader(), state="unknown")
    form = {"MessageStatus": status, "ErrorCode": code, "MessageSid": "SM1"}

    assert twilio(client, form, query=f"?ref={made.uuid.hex}.{row.pk}") == 200

    row.refresh_from_db()
    assert (row.state, Feedback.objects.get().kind) == (state, kind)
    assert suppression.is_suppressed("sms", "+8613800138000") == (kind == "hard")


def test_a_signed_gateway_passes_on_answers_but_no_old_ones(client: Client, settings: Any) -> None:
    settings.SMS_URL = "signed://key:secret@sms.test/?sign=Shop"
    phone_reader()
    body = json.dumps({"answers": [{"from": "+8613800138000", "text": "TD"}]})

    def call(stamp: int) -> int:
        marks = {
            "X-Timestamp": str(stamp), "X-Nonce": "n",
            "X-Signature": sms.signature("secret", str(stamp), "n", body.encode()),
        }  # fmt: skip
        path = "/sms-events/signed"
        return client.post(path, body, content_type="application/json", headers=marks).status_code

    now = timezone.now()
    assert call(int((now - timedelta(hours=1)).timestamp())) == 403
    assert not Suppression.objects.exists()
    assert call(int(now.timestamp())) == 200
    assert suppression.is_suppressed("sms", "+8613800138000")


def test_a_number_that_is_none_is_never_written_to_again() -> None:
    phone_reader()
    launched()
    answer = Result("", Outcome.REFUSED, "no_number")

    delivery.send_due(NOW, channel=Tray({"+8613800138000": answer}))

    assert Delivery.objects.get().state == "failed"
    assert suppression.is_suppressed("sms", "+8613800138000")


# Pages -----------------------------------------------------------------------------------------


def test_a_marketer_makes_a_text_campaign_and_sees_its_length(client: Client) -> None:
    make.shop(pk=1)
    segment = Segment.objects.create(
        name="All", rule={"combinator": "and", "not": False, "rules": []}, created_at=NOW
    )
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    client.post("/admin/campaigns/campaign/add/", {
        "name": "Texts", "goal": "sell", "segment": segment.pk, "holdout": "10", "attribution_days": "30",
        "message_cost": "0.05", "fixed_cost_minor": "0", "first_percent": "0", "by": "sms",
    })  # fmt: skip
    made = Campaign.objects.get()
    assert (made.channel, made.purpose) == ("sms", "campaign.sms")
    page = f"/admin/campaigns/campaign/{made.pk}/message/"
    assert SmsText.objects.filter(variant__campaign=made).count() == 4

    shown = client.get(page).content.decode()
    assert "Reply STOP" in shown
    texts_of = {f"{key}-{locale}-text": "" for key in "AB" for locale in ("en", "zh-hans")}
    given = texts_of | {
        "A-en-text": "优" * 71 + "STOP",
        "A-en-lines": "name = {{ customer.first_name }}",
    }
    assert client.post(page, given | {"B-en-lines": "no pair"}).status_code == 200
    assert client.post(page, given).status_code == 302

    assert SmsText.objects.get().parameters == {"name": "{{ customer.first_name }}"}
    assert "Characters as saved: 75, parts: 2," in client.get(page).content.decode()


def test_a_text_is_looked_at_as_a_customer_would_get_it_and_no_markup_of_it_counts(
    client: Client,
) -> None:
    phone_reader()
    made = campaign(text="Hi {{ customer.first_name }} <b>50%</b> off. Reply STOP to end.")
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    page = f"/admin/campaigns/campaign/{made.pk}/message/"

    assert 'id="preview-frame"' in client.get(page).content.decode()
    answer = client.get(f"{page}preview/", {"variant": "A", "customer": "ann"})

    assert "Hi A*** &lt;b&gt;50%&lt;/b&gt; off." in answer.content.decode()
    review = f"/admin/campaigns/campaign/{made.pk}/steps/review/"
    assert "were not checked yet" in client.get(review).content.decode()
    assert "sandbox" in answer["Content-Security-Policy"]
