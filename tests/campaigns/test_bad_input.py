"""What goes wrong by what people give: each is told in clear words and harms nobody."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from campaigns import approvals, delivery, service
from campaigns.models import Campaign, Delivery
from privacy import doors
from privacy.crypto.blind_index import NotAnAddressError
from privacy.problems import DomainError
from profiles.models import Customer
from tests import make
from tests.campaigns.sending import Tray, launched, withdraw
from tests.make import NOW

pytestmark = pytest.mark.django_db
Status, State = Campaign.Status, Delivery.State


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(make.staff(username="boss2"))
    return client


def review(browser: Client, campaign: Campaign) -> str:
    url = f"/admin/campaigns/campaign/{campaign.pk}/steps/review/"
    return browser.get(url).content.decode()


def test_an_empty_audience_is_told_before_the_start_and_ends_by_itself(browser: Client) -> None:
    campaign = make.written_campaign()
    assert "Nobody is in the audience now" in review(browser, campaign)
    withdraw(make.reader())
    assert "Nobody in the audience can be reached now" in review(browser, campaign)
    make.reader("ann")
    assert "Nobody" not in review(browser, campaign)
    withdraw(Customer.objects.get(external_id="ann"))

    assert delivery.plan(campaign, NOW) == 0
    approvals.launch(campaign)
    delivery.send_due(NOW, channel=Tray())

    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == (Status.FINISHED, {})


def test_an_audience_that_vanishes_between_plan_and_send_is_skipped_and_says_why(
    browser: Client,
) -> None:
    for _ in range(3):
        make.reader()
    campaign, tray = launched(), Tray()
    for reader in Customer.objects.all():
        withdraw(reader)

    delivery.send_due(NOW, channel=tray)

    campaign.refresh_from_db()
    assert (tray.taken, campaign.status) == ([], Status.FINISHED)
    assert campaign.counts() == {State.SKIPPED: 3}
    shown = browser.get(f"/admin/campaigns/campaign/{campaign.pk}/deliveries/")
    assert "There is no consent for this purpose on this channel." in shown.content.decode()


def test_an_unknown_merge_field_is_named_with_its_place_and_bars_the_campaign(
    browser: Client,
) -> None:
    campaign = make.written_campaign(
        body="<p>\n{{ customer.frist_name }}</p>{{ unsubscribe_url }}", approved=False
    )

    with pytest.raises(DomainError) as told:
        approvals.approve(campaign, staff=make.staff(username="second"), now=NOW)

    assert [(one.code, one.pointer) for one in told.value.errors] == [
        ("unknown_variable", "/variants/A/templates/en/body_html")
    ]
    assert told.value.errors[0].detail == "Line 2: There is no variable “customer.frist_name”."
    assert "There is no variable “customer.frist_name”." in review(browser, campaign)


def test_a_budget_too_small_for_one_message_is_told_before_the_start(browser: Client) -> None:
    campaign = make.written_campaign(
        approved=False, budget_minor=100, fixed_cost_minor=100, cost_per_message_micros=1
    )

    assert "The budget does not pay for one message" in review(browser, campaign)


@pytest.mark.parametrize(
    ("address", "mailed_to"),
    [
        ("ann@例子.中国", "ann@xn--fsqu00a.xn--fiqs8s"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("张@example.com", None),
        ("a@" + ".".join(["x" * 60] * 4) + ".com", "whole"),
    ],
)
def test_an_address_that_cannot_be_mailed_is_skipped_with_the_reason(
    address: str, mailed_to: str | None
) -> None:
    make.reader("odd", email=address)
    make.reader("ann")
    launched()
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    expected = {"ann@example.com"} | ({address if mailed_to == "whole" else mailed_to} - {None})
    assert set(tray.recipients) == expected
    row = Delivery.objects.get(customer__external_id="odd")
    assert (row.state, row.reason) == (
        (State.SENT, "") if mailed_to else (State.SKIPPED, "no_address")
    )


@pytest.mark.parametrize(
    "address",
    [
        '"ann lee"@example.com',
        "ann@example.com, ben@example.com",
        "abcdefg@" + ".".join(["x" * 60] * 4) + ".com",
        "a" * 65 + "@example.com",
        "ann@example.com\r\nBcc: all@evil.test",
    ],
)
def test_what_is_no_address_does_not_come_in_and_says_what_one_looks_like(address: str) -> None:
    with pytest.raises(NotAnAddressError, match=r"it reads name@example\.com"):
        make.reader("odd", email=address)


@pytest.mark.parametrize("files", [["AAAA"], [{"name": "invoice.pdf", "content": "A" * 1000}]])
def test_a_message_with_attachments_is_refused_and_not_sent_without_them(files: Any) -> None:
    make.shop(sender_email="shop@shop.test", sender_name="Shop")
    boss = make.staff(username="boss")
    made = service.create("confirmed", "C", starter="order_confirmation", staff=boss, now=NOW)
    service.switch_on(made, staff=boss, now=NOW)
    make.customer("ann", email="ann@example.com")
    asked = {"template": "confirmed", "customerId": "ann", "attachments": files}

    answer = Client().post(
        "/v1/messages",
        asked | {"data": {"order_number": "1", "order_url": "https://shop.test/1"}},
        content_type="application/json",
        headers={"authorization": f"Bearer {make.secret_key(doors.SCOPES)}"},
    )

    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "/attachments"
    assert fault["detail"] == "Messages take no attachments; put a link to the file into data."
    assert not Delivery.objects.exists()
