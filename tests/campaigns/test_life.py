"""A campaign's life: review, approval that an edit voids, schedule with undo, parts, expiry."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.test import Client

from campaigns import approvals, cloning, delivery, pace, scheduling
from campaigns.models import Campaign, Delivery, Note, SendingRules, Template
from jobs import running
from jobs.models import Job
from privacy.models import Staff
from privacy.problems import DomainError
from tests import make
from tests.campaigns.sending import Tray, launched
from tests.make import NOW

pytestmark = pytest.mark.django_db

State = Delivery.State
Status = Campaign.Status


def boss() -> Staff:
    return Staff.objects.filter(username="boss").first() or make.staff(username="boss")


def refused(code: str) -> pytest.RaisesExc[DomainError]:
    return pytest.raises(DomainError, check=lambda error: error.code == code)


def test_who_reviews_sends_back_with_a_reason_or_approves_and_all_of_it_is_noted() -> None:
    make.reader()
    campaign, staff = make.written_campaign(approved=False), boss()

    approvals.ask_for_review(campaign, staff=staff, now=NOW)
    with refused("required"):
        approvals.send_back(campaign, staff=staff, text=" ", now=NOW)
    approvals.send_back(campaign, staff=staff, text="Mention the warranty.", now=NOW)
    assert campaign.status == Status.DRAFT
    approvals.ask_for_review(campaign, staff=staff, now=NOW)
    approvals.approve(campaign, staff=staff, now=NOW)

    assert campaign.status == Status.APPROVED
    assert list(campaign.notes.order_by("pk").values_list("kind", "text")) == [
        (Note.Kind.ASKED, ""),
        (Note.Kind.SENT_BACK, "Mention the warranty."),
        (Note.Kind.ASKED, ""),
        (Note.Kind.APPROVED, ""),
    ]


@pytest.mark.parametrize("status", [Status.REVIEW, Status.APPROVED, Status.SCHEDULED])
def test_any_edit_makes_it_a_draft_again(status: Status) -> None:
    campaign, staff = make.written_campaign(approved=False), boss()
    if status == Status.REVIEW:
        approvals.ask_for_review(campaign, staff=staff, now=NOW)
    else:
        approvals.approve(campaign, staff=staff, now=NOW)
    if status == Status.SCHEDULED:
        scheduling.schedule(campaign, staff=staff, now=NOW)
    assert campaign.status == status
    Template.objects.update(subject="Other")

    assert approvals.void_if_edited(campaign, now=NOW)

    assert (campaign.status, campaign.goes_at) == (Status.DRAFT, None)
    assert campaign.notes.filter(kind=Note.Kind.VOIDED).count() == 1


def test_alone_one_approves_ones_own_with_a_record_up_to_a_set_audience() -> None:
    staff = boss()
    for _ in range(3):
        make.reader()
    small = make.written_campaign("small", approved=False, created_by=staff)
    large = make.written_campaign("large", approved=False, created_by=staff)

    approvals.approve(small, staff=staff, now=NOW)
    SendingRules.objects.create(pk=1, two_persons_from=3)
    with refused("second_person_needed"):
        approvals.approve(large, staff=staff, now=NOW)
    assert small.notes.get().own
    assert large.status == Status.DRAFT

    SendingRules.objects.update(two_persons_from=4)
    approvals.approve(large, staff=staff, now=NOW)
    assert large.status == Status.APPROVED


def run_jobs() -> None:
    for job in Job.objects.open():
        Job.objects.filter(pk=job.pk).update(not_before=NOW)
        running.run(job.pk, clock=lambda: NOW)


def test_a_scheduled_campaign_can_be_undone_for_ten_minutes_and_then_goes_out_by_itself() -> None:
    make.reader()
    campaign, tray = make.written_campaign(), Tray()

    scheduling.schedule(campaign, staff=boss(), now=NOW)
    assert scheduling.advance(NOW + timedelta(minutes=9)) == 0
    scheduling.undo(campaign)
    assert campaign.status == Status.APPROVED
    assert scheduling.advance(NOW + timedelta(hours=1)) == 0

    scheduling.schedule(campaign, staff=boss(), now=NOW)
    due = NOW + timedelta(minutes=10)
    assert scheduling.advance(due) == 1
    scheduling.advance(due)
    run_jobs()
    scheduling.advance(due)
    delivery.send_due(due, channel=tray)

    campaign.refresh_from_db()
    assert campaign.status == Status.FINISHED
    assert len(tray.taken) == 1
    with refused("wrong_status"):
        scheduling.undo(campaign)


def test_a_start_that_is_over_and_an_end_before_the_start_are_refused_by_name() -> None:
    campaign = make.written_campaign(starts_at=NOW - timedelta(minutes=1))
    with refused("starts_in_the_past"):
        scheduling.schedule(campaign, staff=boss(), now=NOW)
    Campaign.objects.update(starts_at=None, latest_start=NOW + timedelta(minutes=5))
    campaign.refresh_from_db()

    with refused("latest_start_too_early"):
        scheduling.schedule(campaign, staff=boss(), now=NOW)

    assert campaign.status == Status.APPROVED


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.PLANNED])
def test_a_machine_that_was_off_too_long_sends_nothing_late(status: Status) -> None:
    make.reader()
    campaign = make.written_campaign(latest_start=NOW + timedelta(hours=1))
    scheduling.schedule(campaign, staff=boss(), now=NOW)
    if status == Status.PLANNED:
        delivery.plan(campaign, NOW)
    late, tray = NOW + timedelta(hours=2), Tray()

    scheduling.advance(late)
    delivery.send_due(late, channel=tray)

    campaign.refresh_from_db()
    assert campaign.status == Status.EXPIRED
    assert tray.taken == []
    assert not Job.objects.exists()


def test_the_first_part_goes_out_evenly_and_the_rest_waits_for_somebody() -> None:
    for n in range(200):
        make.reader(f"c{n}")
    campaign, tray = launched(first_percent=5, weights={"A": 1, "B": 1}), Tray()

    while delivery.send_due(NOW, channel=tray):
        pass
    campaign.refresh_from_db()

    assert len(tray.taken) == 10
    assert (campaign.status, campaign.pause_reason) == (Status.PAUSED, "first_part")
    approvals.resume(campaign, now=NOW)
    while delivery.send_due(NOW, channel=tray):
        pass
    campaign.refresh_from_db()
    assert len(tray.taken) == len(set(tray.recipients)) == 200
    assert campaign.status == Status.FINISHED


def test_a_pause_by_hand_within_the_first_part_does_not_let_the_others_go() -> None:
    for n in range(200):
        make.reader(f"c{n}")
    campaign, tray = launched(first_percent=5), Tray()
    approvals.pause(campaign)
    approvals.resume(campaign, now=NOW)

    while delivery.send_due(NOW, channel=tray):
        pass

    assert len(tray.taken) == 10


def test_a_first_part_of_nobody_keeps_nobody_waiting() -> None:
    make.reader()
    campaign, tray = launched(first_percent=1), Tray()
    Delivery.objects.filter(campaign=campaign).update(id=150)

    for _ in range(3):
        delivery.send_due(NOW, channel=tray)

    assert len(tray.taken) == 1


def test_a_copy_is_a_draft_with_the_same_message_and_another_draw() -> None:
    campaign = make.written_campaign(
        "x" * 92, locales=["en", "zh-hans"], weights={"A": 1, "B": 3}, starts_at=NOW
    )

    first = cloning.clone(campaign, staff=boss(), now=NOW)
    second = cloning.clone(campaign, staff=boss(), now=NOW)

    assert (first.status, first.starts_at, first.approved_by) == (Status.DRAFT, None, None)
    assert first.salt != campaign.salt
    assert approvals.message_hash(first) == approvals.message_hash(campaign)
    assert approvals.audience_hash(first) == approvals.audience_hash(campaign)
    assert len({campaign.name, first.name, second.name}) == 3
    assert max(len(first.name), len(second.name)) <= 100


def test_pace_counts_the_last_minutes_and_says_when_it_will_be_through() -> None:
    campaign = make.campaign(status=Status.SENDING)
    for n, minutes in enumerate([1, 2, 3, 4, 60]):
        sent_at = NOW - timedelta(minutes=minutes)
        make.delivery(campaign, make.customer(f"s{n}"), sent_at=sent_at)
    for n, state in enumerate(["planned", "claimed", "skipped", "failed"]):
        make.delivery(campaign, make.customer(f"o{n}"), state=state)
    make.delivery(campaign, make.customer("h"), "holdout")

    found = pace.of(campaign, NOW)

    assert (found.n_done, found.n_total, found.per_minute) == (7, 9, 1.0)
    assert found.ends_at == NOW + timedelta(minutes=2)


@pytest.fixture
def browser(client: Client) -> Client:
    make.shop(pk=1, sender_email="shop@shop.test")
    client.force_login(boss(), backend="privacy.roles.RoleBackend")
    return client


def test_the_page_leads_from_draft_to_schedule_and_back(browser: Client) -> None:
    make.reader()
    campaign = make.written_campaign(approved=False)
    page = f"/admin/campaigns/campaign/{campaign.pk}/"
    seen = []

    for verb in ("review", "approve", "schedule", "undo", "withdraw"):
        assert f"do/{verb}/" in browser.get(f"{page}change/").content.decode(), verb
        browser.post(f"{page}do/{verb}/")
        campaign.refresh_from_db()
        seen.append(campaign.status)
    browser.post(f"{page}say/", {"text": "Looks <b>good</b>."})
    shown = browser.get(f"{page}change/").content.decode()

    assert seen == ["review", "approved", "scheduled", "approved", "draft"]
    assert "Looks &lt;b&gt;good&lt;/b&gt;." in shown
    assert Counter(campaign.notes.values_list("kind", flat=True)) == {
        "asked": 1,
        "approved": 1,
        "scheduled": 1,
        "comment": 1,
    }


def test_sending_back_takes_an_approver_and_a_reason(browser: Client) -> None:
    campaign = make.written_campaign(approved=False)
    approvals.ask_for_review(campaign, staff=boss(), now=NOW)
    page = f"/admin/campaigns/campaign/{campaign.pk}/"

    browser.post(f"{page}say/", {"text": "", "back": "1"})
    campaign.refresh_from_db()
    assert campaign.status == Status.REVIEW
    marketer = make.staff(username="mia", role=Staff.Role.MARKETER)
    browser.force_login(marketer, backend="privacy.roles.RoleBackend")
    assert browser.post(f"{page}say/", {"text": "no", "back": "1"}).status_code == 403
    browser.force_login(boss(), backend="privacy.roles.RoleBackend")
    browser.post(f"{page}say/", {"text": "Too long.", "back": "1"})

    campaign.refresh_from_db()
    assert campaign.status == Status.DRAFT


def test_a_copy_opens_at_once(browser: Client) -> None:
    campaign = make.written_campaign()

    answer = browser.post(f"/admin/campaigns/campaign/{campaign.pk}/clone/")

    made = Campaign.objects.exclude(pk=campaign.pk).get()
    assert answer.headers["Location"] == f"/admin/campaigns/campaign/{made.pk}/change/"
