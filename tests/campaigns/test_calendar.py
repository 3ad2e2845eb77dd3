"""The calendar: days of the trade by rule and by the moon, campaigns in the shop's time, the archive."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client

from campaigns import approvals, month, seasons
from campaigns.models import Campaign, Provider
from tests import make
from tests.make import NOW

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def new_moon(k: int) -> datetime:
    """Meeus, Astronomical Algorithms, chapter 49, its largest terms: right to some minutes."""
    t = k / 1236.85
    day = 2451550.09766 + 29.530588861 * k + 0.00015437 * t**2
    sun = math.radians(2.5534 + 29.10535670 * k)
    moon = math.radians(201.5643 + 385.81693528 * k + 0.0107582 * t**2)
    node = math.radians(160.7108 + 390.67050284 * k - 0.0016118 * t**2)
    day += -0.40720 * math.sin(moon) + 0.17241 * math.sin(sun) + 0.01608 * math.sin(2 * moon)
    day += 0.01039 * math.sin(2 * node) + 0.00739 * math.sin(moon - sun)
    day += -0.00514 * math.sin(moon + sun) + 0.00208 * math.sin(2 * sun)
    return J2000 + timedelta(days=day - 2451545.0, seconds=-75)


@pytest.mark.parametrize("year", seasons.NEW_YEARS)
def test_the_chinese_new_year_is_a_new_moon_in_beijing_at_its_season(year: int) -> None:
    day = seasons.NEW_YEARS[year]
    k = round((day - date(2000, 1, 6)).days / 29.530588861)
    in_beijing = new_moon(k) + timedelta(hours=8)

    assert (1, 21) <= (day.month, day.day) <= (2, 20)
    assert day.year == year
    # Within minutes of midnight the few terms cannot tell the day.
    assert day in {(in_beijing + timedelta(minutes=m)).date() for m in (-15, 0, 15)}


@pytest.mark.parametrize(
    ("year", "friday"),
    [(2024, date(2024, 11, 29)), (2026, date(2026, 11, 27)), (2029, date(2029, 11, 23))],
)
def test_black_friday_follows_the_fourth_thursday_and_monday_comes_after(
    year: int, friday: date
) -> None:
    days = {code: day for day, code in seasons.of_year(year)}

    assert days["black_friday"] == friday
    assert days["cyber_monday"] == friday + timedelta(days=3)
    assert (days["618"], days["double_11"], days["double_12"]) == (
        date(year, 6, 18),
        date(year, 11, 11),
        date(year, 12, 12),
    )
    assert tuple(days) == seasons.CODES


def plan_of(found: month.Month) -> dict[date, list[str]]:
    return {
        day.day: [campaign.name for _at, campaign in day.campaigns]
        for week in found.weeks
        for day in week
        if day.campaigns
    }


@pytest.mark.django_db
def test_a_campaign_stands_on_its_day_in_the_shops_time() -> None:
    make.shop(time_zone="Asia/Shanghai")
    evening = datetime(2026, 11, 10, 18, tzinfo=UTC)  # 2 in the morning of the 11th
    make.campaign("Night", starts_at=evening)
    make.campaign("Old", starts_at=evening, archived_at=NOW)
    make.campaign("December", starts_at=datetime(2026, 12, 12, tzinfo=UTC))

    found = month.of(date(2026, 11, 1), date(2026, 11, 20))

    assert plan_of(found) == {date(2026, 11, 11): ["Night"]}
    assert found.next_season is not None
    assert found.next_season[0] == date(2026, 11, 27)
    assert (found.before, found.after) == (date(2026, 10, 1), date(2026, 12, 1))
    marked = {day.day.day for week in found.weeks for day in week if day.seasons and day.is_inside}
    assert marked == {11, 27, 30}


@pytest.mark.django_db
@pytest.mark.parametrize("asked", ["", "?month=2026-11", "?month=x", "?month=9999-12"])
def test_the_page_shows_the_month_that_is_asked_for_or_this_one(client: Client, asked: str) -> None:
    make.campaign("Letter", starts_at=datetime(2026, 11, 27, 8, tzinfo=UTC))
    client.force_login(make.staff("viewer"))

    page = client.get(
        f"/admin/campaigns/campaign/calendar/{asked}", headers={"Accept-Language": "en"}
    )

    assert page.status_code == 200
    if asked == "?month=2026-11":
        text = page.content.decode()
        assert text.count("Letter") >= 2
        for name in ("Double 11", "Black Friday", "Cyber Monday"):
            assert text.count(name) >= 2, name


@pytest.mark.django_db
def test_an_archived_campaign_leaves_the_list_and_comes_back(client: Client) -> None:
    make.campaign("Done", status=Campaign.Status.FINISHED)
    running = make.campaign("Running", status=Campaign.Status.SENDING)
    client.force_login(make.staff())
    rows = "/admin/campaigns/campaign/"

    def names(query: str) -> set[str]:
        changes = client.get(f"{rows}{query}").context["cl"]
        return {campaign.name for campaign in changes.result_list}

    pk = Campaign.objects.get(name="Done").pk
    client.post(f"{rows}{pk}/do/archive/")
    assert (names(""), names("?archived=yes")) == ({"Running"}, {"Done"})
    assert names("?archived=all") == {"Running", "Done"}
    assert client.get(f"{rows}{pk}/change/").status_code == 200
    client.post(f"{rows}{pk}/do/take_back/")
    assert names("") == {"Running", "Done"}

    client.post(f"{rows}{running.pk}/do/archive/")
    running.refresh_from_db()
    assert running.archived_at is None, "what still runs is not put away"


@pytest.mark.django_db
def test_archiving_undoes_no_approval() -> None:
    campaign = make.written_campaign()
    approvals.withdraw(campaign)

    approvals.archive(campaign, now=NOW)
    approvals.take_back(campaign)

    assert (campaign.status, campaign.archived_at) == (Campaign.Status.DRAFT, None)


@pytest.mark.django_db
def test_the_warm_up_is_shown_day_by_day_and_when_an_audience_is_through(client: Client) -> None:
    server = Provider.objects.create(name="outbox", warm_up_from=NOW.date())
    client.force_login(make.staff())

    days = server.warm_up()
    page = client.get(f"/admin/campaigns/provider/{server.pk}/change/").content.decode()

    assert [(one.quota, one.total) for one in days[:3]] == [(200, 200), (400, 600), (800, 1400)]
    assert len(days) == 14
    assert all(f"{one.day:%Y-%m-%d}" in page for one in days)


@pytest.mark.django_db
@pytest.mark.parametrize(("n", "days"), [(200, 0), (201, 1), (600, 1), (601, 2)])
def test_the_day_an_audience_is_through_follows_from_the_warm_up(n: int, days: int) -> None:
    from campaigns import throttling

    Provider.objects.create(name="outbox", warm_up_from=NOW.date())

    assert throttling.warmed_up_on(n, NOW) == NOW.date() + timedelta(days=days)
