"""The same hour for every reader: by zone, by country, over the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campaigns import approvals, delivery, local_time, scheduling
from campaigns.models import Campaign, Delivery
from privacy.problems import DomainError
from tests import make
from tests.campaigns.sending import Tray
from tests.make import NOW

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("start", "zone", "due"),
    [
        ("2026-07-01T09:00", "Europe/Berlin", "2026-07-01T07:00"),
        ("2026-01-01T09:00", "Europe/Berlin", "2026-01-01T08:00"),
        ("2026-07-01T09:00", "Asia/Shanghai", "2026-07-01T01:00"),
        ("2026-07-01T09:00", "Asia/Kathmandu", "2026-07-01T03:15"),
        # The clock jumps from 2 to 3, so that 02:30 is not there: an hour later by the clock.
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30"),
        # It goes from 3 back to 2, so that 02:30 is there twice: the first time.
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30"),
        ("2026-10-25T09:00", "Europe/Berlin", "2026-10-25T08:00"),
    ],
)
def test_the_hour_is_that_of_the_readers_clock(start: str, zone: str, due: str) -> None:
    starts_at = datetime.fromisoformat(start).replace(tzinfo=UTC)
    early = starts_at - timedelta(days=2)

    found = local_time.due(starts_at, ZoneInfo(zone), UTC_ZONE, early)

    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_an_hour_that_is_over_is_the_next_days_also_when_the_clock_changes_in_between() -> None:
    starts_at = datetime(2026, 3, 28, 9, tzinfo=UTC)
    shanghai = ZoneInfo("Asia/Shanghai")

    assert local_time.due(starts_at, shanghai, UTC_ZONE, starts_at) == datetime(
        2026, 3, 29, 1, tzinfo=UTC
    )
    late = datetime(2026, 3, 28, 8, 30, tzinfo=UTC)  # 09:30 in Berlin, the night before summer
    found = local_time.due(starts_at, BERLIN, UTC_ZONE, late)
    assert found == datetime(2026, 3, 29, 7, tzinfo=UTC)
    assert found.astimezone(BERLIN).hour == 9


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("Asia/Tokyo", "Asia/Tokyo"),
        ("JP", "Asia/Tokyo"),
        ("germany", None),  # Büsingen am Hochrhein has a zone of its own
        ("France", "Europe/Paris"),
        ("China", "Asia/Shanghai"),
        ("US", None),
        ("Mars/Olympus", None),
        ("", None),
    ],
)
def test_a_country_counts_where_it_has_one_time(place: str, zone: str | None) -> None:
    found = local_time.zone_of(place)

    assert (found.key if found else None) == zone


def local_campaign() -> Campaign:
    start = NOW.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=2)
    return make.written_campaign(local_time=True, starts_at=start)


@pytest.mark.django_db
def test_the_plan_gives_everybody_the_moment_of_their_place() -> None:
    make.reader("home")
    make.reader("tokyo", time_zone="Asia/Tokyo", country="FR")
    make.reader("paris", country="France")
    make.reader("odd", time_zone="Nowhere")
    campaign = local_campaign()
    start = campaign.starts_at
    assert start is not None

    scheduling.schedule(campaign, staff=None, now=NOW)
    assert campaign.goes_at == start - timedelta(hours=9)
    delivery.plan(campaign, campaign.goes_at + timedelta(seconds=5))

    paris = start.replace(tzinfo=ZoneInfo("Europe/Paris"))
    assert dict(campaign.deliveries.values_list("customer__external_id", "due_at")) == {
        "home": start,
        "odd": start,
        "tokyo": start - timedelta(hours=9),
        "paris": paris.astimezone(UTC),
    }
    tray = Tray()
    approvals.launch(campaign)
    delivery.send_due(campaign.goes_at + timedelta(seconds=6), channel=tray)
    assert tray.recipients == ["tokyo@example.com"]


@pytest.mark.django_db
def test_local_time_needs_a_start_and_an_end_that_no_place_comes_after() -> None:
    make.reader("hawaii", time_zone="Pacific/Honolulu")
    campaign = local_campaign()
    assert campaign.starts_at is not None
    Campaign.objects.update(latest_start=campaign.starts_at + timedelta(hours=5))
    campaign.refresh_from_db()

    with pytest.raises(DomainError, match="not after") as late:
        scheduling.schedule(campaign, staff=None, now=NOW)
    Campaign.objects.update(starts_at=None, latest_start=None)
    campaign.refresh_from_db()
    with pytest.raises(DomainError) as without:
        scheduling.schedule(campaign, staff=None, now=NOW)

    assert (late.value.code, without.value.code) == ("latest_start_too_early", "start_needed")


@pytest.mark.django_db
def test_what_has_not_gone_out_by_the_end_is_skipped_and_says_so() -> None:
    for name in ("a", "b", "c"):
        make.reader(name)
    campaign = make.written_campaign(latest_start=NOW + timedelta(hours=1))
    delivery.plan(campaign, NOW)
    approvals.launch(campaign)
    tray = Tray()
    delivery.send_due(NOW, limit=1, channel=tray)
    late = NOW + timedelta(hours=1, seconds=1)

    delivery.send_due(late, channel=tray)
    assert len(tray.taken) == 1, "nothing goes out after the end, before anybody looked at it"
    assert scheduling.advance(late) == 1

    campaign.refresh_from_db()
    assert (campaign.status, campaign.finished_at) == (Campaign.Status.EXPIRED, late)
    assert campaign.counts() == {"sent": 1, "skipped": 2}
    assert set(campaign.deliveries.exclude(state="sent").values_list("reason", flat=True)) == {
        "expired"
    }


@pytest.mark.django_db
def test_a_campaign_that_is_through_before_its_end_finishes() -> None:
    make.reader()
    campaign = make.written_campaign(latest_start=NOW + timedelta(hours=1))
    delivery.plan(campaign, NOW)
    approvals.launch(campaign)
    Delivery.objects.update(state="sent", sent_at=NOW)
    late = NOW + timedelta(hours=2)

    scheduling.advance(late)
    delivery.finish(late)

    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.FINISHED
