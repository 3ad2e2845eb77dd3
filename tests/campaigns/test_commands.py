"""The commands of a campaign's life, and the pulse."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns import tasks
from campaigns.channels import outbox
from campaigns.models import Campaign, Delivery
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_outbox(settings: Any, tmp_path: Path) -> None:
    settings.OUTBOX_DIR = tmp_path


def call(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_campaign_goes_from_plan_to_outbox_by_two_commands(tmp_path: Path) -> None:
    make.reader("ann")
    campaign = make.written_campaign()

    planned = call("plan_campaign", str(campaign.pk), "--as-of", "2010-10-31")
    sent = call("send_campaign", str(campaign.pk))

    assert planned == f"campaign {campaign.pk} is planned: 1 planned\n"
    assert sent == f"campaign {campaign.pk} is finished: 1 sent\n"
    assert Delivery.objects.get().due_at.date().isoformat() == "2010-10-31"
    assert [shown.recipient for shown in outbox.messages(tmp_path)] == ["ann@example.com"]


@pytest.mark.parametrize("command", ["plan_campaign", "send_campaign"])
def test_a_campaign_that_is_not_there_is_named(command: str) -> None:
    with pytest.raises(CommandError, match="no campaign 77"):
        call(command, "77")


def test_a_date_that_is_none_is_refused() -> None:
    campaign = make.written_campaign()

    with pytest.raises(CommandError, match="as-of"):
        call("plan_campaign", str(campaign.pk), "--as-of", "2010-13-45")


def test_a_draft_is_not_planned_and_says_so_at_once() -> None:
    campaign = make.written_campaign(approved=False)

    with pytest.raises(CommandError, match="approved first"):
        call("plan_campaign", str(campaign.pk))


def test_the_pulse_sends_what_is_due(tmp_path: Path) -> None:
    make.reader("ann")
    campaign = make.written_campaign()
    call("plan_campaign", str(campaign.pk))
    Campaign.objects.update(status=Campaign.Status.SENDING, planned_at=timezone.now())

    tasks.send_due()

    assert outbox.count(tmp_path) == 1
