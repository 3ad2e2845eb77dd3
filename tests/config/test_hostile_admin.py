"""What a crafted request gets from the admin: a page that says what is wrong, never an error 500."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from campaigns.models import Campaign
from privacy.models import Staff
from profiles.models import Segment
from profiles.segmentation import EVERYBODY
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
OUTBOX = "/admin/campaigns/campaign/outbox/"
SEGMENTS = "/admin/profiles/segment/"
CAMPAIGNS = "/admin/campaigns/campaign/"
PREVIEW = f"{SEGMENTS}preview/"
DEEP = '{"rules":[' * 5_000
LONG = '{"combinator":"and","rules":[{"field":"recency_days","operator":">=","value":%s}]}'


@pytest.fixture(autouse=True)
def _shop() -> None:
    make.shop()


def browser(role: str = Staff.Role.ADMINISTRATOR) -> Client:
    client = Client()
    client.force_login(make.staff(role))
    return client


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"{OUTBOX}?p=²", 200),
        ("/admin/campaigns/campaign/²/change/", 404),
        ("/admin/profiles/customer/?email_tag=1", 400),
        ("/admin/profiles/customer/?email__startswith=a", 400),
        ("/admin/profiles/customer/?country__exact=GB", 200),
    ],
)
def test_a_crafted_address_is_refused_not_an_error(address: str, status: int) -> None:
    assert browser().get(address).status_code == status


@pytest.mark.parametrize(
    "rule", [DEEP, "[" * 100_000, LONG % ("9" * 6_000), LONG % '"\\ud800"', '"', ""]
)
def test_a_rule_that_cannot_be_read_is_told_in_words(rule: str) -> None:
    client = browser()

    preview = client.post(PREVIEW, {"rule": rule})
    saved = client.post("/admin/profiles/segment/add/", {"name": "Ours", "rule": rule})

    assert (preview.status_code, saved.status_code) == (200, 200)
    assert not preview.json()["ok"]
    assert "JSON" in preview.json()["text"]
    assert not Segment.objects.exists()


@pytest.mark.parametrize("rule", [{"field": "shoe_size"}, {"rules": [{"field": "shoe_size"}]}, []])
def test_pages_of_a_stored_rule_that_is_read_no_more_say_so(rule: Any) -> None:
    segment = Segment.objects.create(name="Old", rule=rule, created_at=NOW)
    campaign = make.campaign(segment=segment, status=Campaign.Status.DRAFT, planned_at=None)
    client = browser()

    listed = client.get(SEGMENTS)
    opened = client.get(f"{SEGMENTS}{segment.pk}/change/")
    client.post(SEGMENTS, {"action": "recount", "_selected_action": segment.pk})
    plan = client.get(f"{CAMPAIGNS}{campaign.pk}/change/")
    message = client.get(f"{CAMPAIGNS}{campaign.pk}/message/")

    assert {page.status_code for page in (listed, opened, plan, message)} == {200}
    for page in (listed, plan):
        assert "can no longer be read" in page.content.decode()
    assert plan.context["faults"][0].code == "invalid_rule"
    segment.refresh_from_db()
    assert segment.n_customers is None
    assert segment.counted_at is not None


@pytest.mark.parametrize(
    "given",
    [{"fixed_cost_minor": "1e18"}, {"attribution_days": "99999999999"}, {"attribution_days": "0"}],
)
def test_a_campaign_with_numbers_beyond_reason_is_not_kept(given: dict[str, Any]) -> None:
    segment = Segment.objects.create(name="All", rule=EVERYBODY, created_at=NOW)
    facts = {
        "name": "Spring",
        "segment": segment.pk,
        "goal": "sell",
        "holdout": "10",
        "attribution_days": "14",
        "fixed_cost_minor": "0",
        "message_cost": "0",
        "first_percent": "0",
        "starter": "picked_for_you",
    }

    client = browser()
    answer = client.post("/admin/campaigns/campaign/add/", facts | given)

    assert answer.status_code == 200
    assert not Campaign.objects.exists()
    assert client.post("/admin/campaigns/campaign/add/", facts).status_code == 302


@pytest.mark.parametrize("name", ["Volt\r\nBcc: a@b.co", "Volt\x7f"])
def test_a_sender_name_stays_on_one_line(name: str) -> None:
    shop = {"name": "Volt", "language": "en", "currency": "EUR", "time_zone": "UTC"}
    facts = shop | {"tax_rate": "20", "margin_rate": "25", "sender_name": name}

    answer = browser().post("/admin/privacy/shop/1/change/", facts)

    assert answer.status_code == 200
    assert "one line" in answer.content.decode()
