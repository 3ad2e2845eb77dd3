from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from privacy import registry, retention
from privacy.models import RetentionPeriod
from profiles.models import Event
from tests import make

pytestmark = pytest.mark.django_db


def event(days_ago: int) -> Event:
    at = timezone.now() - timedelta(days=days_ago)
    return Event.objects.create(
        source=make.source(), message_id=str(days_ago), kind="track", name="Seen",
        happened_at=at, received_at=at,
    )  # fmt: skip


def test_what_is_past_its_period_goes_and_the_rest_stays() -> None:
    old, young = event(751), event(749)
    call_command("apply_retention", verbosity=0)
    assert set(Event.objects.all()) == {young}
    assert old.pk != young.pk


def test_a_dry_run_tells_and_deletes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    event(2_000)
    call_command("apply_retention", dry_run=True)
    (line,) = [row for row in capsys.readouterr().out.splitlines() if row.startswith("events")]
    assert line.split() == ["events", "750", "days", "1"]
    assert Event.objects.count() == 1


def test_the_shops_own_period_stands_before_the_default() -> None:
    event(100)
    RetentionPeriod.objects.create(schedule="events", days=99)
    call_command("apply_retention", verbosity=0)
    assert not Event.objects.exists()


def test_no_limit_keeps_everything() -> None:
    event(9_000)
    RetentionPeriod.objects.create(schedule="events", days=None)
    call_command("apply_retention", verbosity=0)
    assert Event.objects.count() == 1


def test_every_schedule_says_how_long_or_why_without_a_limit() -> None:
    bare = [one.name for one in registry.schedules() if one.days is None and not one.reason]
    assert bare == []
    assert len(registry.schedules()) >= 12


def test_more_than_a_batch_goes_too() -> None:
    Session.objects.bulk_create(
        Session(session_key=str(n), session_data="", expire_date=timezone.now() - timedelta(days=9))
        for n in range(retention.BATCH + 5)
    )
    call_command("apply_retention", verbosity=0)
    assert not Session.objects.exists()
