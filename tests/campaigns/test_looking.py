"""Looking at a message before it goes out: preview and test send."""

from __future__ import annotations

import pytest

from campaigns import looking
from campaigns.models import Delivery, Link
from privacy.problems import DomainError
from tests import make
from tests.campaigns.sending import Tray, parsed
from tests.make import NOW

pytestmark = pytest.mark.django_db


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
    boss = make.staff(username="tester")
    type(boss).objects.filter(pk=boss.pk).update(email="boss@shop.test")

    looking.send_test(campaign, campaign.variants.get(), "en", "boss@shop.test", NOW, channel=tray)

    assert tray.recipients == ["boss@shop.test"]
    assert parsed(tray.taken[0])["Subject"] == "[Test] Hello A en"
    assert not Link.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("to", ["ann@example.com", "", "boss@shop.test\r\nBcc: a@b.co"])
def test_a_test_goes_to_nobody_but_staff(to: str) -> None:
    campaign, tray = make.written_campaign(), Tray()

    with pytest.raises(DomainError) as caught:
        looking.send_test(campaign, campaign.variants.get(), "en", to, NOW, channel=tray)

    assert caught.value.code == "not_a_staff_address"
    assert tray.taken == []
