"""The overview of customers: its figures are those of the orders, its cells those of segments."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from privacy.models import Shop
from profiles import segmentation
from profiles.lifecycle import months, rfm
from profiles.lifecycle.rfm import Across, Band
from profiles.models import Customer, Order
from profiles.traits import featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
PAGE = "/admin/profiles/customer/overview/"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


def bought(name: str, *moments: datetime, **columns: Any) -> Customer:
    customer = Customer.objects.filter(external_id=name).first() or make.customer(name)
    for moment in moments:
        make.order(customer, ("p", "Audio", 1, 100), at=moment, **columns)
    return customer


def day(month: int, on: int, hour: int = 12) -> datetime:
    return datetime(2026 if month < 4 else 2025, month, on, hour, tzinfo=UTC)


def test_a_customer_is_new_in_the_month_of_the_first_order_and_returning_in_later_ones() -> None:
    bought("ann", day(12, 5), day(12, 20), day(2, 3))
    bought("bob", day(2, 9))

    found = months.lifecycle(NOW, ZoneInfo("UTC"))

    counted = {month.on.month: (month.n_new, month.n_returning) for month in found.months[-4:]}
    assert counted == {12: (1, 0), 1: (0, 0), 2: (1, 1), 3: (0, 0)}
    assert (found.n_buyers, found.n_again, found.repeat_rate) == (2, 1, 0.5)
    assert [month.is_over for month in found.months[-2:]] == [True, False]


def test_a_month_is_one_of_the_shops_clock() -> None:
    bought("ann", datetime(2026, 1, 31, 23, 30, tzinfo=UTC))  # 0:30 of the first of February

    here, there = (months.lifecycle(NOW, zone).months for zone in (BERLIN, ZoneInfo("UTC")))

    assert [month.on.month for month in here if month.n_new] == [2]
    assert [month.on.month for month in there if month.n_new] == [1]


def test_cancelled_marked_and_later_orders_and_people_who_refused_profiling_do_not_count() -> None:
    bought("ann", day(2, 3), status=Order.Status.CANCELLED)
    bought("bob", day(2, 3), quality="test")
    bought("cid", NOW + timedelta(hours=1))
    refused = bought("dan", day(2, 3))
    refused.subject.no_profiling = True
    refused.subject.save()

    assert months.lifecycle(NOW, ZoneInfo("UTC")).n_buyers == 0


def test_a_cohort_is_kept_by_those_who_buy_in_a_later_month() -> None:
    bought("ann", day(12, 5), day(1, 3), day(2, 3))
    bought("bob", day(12, 5), day(2, 9))

    (cohort,) = months.lifecycle(NOW, ZoneInfo("UTC")).cohorts

    assert (cohort.n, [kept.rate for kept in cohort.kept]) == (2, [0.5, 1.0, 0.0])


def test_the_rule_of_a_cohort_finds_its_customers() -> None:
    early, late = bought("ann", day(12, 5)), bought("bob", day(1, 20))
    bought("ann", day(1, 25))

    first, second = months.lifecycle(NOW, ZoneInfo("UTC")).cohorts

    assert list(segmentation.members(first.rule, NOW)) == [early]
    assert list(segmentation.members(first.rule_once, NOW)) == []
    assert list(segmentation.members(second.rule_once, NOW)) == [late]


def test_each_cell_of_the_cohorts_is_what_its_rule_counts() -> None:
    dice = random.Random(5)
    Shop.objects.update(time_zone=BERLIN.key)
    for n in range(40):
        # Whole hours about the turn of months, of which some are of another month in Berlin.
        first = datetime(2025, dice.randrange(4, 13), 1, tzinfo=UTC)
        moments = [
            first + timedelta(days=31 * dice.randrange(4), hours=dice.randrange(-2, 3))
            for _ in range(dice.randrange(1, 5))
        ]
        bought(f"c{n}", *(moment for moment in moments if moment < NOW))

    cohorts = months.lifecycle(NOW, BERLIN).cohorts

    told = [(kept.n, kept.rule) for cohort in cohorts for kept in cohort.kept]
    told += [(cohort.n, cohort.rule) for cohort in cohorts]
    assert [n for n, _rule in told] == [segmentation.count(rule, NOW) for _n, rule in told]
    assert sum(n > 0 for n, _rule in told) > 20
    once = [segmentation.count(cohort.rule_once, NOW) for cohort in cohorts]
    back = [segmentation.count(came_back(cohort.rule_once), NOW) for cohort in cohorts]
    assert [sum(pair) for pair in zip(once, back, strict=True)] == [one.n for one in cohorts]


def came_back(rule: dict[str, Any]) -> dict[str, Any]:
    *began, none_since = rule["rules"]
    return {**rule, "rules": [*began, none_since | {"operator": ">=", "value": 1}]}


def many() -> None:
    dice = random.Random(4)
    for n in range(60):
        moments = [
            NOW - timedelta(days=dice.randrange(1, 300)) for _ in range(dice.randrange(1, 12))
        ]
        customer = bought(f"c{n}", *moments)
        make.order(customer, ("q", "Audio", 1, dice.randrange(100, 90_000)), at=moments[0])
    featuring.build_traits(NOW)


@pytest.mark.parametrize("across", Across)
def test_each_cell_of_the_grid_is_what_its_rule_counts(across: Across) -> None:
    many()
    later = NOW + timedelta(days=3)

    found = rfm.grid(across, later)

    cells = [cell for _row, cells in found.rows for cell in cells]
    assert [cell.n for cell in cells] == [segmentation.count(cell.rule, later) for cell in cells]
    assert sum(cell.n for cell in cells) == found.n_customers == 60
    assert sum(cell.revenue_share for cell in cells) == pytest.approx(1)
    assert len(cells) == 25


def test_recency_is_cut_into_fifths_of_the_customers() -> None:
    for n in range(10):
        bought(f"c{n}", NOW - timedelta(days=n, hours=1))
    featuring.build_traits(NOW)

    rows = [row for row, _cells in rfm.grid(Across.FREQUENCY, NOW).rows]

    assert rows == [Band(0, 1), Band(2, 3), Band(4, 5), Band(6, 7), Band(8, None)]


def test_a_day_with_many_customers_is_a_row_of_its_own_and_takes_the_place_of_others() -> None:
    for n in range(15):
        bought(f"c{n}", NOW - timedelta(days=max(n - 9, 0), hours=1))
    featuring.build_traits(NOW)

    rows = [(row, sum(cell.n for cell in cells)) for row, cells in rfm.grid(Across.MONEY, NOW).rows]

    assert rows == [(Band(0, 0), 10), (Band(1, 2), 2), (Band(3, None), 3)]


def test_customers_all_alike_make_one_row_and_one_column() -> None:
    for n in range(7):
        bought(f"c{n}", NOW - timedelta(days=3))
    featuring.build_traits(NOW)

    found = rfm.grid(Across.MONEY, NOW)

    assert (found.columns, [row for row, _ in found.rows]) == ((Band(100, None),), [Band(3, None)])


def test_a_shop_without_orders_is_told_what_to_do(client: Client) -> None:
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    shown = client.get(PAGE).content.decode()

    assert "no customer has an order" in shown
    assert "/admin/profiles/upload/" in shown


def test_a_cell_opens_as_a_segment_with_its_rule_filled_in(client: Client) -> None:
    bought("ann", timezone.now() - timedelta(days=3, hours=1))
    featuring.build_traits(timezone.now())
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    shown = client.get(PAGE, {"by": "frequency"}).content.decode()
    links = [unescape(url) for url in re.findall(r'href="([^"]+segment/add/[^"]+)"', shown)]

    form = client.get(links[0]).context["adminform"].form
    rule = json.loads(parse_qs(urlsplit(links[0]).query)["rule"][0])

    assert json.loads(form["rule"].value()) == rule
    assert form["name"].value() == "Last order 3 days ago or more, 1 order"
    assert segmentation.count(rule, timezone.now()) == 1


def test_the_page_is_closed_to_strangers(client: Client) -> None:
    assert client.get(PAGE).status_code == 302


def test_the_queries_of_the_page_do_not_grow_with_customers(client: Client) -> None:
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    bought("ann", day(2, 3), day(1, 3))
    featuring.build_traits(NOW)
    client.get(PAGE, {"by": "money"})
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE, {"by": "money"})
    many()
    with CaptureQueriesContext(connection) as more:
        client.get(PAGE, {"by": "money"})

    assert len(more) <= len(few) + 4  # one for each further start of a fifth
