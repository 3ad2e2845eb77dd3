"""Links in text messages: as written, or short ones that count the click and lead on with marks."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from campaigns import approvals, delivery, tracking
from campaigns.models import Delivery, Hit, SendingRules
from profiles.events import merging
from profiles.models import Event
from tests import make
from tests.campaigns.sending import Tray
from tests.campaigns.test_sms import campaign, launched, phone_reader
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


def test_links_in_the_parameters_of_a_registered_text_are_counted_too(settings: Any) -> None:
    SendingRules.objects.create(pk=1, short_links=True)
    phone_reader()
    parameters = {"name": "{{ customer.first_name }}", "where": "{{ shop.url }}/sale?a=1"}
    made, tray = launched(text=LINKED, template_id="SMS_1", parameters=parameters), Tray()

    delivery.send_due(NOW, channel=tray)

    told = tray.taken[0].parameters
    assert told["name"] == "Ann"
    short = re.fullmatch(rf"{settings.PUBLIC_URL}/c/(\S+)", told["where"])
    assert short is not None
    where = tracking.clicked(short[1], tracking.Visit("GET", BROWSER), NOW + timedelta(minutes=1))
    assert where.startswith(f"{settings.PUBLIC_URL}/sale?a=1")
    assert Hit.objects.get().link in made.links.all()


def test_the_page_counts_a_text_as_a_reader_would_get_it(client: Client) -> None:
    long = "https://shop.test/" + "a" * 200
    made = campaign(text=f"Hi {{{{ customer.first_name }}}}: {long}. STOP")
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    page = f"/admin/campaigns/campaign/{made.pk}/message/"
    assert "Characters as saved: 232, parts: 2," in client.get(page).content.decode()

    SendingRules.objects.create(pk=1, short_links=True)
    shown = client.get(page)

    assert "parts: 1," in shown.content.decode()
    sent = re.search(r"Characters as saved: (\d+)", shown.content.decode())
    assert sent is not None
    tray = Tray()
    phone_reader()
    delivery.plan(made, NOW)
    approvals.launch(made)
    delivery.send_due(NOW, channel=tray)
    length = len(tray.taken[0].content.decode())
    assert length <= int(sent[1]) < length + 10


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
