"""The rate and the breaker of a mail server: shared by workers, kept in a row, shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import delivery, throttling
from campaigns.channels.base import Message, Outcome, Result
from campaigns.models import Delivery, Provider
from privacy.models import Subject
from profiles.models import Customer
from tests import make
from tests.campaigns.sending import Tray, launched
from tests.make import NOW

pytestmark = pytest.mark.django_db

State = Delivery.State
SECOND = timedelta(seconds=1)


class Down(Tray):
    """A server that is not there until somebody sets `up`."""

    up = False

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        if self.up:
            return super().send_batch(messages)
        self.taken += messages
        return [Result(message.key, Outcome.LATER, "no_connection") for message in messages]


def rate(per_minute: int) -> None:
    Provider.objects.update_or_create(name="outbox", defaults={"per_minute": per_minute})


def test_without_a_rate_nothing_is_held_up_and_nothing_written() -> None:
    assert throttling.allowance(200, NOW) == 200
    assert throttling.limit(NOW) is None
    assert Provider.objects.get().refilled_at is None


def test_workers_together_stay_within_the_rate_of_any_minute() -> None:
    rate(60)
    taken = [
        (second, throttling.allowance(200, NOW + second * SECOND))
        for second in range(300)
        for _worker in range(2)
    ]

    for start in range(0, 240, 7):
        within = sum(n for second, n in taken if start <= second < start + 60)
        assert within <= 60 + 10  # the rate, and what may go at once after a rest
    assert sum(n for _second, n in taken) >= 300


def test_what_was_not_used_is_given_back() -> None:
    rate(60)
    assert throttling.allowance(10, NOW) == 10
    assert throttling.allowance(10, NOW) == 0
    throttling.give_back(4)

    assert throttling.allowance(10, NOW) == 4


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps_lets_one_burst_through_at_most(jump: timedelta) -> None:
    rate(60)
    throttling.allowance(10, NOW)

    assert throttling.allowance(200, NOW + jump) <= 10


def test_a_rate_sends_no_more_at_once_and_says_what_limits() -> None:
    for _ in range(30):
        make.reader()
    rate(60)
    campaign, tray = launched(), Tray()

    assert delivery.send_due(NOW, channel=tray) == 10
    assert delivery.send_due(NOW, channel=tray) == 0
    found = throttling.limit(NOW)
    assert found is not None
    assert throttling.in_words(found) == "Limited by the rate of outbox: 60 a minute."
    for second in (10, 20):
        delivery.send_due(NOW + second * SECOND, channel=tray)

    assert len(tray.taken) == 30
    assert campaign.counts() == {State.SENT: 30}


def test_what_the_gate_stops_costs_no_leave() -> None:
    for n in range(12):
        make.reader(f"c{n:02}", full_name="Ann")
    rate(60)
    launched()
    people = Customer.objects.filter(external_id__lt="c05").values("subject")
    Subject.objects.filter(uuid__in=people).update(objected=True)
    tray = Tray()

    delivery.send_due(NOW, channel=tray)
    delivery.send_due(NOW, channel=tray)

    assert len(tray.taken) == 7


def test_a_server_that_is_down_is_left_alone_and_tried_with_one_message() -> None:
    for _ in range(delivery.INTENT_BATCH * 4):
        make.reader()
    campaign, server = launched(), Down()

    delivery.send_due(NOW, channel=server)
    assert len(server.taken) == delivery.INTENT_BATCH * throttling.FAILURES_TO_OPEN
    assert delivery.send_due(NOW + 30 * SECOND, channel=server) == 0
    found = throttling.limit(NOW + 30 * SECOND)
    assert found is not None
    assert (found.kind, found.error) == ("breaker", "no_connection")

    probe_at = NOW + 2 * throttling.FIRST_PAUSE
    assert delivery.send_due(probe_at, channel=server) == 1
    assert delivery.send_due(probe_at + throttling.FIRST_PAUSE, channel=server) == 0
    server.up = True
    back = probe_at + 3 * throttling.FIRST_PAUSE
    assert delivery.send_due(back, channel=server) == 1
    assert Provider.objects.get().n_failures == 0
    for later in range(3):
        delivery.send_due(back + later * delivery.RETRY_AFTER, channel=server)

    assert campaign.counts() == {State.SENT: delivery.INTENT_BATCH * 4}


def test_two_workers_do_not_try_a_server_that_was_down_at_the_same_time() -> None:
    name = {"name": "outbox", "n_failures": 5, "opened_until": NOW - SECOND}
    Provider.objects.create(**name)

    assert [throttling.allowance(200, NOW) for _worker in range(3)] == [1, 0, 0]
    assert throttling.allowance(200, NOW + 2 * throttling.PROBE) == 1


def test_a_server_that_refuses_one_reader_has_not_failed() -> None:
    assert throttling.allowance(1, NOW) == 1
    mixed = [Result("1", Outcome.LATER, "no_connection"), Result("2", Outcome.REFUSED, "550")]

    for _ in range(10):
        assert throttling.report(mixed, NOW)
        assert throttling.report([Result("1", Outcome.LATER, "451")], NOW)

    assert Provider.objects.get().n_failures == 0


@pytest.fixture
def browser(client: Client) -> Client:
    make.shop(pk=1, sender_email="shop@shop.test")
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    return client


def test_a_campaign_under_way_shows_what_limits_it(browser: Client) -> None:
    make.reader()
    campaign = launched()
    Provider.objects.create(name="outbox", per_minute=7, limited_at=timezone.now())

    shown = browser.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()

    assert "Limited by the rate of outbox: 7 a minute." in shown


def test_the_rate_is_set_on_the_page_of_the_channel(browser: Client) -> None:
    throttling.allowance(1, NOW)
    provider = Provider.objects.get()
    page = f"/admin/campaigns/provider/{provider.pk}/change/"

    assert "Works" in browser.get("/admin/campaigns/provider/").content.decode()
    assert browser.post(page, {"per_minute": "0"}).status_code == 200
    assert browser.post(page, {"per_minute": "120"}).status_code == 302

    provider.refresh_from_db()
    assert provider.per_minute == 120


# Receiving domains, and servers that nobody knows yet ------------------------------------------


def test_a_receiving_domain_keeps_to_its_rate_while_others_go_on() -> None:
    for n in range(15):
        make.reader(f"g{n:02}", email=f"g{n}@gmail.test")
        make.reader(f"o{n:02}", email=f"o{n}@other.test")
    Provider.objects.create(name="@gmail.test", per_minute=60)
    campaign, tray = launched(), Tray()

    delivery.send_due(NOW, channel=tray)

    assert sum("@other.test" in one for one in tray.recipients) == 15
    assert sum("@gmail.test" in one for one in tray.recipients) == 10
    waiting = campaign.deliveries.filter(state=State.PLANNED)
    assert set(waiting.values_list("reason", "n_attempts")) == {("domain_rate", 0)}
    found = throttling.limit(NOW)
    assert found is not None
    assert throttling.in_words(found) == "Limited by the rate of @gmail.test: 60 a minute."

    delivery.send_due(NOW + 15 * SECOND, channel=tray)
    assert campaign.counts() == {State.SENT: 30}
    assert set(campaign.deliveries.values_list("reason", flat=True)) == {""}


def test_without_rates_of_domains_one_look_suffices() -> None:
    messages = [Message(str(n), "", f"x@d{n}.test", b"", NOW) for n in range(50)]

    with CaptureQueriesContext(connection) as seen:
        assert throttling.held_back(messages, NOW) == set()
    assert len(seen) == 1


@pytest.mark.parametrize(("day", "allowed"), [(-1, 500), (0, 200), (1, 400), (13, 500), (14, 500)])
def test_a_warm_up_doubles_from_day_to_day_and_ends(day: int, allowed: int) -> None:
    Provider.objects.create(name="outbox", warm_up_from=(NOW - timedelta(days=day)).date())

    assert throttling.allowance(500, NOW) == allowed
    left = 0 if allowed < 500 else 500
    assert throttling.allowance(500, NOW + SECOND) == (left or 0)


def test_a_warm_up_says_so_takes_back_what_was_not_used_and_begins_anew_each_day() -> None:
    Provider.objects.create(name="outbox", warm_up_from=NOW.date())
    assert throttling.allowance(200, NOW) == 200
    throttling.give_back(50)
    assert [throttling.allowance(40, NOW + SECOND), throttling.allowance(40, NOW + SECOND)] == [
        40,
        10,
    ]

    found = throttling.limit(NOW + SECOND)
    assert found is not None
    assert throttling.in_words(found) == "Limited by the warm-up of outbox: 200 messages today."
    assert throttling.allowance(500, NOW + timedelta(days=1)) == 400


def test_a_domain_gets_its_rate_on_the_page_of_the_channel(browser: Client) -> None:
    add = "/admin/campaigns/provider/add/"

    assert browser.get(add).status_code == 200
    assert browser.post(add, {"domain": "no domain", "per_minute": "9"}).status_code == 200
    assert browser.post(add, {"domain": "@Gmail.com ", "per_minute": "90"}).status_code == 302
    assert browser.post(add, {"domain": "gmail.com", "per_minute": "90"}).status_code == 200

    assert Provider.objects.values_list("name", "per_minute").get() == ("@gmail.com", 90)
