"""A segment that a campaign needs is not deleted under it, in the admin as by the API."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign
from profiles.models import Segment
from tests import make
from tests.profiles.test_orders_api import call

pytestmark = pytest.mark.django_db
EVERYBODY = {"combinator": "and", "not": False, "rules": []}


def segment(name: str) -> Segment:
    return Segment.objects.create(name=name, rule=EVERYBODY, created_at=timezone.now())


def used(how: str, status: str) -> Segment:
    made = segment("Alps")
    own = made if how == "own" else segment("Everybody")
    campaign = make.campaign("Skis", status=status, segment=own)
    if how != "own":
        getattr(campaign, how).add(made)
    return made


@pytest.mark.parametrize("how", ["own", "also", "excluded"])
def test_a_running_campaign_keeps_its_segments_and_is_named(client: Client, how: str) -> None:
    made = used(how, Campaign.Status.SCHEDULED)
    client.force_login(make.staff())

    page = client.post(
        f"/admin/profiles/segment/{made.pk}/delete/", {"post": "yes"}, HTTP_ACCEPT_LANGUAGE="en"
    )
    listed = client.post(
        "/admin/profiles/segment/",
        {"action": "delete_selected", "_selected_action": [made.pk], "post": "yes"},
        HTTP_ACCEPT_LANGUAGE="en",
    )
    status, body = call(client, "DELETE", f"/v1/segments/{made.uuid}")

    assert "“Skis”" in page.content.decode()
    assert "“Skis”" in listed.content.decode()
    assert (status, body["code"]) == (409, "segment_in_use")
    assert "“Skis”" in body["detail"]
    assert Segment.objects.filter(pk=made.pk).exists()


@pytest.mark.parametrize("how", ["own", "also", "excluded"])
def test_one_that_is_over_keeps_only_its_own_audience(client: Client, how: str) -> None:
    made = used(how, Campaign.Status.FINISHED)

    status, _body = call(client, "DELETE", f"/v1/segments/{made.uuid}")

    assert status == (409 if how == "own" else 200)


def test_what_nobody_uses_is_deleted_by_page_and_by_api(client: Client) -> None:
    one, other = segment("One"), segment("Other")
    client.force_login(make.staff())

    client.post(f"/admin/profiles/segment/{one.pk}/delete/", {"post": "yes"})
    status, _body = call(client, "DELETE", f"/v1/segments/{other.uuid}")

    assert status == 200
    assert not Segment.objects.filter(pk__in=[one.pk, other.pk]).exists()


def test_refusals_of_campaigns_name_fields_as_the_wire_does(client: Client) -> None:
    make.reader()
    campaign = make.written_campaign(starts_at=make.NOW)

    status, body = call(
        client,
        "POST",
        f"/v1/campaigns/{campaign.uuid}/schedule",
        key=make.secret_key(["campaigns:write"]),
    )

    assert (status, body["code"]) == (400, "starts_in_the_past")
    assert [fault["pointer"] for fault in body["errors"]] == ["/startsAt"]
