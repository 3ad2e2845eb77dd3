"""Looking at a message before it goes out: preview and test send."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from campaigns import looking
from campaigns.channels.outbox import messages
from campaigns.models import Delivery, Link
from privacy.models import AuditEntry, Staff
from privacy.problems import DomainError
from privacy.throttling import TooManyError
from tests import make
from tests.campaigns.http_server import closed_port
from tests.campaigns.sending import Tray, parsed
from tests.campaigns.test_sms import campaign as sms_campaign
from tests.campaigns.test_sms import phone_reader
from tests.make import NOW

pytestmark = pytest.mark.django_db
BOSS = "boss@shop.test"
LINKED = "Hi {{ customer.first_name }}: https://shop.test/tv Reply STOP to end."


def staff_address() -> Staff:
    boss = make.staff(username="tester")
    Staff.objects.filter(pk=boss.pk).update(email=BOSS)
    return Staff.objects.get(pk=boss.pk)


def test_a_preview_is_what_the_reader_would_get_with_the_name_masked() -> None:
    wei = make.reader("wei", locale="zh-CN", full_name="张伟")
    campaign = make.written_campaign(locales=["en", "zh-hans"])
    variant = campaign.variants.get()

    shown = looking.preview(campaign, variant, wei, NOW)

    assert (shown.locale, shown.subject) == ("zh-hans", "Hello A zh-hans")
    assert "张伟" not in shown.html
    assert str(wei.full_name) in shown.html
    assert 'href="https://shop.test/zh-hans"' in shown.html


def test_a_test_goes_to_staff_and_changes_nothing() -> None:
    make.reader()
    campaign, tray = make.written_campaign(), Tray()
    staff_address()

    looking.send_test(
        campaign,
        campaign.variants.get(),
        "en",
        "boss@shop.test",
        NOW,
        actor="staff:1",
        channel=tray,
    )

    assert tray.recipients == ["boss@shop.test"]
    assert parsed(tray.taken[0])["Subject"] == "[Test] Hello A en"
    assert not Link.objects.exists()
    assert not Delivery.objects.exists()
    line = AuditEntry.objects.get(action="campaign.tested")
    assert (line.actor, line.reason) == ("staff:1", f"campaign {campaign.uuid}")


def test_an_address_gets_thirty_tests_an_hour() -> None:
    campaign, tray = make.written_campaign(), Tray()
    staff_address()
    variant = campaign.variants.get()

    def ask(at: datetime) -> None:
        looking.send_test(campaign, variant, "en", BOSS, at, actor="staff:1", channel=tray)

    for _n in range(looking.A_HOUR.n):
        ask(NOW)
    with pytest.raises(TooManyError):
        ask(NOW)
    assert len(tray.taken) == looking.A_HOUR.n
    ask(NOW + timedelta(hours=2))


# Texts ------------------------------------------------------------------------------------------


def test_a_test_of_a_text_goes_to_the_telephone_of_the_customer_who_has_the_address() -> None:
    staff_address()
    phone_reader(email=BOSS)
    phone_reader("bob", phone="+8613800138001")
    made, tray = sms_campaign(text=LINKED), Tray()

    looking.send_test(made, made.variants.get(), "en", BOSS, NOW, actor="staff:1", channel=tray)

    (sent,) = tray.taken
    assert sent.recipient == "+8613800138000"
    assert sent.content.decode() == "[Test] Hi Ann: https://shop.test/tv Reply STOP to end."
    assert sent.reference.startswith(made.uuid.hex)
    assert not Link.objects.exists()
    assert not Delivery.objects.exists()
    assert AuditEntry.objects.filter(action="campaign.tested").count() == 1


@pytest.mark.parametrize(
    ("url", "template", "locale", "code"),
    [
        ("", "", "fr", "missing_language"),
        ("", "", "en", "no_test_customer"),
        ("aliyun://key:secret@sms.test/?sign=Shop", "", "en", "no_registered_text"),
        ("pigeon://key:secret@sms.test/", "SMS_1", "en", "channel_not_set_up"),
        ("twilio://key:secret@sms.test/", "SMS_1", "en", "channel_not_set_up"),
        ("twilio+http://key:secret@127.0.0.1:{}/?from=1", "SMS_1", "en", "test_not_sent"),
    ],
)
def test_a_test_of_a_text_says_what_it_lacks(
    settings: Any, url: str, template: str, locale: str, code: str
) -> None:
    staff_address()
    if code != "no_test_customer":
        phone_reader(email=BOSS)
    made = sms_campaign(text=LINKED, template_id=template)
    settings.SMS_URL = url.format(closed_port())

    with pytest.raises(DomainError) as caught:
        looking.send_test(made, made.variants.get(), locale, BOSS, NOW, actor="staff:1")

    assert caught.value.code == code
    assert not AuditEntry.objects.filter(action="campaign.tested").exists()


def test_whoever_may_not_be_texted_gets_no_test_either() -> None:
    staff_address()
    make.customer("ann", email=BOSS, phone="+8613800138000")  # agreed to nothing
    made = sms_campaign(text=LINKED)

    with pytest.raises(DomainError) as caught:
        looking.send_test(made, made.variants.get(), "en", BOSS, NOW, actor="staff:1")

    assert caught.value.code == "no_test_customer"


def test_the_page_sends_a_text_and_says_where_it_went(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.SMS_URL, settings.OUTBOX_DIR = "", tmp_path
    boss = staff_address()
    phone_reader(email=BOSS)
    made = sms_campaign(text=LINKED)
    client.force_login(boss, backend="privacy.roles.RoleBackend")
    page = f"/admin/campaigns/campaign/{made.pk}/message/"
    assert "Goes to the telephone of the customer" in client.get(page).content.decode()

    asked = {"variant": "A", "locale": "en"}
    shown = client.post(f"{page}test/", asked, follow=True).content.decode()

    assert "Test sent to your own telephone." in shown
    assert "the test lies in the outbox" in shown
    assert [one.recipient for one in messages(tmp_path)] == ["+8613800138000"]


@pytest.mark.parametrize("to", ["ann@example.com", "", "boss@shop.test\r\nBcc: a@b.co"])
def test_a_test_goes_to_nobody_but_staff(to: str) -> None:
    campaign, tray = make.written_campaign(), Tray()

    with pytest.raises(DomainError) as caught:
        looking.send_test(
            campaign, campaign.variants.get(), "en", to, NOW, actor="staff:1", channel=tray
        )

    assert caught.value.code == "not_a_staff_address"
    assert tray.taken == []
