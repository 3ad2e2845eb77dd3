"""Sending: once each, gated at the last moment, honest about crashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import approvals, delivery, throttling
from campaigns.channels.base import Message, Outcome, Result
from campaigns.composing import Composer
from campaigns.models import Campaign, Delivery, Link, Template
from privacy import suppression
from privacy.models import AuditEntry, Suppression
from privacy.problems import DomainError
from profiles.models import Customer
from tests import make
from tests.campaigns.sending import Tray, body, launched, parsed, withdraw
from tests.make import NOW

pytestmark = pytest.mark.django_db

State = Delivery.State
Status = Campaign.Status


def test_every_reader_gets_their_message_once() -> None:
    ann, wei = make.reader("ann"), make.reader("wei", locale="zh-CN", full_name="张伟")
    campaign, tray = launched(locales=["en", "zh-hans"]), Tray()

    assert delivery.send_due(NOW, channel=tray) == 2
    assert delivery.send_due(NOW, channel=tray) == 0

    by_address = {message.recipient: message for message in tray.taken}
    assert sorted(by_address) == ["ann@example.com", "wei@example.com"]
    assert parsed(by_address["ann@example.com"])["Subject"] == "Hello A en"
    assert parsed(by_address["wei@example.com"])["Subject"] == "Hello A zh-hans"
    assert "Hi Ann<" in body(by_address["ann@example.com"])
    assert "Hi 张伟<" in body(by_address["wei@example.com"])
    assert set(Delivery.objects.values_list("state", "customer")) == {
        (State.SENT, ann.pk),
        (State.SENT, wei.pk),
    }
    campaign.refresh_from_db()
    assert campaign.status == Status.FINISHED


def test_links_of_a_message_lead_over_the_tracker_and_hold_no_target() -> None:
    make.reader()
    launched()
    tray = Tray()
    delivery.send_due(NOW, channel=tray)
    row, link = Delivery.objects.get(), Link.objects.get()

    html, text = body(tray.taken[0]), body(tray.taken[0], "plain")

    assert link.url == "https://shop.test/en"
    assert "shop.test/en" not in html + text
    assert f"/c/{row.token}." in html
    assert f"/c/{row.token}." in text
    assert f"/o/{row.token}" in html
    assert f"/u/{row.token}" in html
    assert parsed(tray.taken[0])["List-Unsubscribe"] == f"<http://127.0.0.1:8000/u/{row.token}>"
    assert str(row.token) not in str(parsed(tray.taken[0])["Message-ID"])


def test_the_holdout_gets_nothing() -> None:
    for n in range(20):
        make.reader(f"c{n}")
    campaign, tray = launched(holdout_ppm=500_000), Tray()
    delivery.send_due(NOW, channel=tray)

    states = Counter(Delivery.objects.values_list("state", flat=True))

    assert states[State.HOLDOUT] > 0
    assert len(tray.taken) == states[State.SENT] == 20 - states[State.HOLDOUT]
    assert campaign.counts() == dict(states)


def test_a_consent_withdrawn_after_the_plan_stops_the_message_and_says_why() -> None:
    gone, out, left = make.reader("gone"), make.reader("out"), make.reader("left")
    objecting, mute = make.reader("objecting"), make.reader("mute")
    young = make.reader("young")
    launched()
    withdraw(gone)
    mute.email = None
    mute.save()
    suppression.suppress("email", "out@example.com", reason="complained", now=NOW)
    type(objecting.subject).objects.filter(pk=objecting.subject.pk).update(objected=True)
    type(young.subject).objects.filter(pk=young.subject.pk).update(minor_until="2999-01-01")
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == ["left@example.com"]
    assert dict(Delivery.objects.values_list("customer", "reason")) == {
        gone.pk: "no_consent",
        out.pk: "suppressed",
        objecting.pk: "objected",
        mute.pk: "no_address",
        young.pk: "minor",
        left.pk: "",
    }


def test_a_consent_withdrawn_after_the_last_look_leaves_the_address_shut() -> None:
    kept, gone = make.reader("kept"), make.reader("gone")
    launched()
    rows = list(Delivery.objects.select_related("campaign"))
    withdraw(gone)

    messages, failed = Composer(rows[0].campaign, now=NOW).compose(rows)

    assert [message.recipient for message in messages] == ["kept@example.com"]
    assert failed == {row.pk: "no_consent" for row in rows if row.customer_id == gone.pk}
    entry = AuditEntry.objects.filter(action="value.revealed").latest("pk")
    assert entry.subjects == [str(kept.subject_id)]


def test_nothing_goes_out_before_launch_and_while_paused() -> None:
    make.reader()
    campaign, tray = make.written_campaign(), Tray()
    delivery.plan(campaign, NOW)

    assert delivery.send_due(NOW, channel=tray) == 0
    approvals.launch(campaign)
    approvals.pause(campaign)
    assert delivery.send_due(NOW, channel=tray) == 0
    approvals.resume(campaign, now=NOW)
    assert delivery.send_due(NOW, channel=tray) == 1


def test_a_pause_in_mid_run_stops_after_one_small_batch() -> None:
    for _ in range(delivery.INTENT_BATCH * 2):
        make.reader()
    campaign = launched()

    class Pausing(Tray):
        def send_batch(self, messages: Sequence[Message]) -> list[Result]:
            Campaign.objects.filter(pk=campaign.pk).update(status=Status.PAUSED)
            return super().send_batch(messages)

    tray = Pausing()
    delivery.send_due(NOW, channel=tray)

    assert len(tray.taken) == delivery.INTENT_BATCH
    assert campaign.counts() == {
        State.PLANNED: delivery.INTENT_BATCH,
        State.SENT: delivery.INTENT_BATCH,
    }
    assert set(
        Delivery.objects.filter(state=State.PLANNED).values_list("n_attempts", flat=True)
    ) == {0}


def test_a_message_edited_in_mid_run_pauses_the_campaign() -> None:
    make.reader()
    campaign, tray = launched(), Tray()
    Template.objects.update(body_html="<p>other</p>")

    delivery.send_due(NOW, channel=tray)

    campaign.refresh_from_db()
    assert (campaign.status, campaign.pause_reason) == (Status.PAUSED, "message_changed")
    assert tray.taken == []
    with pytest.raises(DomainError, match="edited"):
        approvals.resume(campaign, now=NOW)


def test_a_temporary_refusal_is_tried_again_later_and_not_for_ever() -> None:
    make.reader("ann")
    launched()
    tray = Tray({"ann@example.com": Result("", Outcome.LATER, "451")})
    now = NOW

    for _ in range(delivery.MAX_ATTEMPTS):
        assert delivery.send_due(now, channel=tray) == 1
        assert delivery.send_due(now + timedelta(minutes=1), channel=tray) == 0
        now += timedelta(hours=2)

    row = Delivery.objects.get()
    assert (row.state, row.reason, row.n_attempts) == (State.FAILED, "451", 5)
    assert len({str(parsed(message)["Message-ID"]) for message in tray.taken}) == 1


def test_an_address_that_does_not_exist_is_never_written_to_again() -> None:
    make.reader("ann")
    make.reader("bob")
    launched()
    tray = Tray(
        {
            "ann@example.com": Result("", Outcome.REFUSED, "550 5.1.1"),
            "bob@example.com": Result("", Outcome.REFUSED, "550 5.7.1"),
        }
    )

    delivery.send_due(NOW, channel=tray)

    assert set(Delivery.objects.values_list("state", flat=True)) == {State.FAILED}
    assert suppression.is_suppressed("email", "ann@example.com")
    assert not suppression.is_suppressed("email", "bob@example.com")
    assert Suppression.objects.get().reason == "bounced"


def test_what_may_have_arrived_is_unknown_and_never_sent_again() -> None:
    make.reader("ann")
    campaign = launched()
    tray = Tray({"ann@example.com": Result("", Outcome.UNKNOWN, "connection_lost")})

    delivery.send_due(NOW, channel=tray)
    delivery.send_due(NOW + timedelta(days=1), channel=tray)

    assert Delivery.objects.get().state == State.UNKNOWN
    assert len(tray.taken) == 1
    campaign.refresh_from_db()
    assert campaign.status == Status.FINISHED


def test_a_worker_that_dies_leaves_unknown_what_it_began_and_planned_what_it_did_not() -> None:
    for _ in range(delivery.INTENT_BATCH + 5):
        make.reader()
    launched()

    class Dying(Tray):
        def send_batch(self, messages: Sequence[Message]) -> list[Result]:
            raise SystemExit

    with pytest.raises(SystemExit):
        delivery.send_due(NOW, channel=Dying())
    assert delivery.send_due(NOW, channel=Tray()) == 0
    later, tray = NOW + delivery.LEASE * 2, Tray()

    assert delivery.send_due(later, channel=tray) == 5

    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert states == {State.UNKNOWN: delivery.INTENT_BATCH, State.SENT: 5}


def test_a_late_result_still_counts_and_what_was_taken_back_is_not_sent() -> None:
    for _ in range(delivery.INTENT_BATCH + 5):
        make.reader()
    campaign = launched()

    class Slow(Tray):
        def send_batch(self, messages: Sequence[Message]) -> list[Result]:
            delivery.recover(NOW + delivery.LEASE * 2)
            assert campaign.counts() == {State.UNKNOWN: delivery.INTENT_BATCH, State.PLANNED: 5}
            return super().send_batch(messages)

    delivery.send_due(NOW, channel=Slow())

    assert campaign.counts() == {State.SENT: delivery.INTENT_BATCH, State.PLANNED: 5}


def test_a_cancelled_campaign_sends_no_more() -> None:
    make.reader()
    campaign, tray = launched(), Tray()

    approvals.cancel(campaign, now=NOW)
    delivery.send_due(NOW, channel=tray)

    assert tray.taken == []
    assert campaign.status == Status.CANCELLED


def test_sending_takes_as_many_queries_for_a_full_batch_as_for_three() -> None:
    counts = []
    throttling.allowance(1, NOW)
    for n_readers in (3, delivery.INTENT_BATCH):
        Customer.objects.all().delete()
        for n in range(n_readers):
            make.reader(f"c{n}")
        launched(name=f"to {n_readers}")
        with CaptureQueriesContext(connection) as queries:
            assert delivery.send_due(NOW, channel=Tray()) == n_readers
        counts.append(len(queries))

    assert counts[0] == counts[1]
