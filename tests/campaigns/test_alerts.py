"""Who is told: approvers of a review, owners of a first part, by letter in their own language."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from campaigns import alerting, approvals, delivery
from campaigns.channels import outbox
from campaigns.models import Campaign
from jobs import running
from jobs.models import Job
from privacy.models import Shop, Staff
from tests import make
from tests.campaigns.sending import Tray
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_outbox(settings: Any, tmp_path: Path) -> None:
    settings.OUTBOX_DIR = tmp_path
    settings.PUBLIC_URL = "https://candor.test"


def account(name: str, role: str = "approver", **columns: Any) -> Staff:
    made = make.staff(role, username=name)
    Staff.objects.filter(pk=made.pk).update(**{"email": f"{name}@staff.test", **columns})
    made.refresh_from_db()
    return made


def letters(folder: Path) -> dict[str, outbox.Shown]:
    for job in Job.objects.filter(kind=alerting.MAIL):
        running.run(job.pk, clock=lambda: NOW + timedelta(hours=1))
    return {shown.recipient: shown for shown in outbox.messages(folder / "letters")}


def test_every_approver_but_who_asks_gets_a_letter_in_their_language(tmp_path: Path) -> None:
    make.reader()
    campaign = make.written_campaign(approved=False)
    asking = account("asks", language="en")
    account("ann", language="en")
    account("li", language="zh-hans")
    account("gone", is_active=False)
    account("mute", email="")
    account("marketer", "marketer")

    approvals.ask_for_review(campaign, staff=asking, now=NOW)

    found = letters(tmp_path)
    assert set(found) == {"ann@staff.test", "li@staff.test"}
    assert found["ann@staff.test"].subject == "The campaign “June” asks for review."
    assert found["li@staff.test"].subject == "活动“June”请求审核。"
    path = f"https://candor.test/admin/campaigns/campaign/{campaign.pk}/change/"
    for file in (tmp_path / "letters").glob("*.eml"):
        assert path in file.read_text("utf-8").replace("=\n", "")
    payloads = str(list(Job.objects.values_list("payload", flat=True)))
    assert "staff.test" not in payloads


def test_a_first_part_that_is_out_tells_who_made_and_who_approved_it_once(tmp_path: Path) -> None:
    maker, other = account("maker", "marketer", language="en"), account("other", language="en")
    for name in ("first", "later"):
        make.reader(name)
    campaign = make.written_campaign(first_percent=10, created_by=maker)
    delivery.plan(campaign, NOW)
    for name, pk in {"first": 1_000_009, "later": 1_000_010}.items():
        campaign.deliveries.filter(customer__external_id=name).update(id=pk)
    approvals.launch(campaign)

    for minutes in range(3):
        delivery.send_due(NOW + timedelta(minutes=minutes), channel=Tray())

    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.PAUSED
    assert Job.objects.filter(kind=alerting.MAIL).count() == 1, "the approver has no address"
    found = letters(tmp_path)
    assert set(found) == {maker.email}
    assert found[maker.email].subject.startswith("The first part of “June” is out")
    assert other.email not in found


def test_without_a_sender_nothing_is_tried_and_a_server_that_is_away_is_tried_again(
    settings: Any,
) -> None:
    make.shop(sender_email="")
    account("ann")
    alerting.tell("review_asked", NOW, to=Staff.objects.all(), about=1, campaign="June")
    job = Job.objects.get(kind=alerting.MAIL)
    running.run(job.pk, clock=lambda: NOW)
    job.refresh_from_db()
    assert job.state == Job.State.DONE

    Shop.objects.update(sender_email="shop@shop.test")
    settings.SMTP_URL = "smtp://127.0.0.1:1"
    alerting.tell("review_asked", NOW, to=Staff.objects.all(), about=1, campaign="May")
    job = Job.objects.filter(kind=alerting.MAIL).latest("pk")
    running.run(job.pk, clock=lambda: NOW)
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
