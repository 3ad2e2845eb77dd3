"""The list of campaigns: counts of deliveries without reading more than the page's own."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import make

pytestmark = pytest.mark.django_db
LIST = "/admin/campaigns/campaign/"


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    return client


def test_a_campaign_in_the_list_counts_its_messages_and_not_its_holdout(browser: Client) -> None:
    spring, summer = make.campaign("Spring"), make.campaign("Summer")
    for arm, state in (("A", "sent"), ("B", "sent"), ("A", "planned"), ("holdout", "")):
        make.delivery(spring, make.customer(), arm, state=state)
    make.delivery(summer, make.customer(), "holdout")
    make.campaign("Autumn")

    shown = browser.get(LIST, {"o": "1"}).context["cl"]

    listed = shown.model_admin
    found = {row.name: (listed.messages(row), listed.sent(row)) for row in shown.result_list}
    assert found == {"Spring": (3, 2), "Summer": (0, 0), "Autumn": (0, 0)}


def test_deliveries_are_counted_once_and_for_the_rows_shown_only(browser: Client) -> None:
    shown = make.campaign("Spring")
    make.campaign("Summer")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        browser.get(LIST, {"q": "Spring"})

    of_deliveries = [one["sql"] for one in queries if "campaigns_delivery" in one["sql"]]
    assert len(of_deliveries) == 1
    assert f"IN ({shown.pk})" in of_deliveries[0]
