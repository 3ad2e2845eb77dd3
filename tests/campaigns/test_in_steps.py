"""A campaign set up in steps, each a form of its own."""

from __future__ import annotations

import pytest
from django.test import Client

from campaigns.models import Campaign, Template
from profiles.models import Segment
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client: Client) -> Client:
    make.shop(sender_email="shop@shop.test")
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    return client


def test_each_step_keeps_its_own_facts_and_goes_on(browser: Client) -> None:
    campaign = make.written_campaign(approved=False, holdout_ppm=70_000)
    base = f"/admin/campaigns/campaign/{campaign.pk}"
    rule = {"combinator": "and", "not": False, "rules": []}
    other = Segment.objects.create(name="Other", rule=rule, created_at=NOW)

    goal = {"name": "July", "goal": "inform", "attribution_days": "14", "holdout": "12.5"}
    first = browser.post(f"{base}/steps/goal/", goal)
    second = browser.post(f"{base}/steps/who/", {"segment": other.pk})
    third = browser.post(
        f"{base}/steps/when/",
        {"starts_at": "2031-06-01T10:30", "first_percent": "5", "fixed_cost_minor": "9.50",
         "message_cost": "0.02"},
    )  # fmt: skip

    assert first.headers["Location"] == f"{base}/steps/who/"
    assert second.headers["Location"] == f"{base}/message/"
    assert third.headers["Location"] == f"{base}/steps/review/"
    campaign.refresh_from_db()
    assert (campaign.name, campaign.holdout_ppm, campaign.segment) == ("July", 125_000, other)
    assert campaign.goal == Campaign.Goal.INFORM
    assert (campaign.fixed_cost_minor, campaign.cost_per_message_micros) == (950, 20_000)
    assert campaign.starts_at is not None
    assert campaign.starts_at.isoformat() == "2031-06-01T10:30:00+00:00"


def test_what_cannot_be_is_told_beside_its_field_and_changes_nothing(browser: Client) -> None:
    campaign = make.written_campaign(approved=False)
    steps = f"/admin/campaigns/campaign/{campaign.pk}/steps/"

    answer = browser.post(
        f"{steps}goal/", {"name": "", "goal": "win", "attribution_days": "0", "holdout": "90"}
    )

    assert set(answer.context["form"].errors) == {"name", "goal", "attribution_days", "holdout"}
    campaign.refresh_from_db()
    assert campaign.name == "June"
    assert browser.get(f"{steps}none/").status_code == 404


def test_variants_come_with_texts_go_and_share_by_weight(browser: Client) -> None:
    campaign = make.written_campaign(approved=False)
    path = f"/admin/campaigns/campaign/{campaign.pk}/steps/variants/"

    browser.post(path, {"do": "add"})
    texts = Template.objects.filter(variant__campaign=campaign).order_by("variant__key")
    assert [text.body_html for text in texts] == [make.MESSAGE] * 2
    browser.post(path, {"do": "save", "weight-A": "3", "weight-B": "1"})
    assert [share for _row, share in browser.get(path).context["rows"]] == [75.0, 25.0]
    refused = browser.post(path, {"do": "save", "weight-A": "x", "weight-B": "1"}, follow=True)
    assert "A weight is a whole number" in refused.content.decode()
    browser.post(path, {"do": "remove:A"})
    last = browser.post(path, {"do": "remove:B"}, follow=True)

    assert list(campaign.variants.values_list("key", flat=True)) == ["B"]
    assert "A campaign needs a variant." in last.content.decode()


def test_a_step_voids_an_approval_and_review_shows_what_was_found(browser: Client) -> None:
    make.reader()
    campaign = make.written_campaign(body='<img src="https://a.b/c.png" alt="">' + make.MESSAGE)
    base = f"/admin/campaigns/campaign/{campaign.pk}"

    browser.post(f"{base}/steps/variants/", {"do": "save", "weight-A": "2"})

    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT
    page = browser.get(f"{base}/steps/review/")
    assert [one.code for one in page.context["advice"]] == ["no_alt"]
    assert page.context["barring"] == []


def test_the_purpose_stands_in_words(browser: Client) -> None:
    page = f"/admin/campaigns/campaign/{make.written_campaign().pk}/steps/goal/"
    for language, words in {"en": "E-mail campaigns", "zh-hans": "邮件营销活动"}.items():
        browser.cookies["django_language"] = language
        shown = browser.get(page).content.decode()
        assert words in shown
        assert "campaign.email" not in shown
