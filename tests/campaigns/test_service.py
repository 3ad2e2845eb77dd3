"""Transactional messages and campaigns by API: once a call, at least once sent, fate readable."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from campaigns import coupons, delivery, service
from campaigns.channels.base import Outcome, Result
from campaigns.models import Campaign, Coupon, Delivery
from privacy import doors, suppression
from privacy.models import AuditEntry, Suppression, Topic, WebhookMessage
from privacy.problems import DomainError
from tests import make
from tests.campaigns.sending import Tray, body, launched, parsed
from tests.make import NOW

pytestmark = pytest.mark.django_db
State = Delivery.State
DATA = {"order_number": "1007", "order_url": "https://shop.test/o/1007"}


@pytest.fixture
def api() -> dict[str, str]:
    key = make.secret_key(doors.SCOPES)
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def confirmation() -> Campaign:
    make.shop(sender_email="shop@shop.test", sender_name="Shop")
    boss = make.staff(username="boss")
    made = service.create("confirmed", "C", starter="order_confirmation", staff=boss, now=NOW)
    service.switch_on(made, staff=boss, now=NOW)
    return made


def post(path: str, data: Any, api: dict[str, str], **headers: str) -> Any:
    return Client().post(
        f"/v1/{path}", data, content_type="application/json", headers={**api, **headers}
    )


def call(api: dict[str, str], *, data: Any = DATA, to: str = "ann", **headers: str) -> Any:
    asked = {"template": "confirmed", "customerId": to, "data": data}
    return post("messages", asked, api, **headers)


def test_a_message_goes_to_who_agreed_to_no_advertising(
    api: dict[str, str], confirmation: Campaign
) -> None:
    ann = make.customer("ann", email="ann@example.com", locale="en")
    tag = ann.email_suppression_tag
    assert tag is not None
    suppression.suppress_tag("email", bytes(tag), reason=Suppression.Reason.UNSUBSCRIBED, now=NOW)

    answer = call(api)
    tray = Tray()
    delivery.send_due(NOW + timedelta(days=999), channel=tray)

    assert answer.status_code == 202
    assert parsed(tray.taken[0])["Subject"] == "Your order 1007"
    assert parsed(tray.taken[0])["List-Unsubscribe"] is None
    assert 'href="https://shop.test/o/1007"' in body(tray.taken[0])
    assert "/o/" not in body(tray.taken[0]).replace("shop.test/o/", "")
    told = Client().get(answer["Location"], headers=api).json()
    assert (told["state"], told["customerId"], told["template"]) == ("sent", "ann", "confirmed")
    confirmation.refresh_from_db()
    assert confirmation.status == Campaign.Status.SENDING


@pytest.mark.usefixtures("confirmation")
def test_what_it_is_about_is_sealed_and_opened_in_one_audited_act(api: dict[str, str]) -> None:
    make.customer("ann", email="ann@example.com")
    call(api)
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM campaigns_servicemessage")
        (stored,) = cursor.fetchone()
    assert len(stored) > 50
    assert b"1007" not in bytes(stored)
    delivery.send_due(NOW + timedelta(days=999), channel=Tray())
    assert AuditEntry.objects.filter(purpose="service.email").exists()


@pytest.mark.usefixtures("confirmation")
def test_a_repeated_call_sends_nothing_a_second_time(api: dict[str, str]) -> None:
    make.customer("ann", email="ann@example.com")

    first = call(api, **{"Idempotency-Key": "order-1007"})
    again = call(api, **{"Idempotency-Key": "order-1007"})
    kept = service.ask("confirmed", "ann", data=DATA, once="x", now=NOW)

    assert first.json()["id"] == again.json()["id"]
    assert service.ask("confirmed", "ann", data=DATA, once="x", now=NOW) == kept
    assert Delivery.objects.count() == 2


@pytest.mark.usefixtures("confirmation")
def test_a_message_whose_fate_is_unknown_goes_out_again_under_the_same_id(
    api: dict[str, str],
) -> None:
    make.customer("ann", email="ann@example.com")
    call(api)
    late = NOW + timedelta(days=999)
    lost = Tray({"ann@example.com": Result("", Outcome.UNKNOWN, "timeout")})
    delivery.send_due(late, channel=lost)
    assert Delivery.objects.get().state == State.PLANNED

    tray = Tray()
    delivery.send_due(late + timedelta(hours=1), channel=tray)
    Delivery.objects.update(state=State.SENDING, lease_until=late)
    delivery.recover(late + timedelta(hours=2))

    ids = {parsed(message)["Message-ID"] for message in (*lost.taken, *tray.taken)}
    assert len(ids) == 1
    assert Delivery.objects.get().state == State.PLANNED


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"template": "none"}, 404, "message_unknown"),
        ({"customerId": "nobody"}, 404, "customer_unknown"),
        ({"data": {}}, 400, "template_fault"),
        ({"data": {"order_number": "x" * 20_000, "order_url": ""}}, 400, "data_too_large"),
        ({"data": {"order_url": "", "order_number": [[[[[["deep"]]]]]]}}, 400, "data_too_large"),
    ],
)
@pytest.mark.usefixtures("confirmation")
def test_a_call_that_cannot_be_is_refused_and_says_why(
    api: dict[str, str], change: dict[str, Any], status: int, code: str
) -> None:
    make.customer("ann", email="ann@example.com")

    answer = post(
        "messages", {"template": "confirmed", "customerId": "ann", "data": DATA} | change, api
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Delivery.objects.exists()


def test_a_message_that_is_off_takes_no_calls(api: dict[str, str], confirmation: Campaign) -> None:
    make.customer("ann", email="ann@example.com")
    service.switch_off(confirmation)

    assert call(api).json()["code"] == "message_off"


def test_webhooks_hear_of_each_step_by_ids_alone(
    api: dict[str, str], confirmation: Campaign
) -> None:
    make.webhook(events=["message.sent", "message.skipped", "customer.erased"])
    make.customer("ann", email="ann@example.com")
    make.customer("ben")
    asked = call(api).json()["id"]
    call(api, to="ben")

    delivery.send_due(NOW + timedelta(days=999), channel=Tray())

    told = {message.type: message.data for message in WebhookMessage.objects.all()}
    assert told["message.sent"] == {
        "deliveryId": str(Delivery.objects.get(customer__external_id="ann").pk),
        "messageId": asked,
        "campaignId": str(confirmation.uuid),
        "kind": "transactional",
        "channel": "email",
        "reason": "",
        "customerId": "ann",
    }
    assert told["message.skipped"]["reason"] == "no_address"


def test_a_campaign_made_by_api_is_a_draft_that_a_person_approves(api: dict[str, str]) -> None:
    segment = make.campaign("Old").segment
    asked = {"name": "June", "segmentId": str(segment.uuid), "starter": "sale", "holdout": 0.2}

    made = post("campaigns", asked, api).json()
    told = Client().get(f"/v1/campaigns/{made['id']}", headers=api).json()
    refused = post(f"campaigns/{made['id']}/schedule", {}, api)

    assert (told["status"], told["holdout"], told["deliveries"]) == ("draft", 0.2, {})
    assert refused.json()["code"] == "wrong_status"
    assert len(Client().get("/v1/campaigns", headers=api).json()["data"]) == 2


def test_an_api_campaign_has_a_goal_a_channel_a_topic_and_marks(api: dict[str, str]) -> None:
    segment = make.campaign("Old").segment
    Topic.objects.create(key="news", titles={"en": "News"})
    asked = {
        "name": "July",
        "segmentId": str(segment.uuid),
        "goal": "bring_back",
        "channel": "sms",
        "topic": "news",
        "utm": {"medium": "text"},
        "marksLinks": True,
    }

    made = post("campaigns", asked, api).json()

    kept = Campaign.objects.get(uuid=made["id"])
    assert {name: made[name] for name in ("goal", "channel", "topic", "marksLinks")} == {
        "goal": "bring_back",
        "channel": "sms",
        "topic": "news",
        "marksLinks": True,
    }
    assert made["utm"] == {"source": "", "medium": "text", "campaign": "", "content": ""}
    assert (kept.purpose, kept.utm_medium) == ("campaign.sms", "text")
    assert [one.sms_texts.count() for one in kept.variants.all()] == [2, 2]
    report = Client().get(f"/v1/campaigns/{made['id']}/report", headers=api).json()
    assert report["judgedBy"] == "buyers"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"goal": "win"}, "/goal"), ({"channel": "fax"}, "/channel"), ({"topic": "none"}, "/topic"),
     ({"utm": {"medium": 7}}, "/utm/medium"), ({"holdout": "nan"}, "/holdout"),
     ({"holdout": 0.6}, "/holdout")],
)  # fmt: skip
def test_an_api_campaign_that_cannot_be_names_its_field(
    api: dict[str, str], wrong: dict[str, Any], field: str
) -> None:
    segment = make.campaign("Old").segment

    answer = post("campaigns", {"name": "July", "segmentId": str(segment.uuid), **wrong}, api)

    assert answer.status_code == 400
    assert [one["pointer"] for one in answer.json()["errors"]] == [field]
    assert not Campaign.objects.filter(name="July").exists()


def test_a_campaigns_report_and_deliveries_can_be_read_and_its_verbs_called(
    api: dict[str, str],
) -> None:
    make.reader("ann")
    campaign = launched(holdout_ppm=0)
    path = f"campaigns/{campaign.uuid}"

    assert post(f"{path}/pause", {}, api).json()["status"] == "paused"
    assert post(f"{path}/resume", {}, api).json()["status"] == "sending"
    rows = Client().get(f"/v1/{path}/deliveries", headers=api).json()["data"]
    report = Client().get(f"/v1/{path}/report", headers=api).json()
    assert [(row["customerId"], row["arm"], row["state"]) for row in rows] == [
        ("ann", "A", "planned")
    ]
    assert report["arms"][0]["customers"] == 1
    assert set(report["words"]) == {"en", "zh-hans"}
    assert post(f"{path}/cancel", {}, api).json()["status"] == "cancelled"


def test_each_reader_gets_a_code_of_their_own_that_is_good_for_one_order(
    api: dict[str, str],
) -> None:
    make.reader("ann")
    make.reader("ben")
    tray = Tray()
    text = make.MESSAGE.replace("Go<", "{{ coupon.code }}<")
    launched(body=text)
    delivery.send_due(NOW, channel=tray)

    codes = list(Coupon.objects.values_list("code", flat=True))
    assert len(set(codes)) == 2
    assert all(any(code in body(message) for message in tray.taken) for code in codes)
    path = f"coupons/{codes[0].lower()}"
    assert post(f"{path}/validate", {}, api).json()["isValid"] is True
    assert post(f"{path}/redeem", {"orderId": "o1"}, api).json()["isValid"] is False
    assert post(f"{path}/redeem", {"orderId": "o1"}, api).status_code == 200
    assert post(f"{path}/redeem", {"orderId": "o2"}, api).json()["code"] == "coupon_used"
    with pytest.raises(DomainError):
        coupons.find("none")


def test_the_page_makes_switches_on_and_off(client: Client) -> None:
    make.shop(sender_email="shop@shop.test")
    client.force_login(make.staff(username="boss"))
    page = "/admin/campaigns/campaign/transactional/"

    client.post(page, {"name": "Shipped", "key": "shipped"})
    made = Campaign.objects.get(key="shipped")
    client.post(f"{page}{made.pk}/do/on/")
    assert Campaign.objects.get().status == "sending"
    assert "shipped" in client.get(page).content.decode()
    client.post(f"{page}{made.pk}/do/off/")
    assert Campaign.objects.get().status == "draft"
