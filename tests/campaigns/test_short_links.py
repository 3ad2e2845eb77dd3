"""Links in text messages: as written, or short ones that count the click and lead on with marks."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from campaigns import delivery, tracking
from campaigns.models import Delivery, Hit, SendingRules
from profiles.events import merging
from profiles.models import Event
from tests.campaigns.sending import Tray
from tests.campaigns.test_sms import launched, phone_reader
from tests.make import NOW

pytestmark = pytest.mark.django_db
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"
LINKED = "Hi {{ customer.first_name }}: https://shop.test/tv, {{ shop.url }} Reply STOP to end."


def test_links_stay_as_written_unless_the_shop_has_them_counted() -> None:
    phone_reader()
    made, tray = launched(text=LINKED), Tray()
    delivery.send_due(NOW, channel=tray)
    assert "https://shop.test/tv, " in tray.taken[0].content.decode()
    assert not made.links.exists()


def test_a_short_link_counts_the_click_and_leads_on_with_marks(settings: Any) -> None:
    SendingRules.objects.create(pk=1, short_links=True, shop_domains="shop.test")
    ann = phone_reader()
    phone_reader("bob", phone="+8613800138001")
    launched(text=LINKED)
    tray = Tray()
    delivery.send_due(NOW, channel=tray)

    by_number = {one.recipient: one.content.decode() for one in tray.taken}
    text, other = by_number["+8613800138000"], by_number["+8613800138001"]
    short = re.findall(rf"{settings.PUBLIC_URL}/c/(\S+?),? ", text)
    assert len(short) == 2
    assert max(map(len, short)) < 20
    assert short[0] not in other
    later, browser = NOW + timedelta(minutes=1), tracking.Visit("GET", BROWSER)
    where = tracking.clicked(short[0], browser, later)
    assert where.startswith("https://shop.test/tv?utm_")
    assert "utm_medium=sms" in where

    hit = Hit.objects.get()
    assert (hit.delivery.customer, hit.kind, hit.by_machine) == (ann, "click", False)
    tracking.tell(later + timedelta(minutes=1), limit=9)
    merging.merge(later)
    assert Event.objects.get().name == "SMS Clicked"
    row = hit.delivery
    number, _dot, rest = short[0].partition(".")
    for wrong in (f"{number}.{'x' * 10}{rest[10:]}", f"zz{short[0]}", f"{number}.{rest[:10]}zzz"):
        with pytest.raises(tracking.UnknownLinkError):
            tracking.clicked(wrong, browser, later)
    Delivery.objects.filter(pk=row.pk).update(token=None)
    with pytest.raises(tracking.UnknownLinkError):
        tracking.clicked(short[0], browser, later)
    assert tracking.find(short[0]) is None
