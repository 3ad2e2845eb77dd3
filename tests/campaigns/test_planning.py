"""A plan: only who may be written to, the arms of the pure function, resumable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import approvals, asking, delivery, targeting, tracking
from campaigns.experiments import assignment
from campaigns.models import Campaign, Delivery
from jobs import running
from jobs.models import Job
from privacy import suppression
from privacy.problems import DomainError
from tests import make
from tests.campaigns.sending import withdraw
from tests.make import NOW

pytestmark = pytest.mark.django_db

State = Delivery.State
Status = Campaign.Status


def test_a_plan_reaches_only_those_who_may_be_written_to() -> None:
    willing = make.reader("willing")
    make.customer("without-consent", email="w@example.com")
    withdraw(make.reader("withdrawn"))
    make.reader("objecting", of=make.subject(objected=True))
    make.reader("restricted", of=make.subject(restricted=True))
    make.reader("out")
    suppression.suppress("email", "out@example.com", reason="bounced", now=NOW)

    n_planned = delivery.plan(make.written_campaign(), NOW)

    assert n_planned == 1
    assert Delivery.objects.get().customer == willing


def test_arms_in_sql_are_those_of_the_pure_function() -> None:
    for n in range(60):
        make.reader(f"c{n}")
    campaign = make.written_campaign(weights={"A": 1, "B": 2}, holdout_ppm=300_000)

    delivery.plan(campaign, NOW)

    for row in Delivery.objects.select_related("customer", "variant"):
        bucket = assignment.bucket(str(campaign.salt), row.customer.external_id)
        arm = assignment.arm(bucket, 300_000, {"A": 1, "B": 2})
        assert row.bucket == bucket
        assert arm == (row.variant.key if row.variant else "holdout")
        assert (row.state == State.HOLDOUT) == (row.token is None) == (arm == "holdout")
    assert len(set(Delivery.objects.values_list("state", flat=True))) == 2


def test_a_reader_is_planned_in_their_language() -> None:
    spoken = {"a": "zh-CN", "b": "zh_TW", "c": "en-GB", "d": "de", "e": ""}
    for external_id, locale in spoken.items():
        make.reader(external_id, locale=locale)
    make.shop(pk=1, language="zh-hans", sender_email="s@shop.test")

    delivery.plan(make.written_campaign(locales=["en", "zh-hans"]), NOW)

    found = dict(Delivery.objects.values_list("customer__external_id", "locale"))
    assert found == {"a": "zh-hans", "b": "zh-hans", "c": "en", "d": "zh-hans", "e": "zh-hans"}


def test_a_token_is_random_long_and_safe_in_an_address() -> None:
    make.reader()
    make.reader()
    delivery.plan(make.written_campaign(), NOW)

    tokens = Delivery.objects.values_list("token", flat=True)

    assert len(set(tokens)) == 2
    assert all(tracking.TOKEN.fullmatch(token or "") for token in tokens)


def test_messages_fall_due_at_the_start_or_now() -> None:
    make.reader()
    later = NOW + timedelta(days=1)

    delivery.plan(make.written_campaign(starts_at=later), NOW)

    assert Delivery.objects.get().due_at == later


def test_a_plan_that_was_killed_goes_on_where_it_stopped() -> None:
    for _ in range(7):
        make.reader()
    campaign = make.written_campaign(holdout_ppm=200_000)

    def stop(*_: int) -> None:
        if Delivery.objects.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delivery.plan(campaign, NOW, progress=stop, range_size=2)
    campaign.refresh_from_db()
    n_before = Delivery.objects.count()
    assert campaign.status == Status.PLANNING
    assert 0 < n_before < 7

    n_after = delivery.plan(campaign, NOW + timedelta(hours=1))

    assert n_before + n_after == Delivery.objects.count() == 7
    assert set(Delivery.objects.values_list("due_at", flat=True)) == {NOW}
    assert campaign.status == Status.PLANNED


def test_a_plan_that_is_cancelled_stops_before_its_next_range_and_sends_nothing() -> None:
    for _ in range(7):
        make.reader()
    campaign = make.written_campaign()

    def cancel(*_: int) -> None:
        if Delivery.objects.exists():
            approvals.cancel(campaign, now=NOW)

    with pytest.raises(DomainError) as caught:
        delivery.plan(campaign, NOW, progress=cancel, range_size=2)
    n_taken = delivery.send_due(NOW + timedelta(days=1))

    campaign.refresh_from_db()
    assert caught.value.code == "plan_stopped"
    assert (campaign.status, n_taken) == (Status.CANCELLED, 0)
    assert 0 < Delivery.objects.count() < 7
    assert set(Delivery.objects.values_list("state", "n_attempts")) == {(State.PLANNED, 0)}


@pytest.mark.parametrize("status", [Status.APPROVED, Status.PLANNING])
def test_a_cancelled_campaign_takes_its_plan_out_of_the_queue(status: str) -> None:
    campaign = make.written_campaign()
    Campaign.objects.filter(pk=campaign.pk).update(status=status, planned_at=NOW)
    job = asking.ask_for_plan(campaign.pk, NOW)

    approvals.cancel(campaign, now=NOW)

    assert running.run(job.pk, clock=lambda: NOW) is None
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED


def test_a_campaign_is_planned_once() -> None:
    make.reader()
    campaign = make.written_campaign()
    delivery.plan(campaign, NOW)

    with pytest.raises(DomainError, match="approved") as caught:
        delivery.plan(campaign, NOW)

    assert caught.value.code == "not_approved"


def test_a_plan_takes_as_many_queries_for_a_hundred_as_for_three() -> None:
    counts = []
    for n_readers in (3, 97):
        for _ in range(n_readers):
            make.reader()
        campaign = make.written_campaign(f"to {n_readers}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            delivery.plan(campaign, NOW)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_an_estimate_adds_up() -> None:
    for _ in range(5):
        make.reader()
    make.customer("without-consent")
    make.reader("out")
    suppression.suppress("email", "out@example.com", reason="bounced", now=NOW)

    estimate = targeting.estimate(make.written_campaign(holdout_ppm=200_000), NOW)

    assert (estimate.n_members, estimate.n_reachable) == (7, 5)
    assert (estimate.n_without_consent, estimate.n_suppressed) == (1, 1)
    assert (estimate.n_holdout, estimate.n_messages) == (1, 4)
