"""The cap across campaigns, quiet hours and budget; and every rule read anew before each batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as some

from campaigns import approvals, delivery, limits
from campaigns.channels.base import Message, Outcome, Result
from campaigns.experiments import money
from campaigns.models import Campaign, Delivery, SendingRules
from privacy import erasure, suppression
from privacy.problems import DomainError
from profiles.models import Customer
from tests import make
from tests.campaigns.sending import Tray, launched, withdraw
from tests.make import NOW

pytestmark = pytest.mark.django_db

State = Delivery.State
BERLIN = ZoneInfo("Europe/Berlin")


def rules(**columns: object) -> None:
    SendingRules.objects.update_or_create(pk=1, defaults=columns)


def test_the_cap_counts_what_other_campaigns_sent_and_the_skip_says_so() -> None:
    had, fresh = make.reader("had"), make.reader("fresh")
    rules(cap_messages=1, cap_days=7)
    earlier = make.campaign("Earlier")
    make.delivery(earlier, had, sent_at=NOW - timedelta(days=6))
    make.delivery(earlier, fresh, sent_at=NOW - timedelta(days=8))
    campaign, tray = launched(), Tray()

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == ["fresh@example.com"]
    assert campaign.deliveries.get(customer=had).reason == "frequency_cap"


def test_what_may_have_arrived_counts_towards_the_cap_and_what_failed_does_not() -> None:
    maybe, failed = make.reader("maybe"), make.reader("failed")
    rules(cap_messages=1, cap_days=7)
    earlier = make.campaign("Earlier")
    make.delivery(earlier, maybe, state="unknown", intended_at=NOW - timedelta(days=1))
    make.delivery(earlier, failed, state="failed", intended_at=NOW - timedelta(days=1))
    launched()
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == ["failed@example.com"]


def test_two_campaigns_at_once_do_not_pass_the_cap_together() -> None:
    make.reader("ann")
    rules(cap_messages=1, cap_days=7)
    launched(name="one")
    launched(name="two")
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == ["ann@example.com"]
    assert sorted(Delivery.objects.values_list("state", "reason")) == [
        (State.SENT, ""),
        (State.SKIPPED, "frequency_cap"),
    ]


def test_quiet_hours_hold_a_message_until_they_end_where_the_person_is() -> None:
    make.reader("here", time_zone="Europe/Berlin")
    make.reader("there", time_zone="America/New_York")
    rules(quiet_from=time(21), quiet_until=time(8))
    now = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)  # 23:00 in Berlin, 17:00 in New York
    campaign, tray = make.written_campaign(), Tray()
    delivery.plan(campaign, now)
    approvals.launch(campaign)

    delivery.send_due(now, channel=tray)

    assert tray.recipients == ["there@example.com"]
    held = Delivery.objects.get(state=State.PLANNED)
    assert (held.reason, held.n_attempts) == ("quiet_hours", 0)
    assert held.due_at.astimezone(BERLIN) == datetime(2026, 3, 3, 8, 0, tzinfo=BERLIN)
    delivery.send_due(held.due_at, channel=tray)
    assert tray.recipients == ["there@example.com", "here@example.com"]
    assert set(Delivery.objects.values_list("state", "reason")) == {(State.SENT, "")}


@given(
    minutes=some.integers(0, 525_600),
    start=some.times(),
    end=some.times(),
)
def test_the_end_of_quiet_hours_is_ahead_within_a_day_and_outside_them(
    minutes: int, start: time, end: time
) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    until = limits.quiet_end(moment.astimezone(BERLIN), start, end)

    if until is not None:
        assert moment < until.astimezone(UTC) <= moment + timedelta(hours=25)
        assert limits.quiet_end(until.astimezone(UTC).astimezone(BERLIN), start, end) is None


def test_in_the_hour_that_comes_twice_the_end_is_not_behind() -> None:
    second_turn = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)

    until = limits.quiet_end(second_turn, time(22), time(2, 30))

    assert until is not None
    assert until.astimezone(UTC) - second_turn.astimezone(UTC) == timedelta(minutes=20)


def test_a_budget_pays_for_so_many_messages_and_the_rest_are_skipped() -> None:
    for n in range(delivery.INTENT_BATCH + 5):
        make.reader(f"c{n}")
    campaign = launched(budget_minor=330, fixed_cost_minor=100, cost_per_message_micros=100_000)
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    assert len(tray.taken) == 23
    assert dict(campaign.deliveries.values_list("reason", "state").distinct()) == {
        "": State.SENT,
        "budget_spent": State.SKIPPED,
    }


def test_a_budget_that_pays_for_nothing_is_a_fault_of_the_campaign() -> None:
    campaign = make.written_campaign(approved=False)
    Campaign.objects.filter(pk=campaign.pk).update(
        budget_minor=100, fixed_cost_minor=100, cost_per_message_micros=1
    )
    campaign.refresh_from_db()

    assert [fault.code for fault in approvals.faults(campaign, now=NOW)] == ["budget_too_small"]


@given(
    minor=some.integers(-1000, 10**9), micros=some.integers(1, 10**9), exponent=some.integers(0, 3)
)
def test_what_a_budget_pays_for_never_costs_more_and_one_more_would(
    minor: int, micros: int, exponent: int
) -> None:
    n = money.affordable(minor, micros=micros, exponent=exponent)

    assert n * micros * 10**exponent <= max(0, minor) * 1_000_000
    assert (n + 1) * micros * 10**exponent > minor * 1_000_000


@pytest.mark.parametrize(
    ("stop", "why"),
    [("consent", "no_consent"), ("suppression", "suppressed"), ("erasure", "restricted")],
)
def test_who_withdraws_in_mid_run_is_out_of_the_next_small_batch(stop: str, why: str) -> None:
    for n in range(delivery.INTENT_BATCH * 2):
        make.reader(f"c{n:02}")
    campaign = launched()
    last = campaign.deliveries.order_by("pk").reverse()[0].customer

    class Meanwhile(Tray):
        def send_batch(self, messages: Sequence[Message]) -> list[Result]:
            if not self.taken:
                STOPS[stop](last)
            return super().send_batch(messages)

    tray = Meanwhile()
    delivery.send_due(NOW, channel=tray)

    assert len(tray.taken) == delivery.INTENT_BATCH * 2 - 1
    assert f"{last.external_id}@example.com" not in tray.recipients
    states = campaign.counts()
    assert states[State.SENT] == delivery.INTENT_BATCH * 2 - 1
    assert campaign.deliveries.get(customer=last).reason == why


def _suppress(customer: Customer) -> None:
    address = f"{customer.external_id}@example.com"
    suppression.suppress("email", address, reason="complained", now=NOW)


def _erase(customer: Customer) -> None:
    erasure.begin(customer.subject, actor="staff:1", now=NOW)


STOPS: dict[str, Callable[[Customer], None]] = {
    "consent": withdraw,
    "suppression": _suppress,
    "erasure": _erase,
}


def test_the_rest_are_whoever_was_skipped_or_refused_and_nobody_gets_it_twice() -> None:
    for name in ("sent", "maybe", "full", "gone"):
        make.reader(name)
    campaign = launched()
    withdraw(Customer.objects.get(external_id="gone"))
    first = Tray(
        {
            "maybe@example.com": Result("", Outcome.UNKNOWN, "connection_lost"),
            "full@example.com": Result("", Outcome.REFUSED, "552"),
        }
    )
    delivery.send_due(NOW, channel=first)
    campaign.refresh_from_db()

    assert approvals.send_to_the_rest(campaign, now=NOW) == 2
    second = Tray()
    delivery.send_due(NOW, channel=second)

    assert second.recipients == ["full@example.com"]
    assert second.taken[0].content.count(b"Message-ID") == 1
    assert campaign.counts() == {State.SENT: 2, State.UNKNOWN: 1, State.SKIPPED: 1}
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.FINISHED


def test_where_everybody_has_it_there_is_no_rest_and_the_campaign_stays_finished() -> None:
    make.reader()
    campaign = launched()
    delivery.send_due(NOW, channel=Tray())
    campaign.refresh_from_db()

    with pytest.raises(DomainError) as refused:
        approvals.send_to_the_rest(campaign, now=NOW)

    campaign.refresh_from_db()
    assert refused.value.code == "nobody_left"
    assert campaign.status == Campaign.Status.FINISHED


@pytest.fixture
def browser(client: Client) -> Client:
    make.shop(pk=1, sender_email="shop@shop.test")
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    return client


def test_the_delivery_list_says_why_not_and_lists_each_reason_alone(browser: Client) -> None:
    gone, kept = make.reader("gone"), make.reader("kept")
    campaign = launched()
    withdraw(gone)
    delivery.send_due(NOW, channel=Tray())
    page = f"/admin/campaigns/campaign/{campaign.pk}/deliveries/"

    everybody = browser.get(page).content.decode()
    alone = browser.get(page, {"state": "skipped", "reason": "no_consent"})

    assert "There is no consent for this purpose on this channel." in everybody
    assert f"/customer/{kept.pk}/change/" in everybody
    assert [row.customer for row, _why in alone.context["rows"]] == [gone]
    assert "@example.com" not in everybody
    assert "do/rest/" in everybody


def test_a_long_delivery_list_goes_on_by_key_and_forgets_nobody(browser: Client) -> None:
    campaign = make.campaign()
    for n in range(120):
        make.delivery(campaign, make.customer(f"n{n}"), state="skipped", reason="minor")
    page = f"/admin/campaigns/campaign/{campaign.pk}/deliveries/"
    seen: list[int] = []
    after: int | str | None = ""

    while after is not None:
        context = browser.get(page, {"state": "skipped", "after": after}).context
        seen += [row.pk for row, _why in context["rows"]]
        after = context["next"]

    assert len(seen) == len(set(seen)) == 120


def test_quiet_hours_need_both_ends(browser: Client) -> None:
    url = browser.get("/admin/campaigns/sendingrules/").headers["Location"]
    given = {
        "cap_messages": "2",
        "cap_days": "7",
        "quiet_from": "22:00",
        "quiet_until": "",
        "undo_minutes": "10",
    }

    refused = browser.post(url, given)
    saved = browser.post(url, given | {"quiet_until": "08:00"})

    assert "Give both ends" in refused.content.decode()
    assert saved.status_code == 302
    assert SendingRules.current().quiet_until == time(8)
