"""A campaign's pages: what is under way is shown and can be stopped."""

from __future__ import annotations

import pytest
from django.test import Client

from campaigns import asking
from campaigns.models import Campaign, Conversion
from jobs import running
from jobs.models import Job
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
LIST = "/admin/campaigns/campaign/"


@pytest.fixture
def browser(client: Client) -> Client:
    make.shop()
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    return client


def test_a_campaign_that_is_being_planned_can_be_cancelled(browser: Client) -> None:
    campaign = make.campaign(status=Campaign.Status.PLANNING)
    job = asking.ask_for_plan(campaign.pk, NOW)
    assert (
        f"{campaign.pk}/do/cancel/" in browser.get(f"{LIST}{campaign.pk}/change/").content.decode()
    )

    browser.post(f"{LIST}{campaign.pk}/do/cancel/")

    campaign.refresh_from_db()
    job.refresh_from_db()
    assert (campaign.status, job.state) == (Campaign.Status.CANCELLED, Job.State.CANCELLED)


def test_counting_orders_anew_is_a_job_that_the_report_shows_until_it_has_ended(
    browser: Client,
) -> None:
    campaign = make.campaign()
    make.delivery(campaign, buyer := make.customer())
    make.order(buyer, ("p1", "Audio", 1, 100), at=NOW)
    report, note = f"{LIST}{campaign.pk}/report/", f"{LIST}{campaign.pk}/report/counting/"

    for _twice in range(2):
        answer = browser.post(f"{report}recount/", follow=True)
    job = Job.objects.get()
    under_way = browser.get(note)

    assert not Conversion.objects.exists()
    assert note in answer.content.decode()
    assert "HX-Refresh" not in under_way.headers
    Job.objects.filter(pk=job.pk).update(not_before=NOW)
    running.run(job.pk, clock=lambda: NOW)
    assert Conversion.objects.count() == 1
    assert browser.get(note).headers["HX-Refresh"] == "true"
    assert note not in browser.get(report).content.decode()


def test_a_new_campaign_costs_nothing_unless_an_amount_is_typed(browser: Client) -> None:
    form = browser.get(f"{LIST}add/").context["adminform"].form

    assert str(form["fixed_cost_minor"].value()) == "0.00"
