"""Home tells the shop's sales in its own money and days, and needs no query more for more rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.test import Client

from config.admin.home import home_sales
from privacy.models import Staff
from tests import make

pytestmark = pytest.mark.django_db
LATE = datetime.fromisoformat("2026-03-02T17:00:00+00:00")  # one in the night of the third there


def test_orders_in_another_currency_are_not_added_to_the_shops() -> None:
    shop = make.shop(currency="CNY")
    make.order(make.customer(), ("P-1", "TVs", 1, 500), at=LATE, currency="CNY")
    make.order(make.customer(), ("P-1", "TVs", 1, 700), at=LATE, currency="USD")
    make.order(None, ("P-1", "TVs", 1, 900), at=LATE, currency="CNY", status="cancelled")

    sales = home_sales(shop, LATE)

    assert (sales.net_minor, sales.n_orders) == (500, 1)


def test_a_day_of_sales_is_a_whole_day_of_the_shop() -> None:
    shop = make.shop(currency="CNY", time_zone="Asia/Shanghai")
    noon = LATE - timedelta(hours=13)
    make.order(None, ("P-1", "TVs", 1, 300), at=noon, currency="CNY")
    make.order(None, ("P-1", "TVs", 1, 500), at=LATE, currency="CNY")

    on_the_third = home_sales(shop, LATE + timedelta(minutes=1))
    on_the_fourth = home_sales(shop, LATE + timedelta(days=1))

    assert on_the_third.by_day[-1] == 300
    assert on_the_fourth.by_day[-2:] == [300, 500]
    assert on_the_fourth.last == date(2026, 3, 3)


def test_only_who_may_change_a_campaign_counts_its_orders_anew(client: Client) -> None:
    campaign = make.campaign()
    address = f"/admin/campaigns/campaign/{campaign.pk}/report/recount/"
    codes = {}
    for role in (Staff.Role.VIEWER, Staff.Role.MARKETER):
        client.force_login(make.staff(role), backend="privacy.roles.RoleBackend")
        codes[role] = client.post(address).status_code

    assert codes == {Staff.Role.VIEWER: 403, Staff.Role.MARKETER: 302}
