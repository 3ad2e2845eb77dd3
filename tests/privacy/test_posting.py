"""Messages on their way: at least once, for days, each webhook for itself, told why not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from email import message_from_bytes
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction

from privacy import announcing, posting, webhooks
from privacy.announcing import Fact
from privacy.models import (
    Shop,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookMessage,
)
from privacy.problems import DomainError
from tests import make
from tests.make import NOW
from tests.privacy.receiver import Receiver, guard, raw, receiver
from tests.servers import free_port

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
Letters = Callable[[], list[str]]


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def announce(n: int = 1, *, at: datetime = NOW) -> None:
    facts = [
        Fact("job.finished", {"jobId": str(k), "kind": "k", "state": "done", "errorCode": ""})
        for k in range(n)
    ]
    announcing.announce(facts, now=at)


def send(at: datetime = NOW, **facts: Any) -> int:
    return posting.send_due(at, guard=guard(**facts))


def only() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


def answering(status: int, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _heard: (status, named)


# Sent, and tried again ------------------------------------------------------------------------


def test_a_message_is_sent_once_and_what_came_back_is_kept(there: Receiver) -> None:
    make.webhook(url=there.url)
    announce()
    assert (send(), send(), send(NOW + DAY)) == (1, 0, 0)

    delivery = only()
    assert (delivery.state, delivery.status, delivery.reason) == ("delivered", 200, "")
    assert there.ids == [delivery.message.wire_id]
    [attempt] = WebhookAttempt.objects.all()
    assert (attempt.status, attempt.reason) == (200, "")
    assert json.loads(there.heard[0].body)["timestamp"] == "2026-03-02T09:00:00Z"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_status_of_success_is_one(there: Receiver, status: int) -> None:
    there.answer = answering(status, Content_Length="0")
    make.webhook(url=there.url)
    announce()
    send()
    assert (only().state, only().status) == ("delivered", status)


def test_a_failure_is_tried_again_for_three_days_under_one_id_and_one_body(
    there: Receiver,
) -> None:
    there.answer = answering(503)
    make.webhook(url=there.url)
    announce()
    at, times = NOW, []
    for _attempt in range(posting.MAX_ATTEMPTS):
        assert send(at) == 1
        times.append(at)
        assert send(only().due_at - timedelta(seconds=1)) == 0
        # A webhook that fails rests besides.
        at = max(only().due_at, Webhook.objects.get().resting_until or NOW)

    waits = [after - before for before, after in pairwise(times)]
    for wait, least in zip(waits, posting.WAITS, strict=True):
        assert least <= wait <= least * 1.21 + posting.LONGEST_REST
    assert timedelta(days=3) < times[-1] - times[0] < timedelta(days=4)
    assert (only().state, only().reason, only().n_attempts) == ("failed", "http_error", 10)
    assert len(set(there.ids)) == 1
    assert len({heard.body for heard in there.heard}) == 1
    assert len({heard.headers["webhook-timestamp"] for heard in there.heard}) == 10
    assert WebhookAttempt.objects.filter(status=503).count() == 10


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("120", 120, 121),
        ("999999999999", 86_400, 86_401),
        (format_datetime(NOW + timedelta(hours=2)), 7_199, 7_201),
        ("Mon, 02 Mar 2026 10:00:00 -0000", 3_599, 3_601),
        (format_datetime(NOW - timedelta(hours=2)), 5, 7),
        ("soon", 5, 7),
        ("-5", 5, 7),
        ("³", 5, 7),
    ],
)
def test_a_receiver_that_asks_for_time_gets_it_up_to_a_day(
    there: Receiver, asked: str, least: int, most: int
) -> None:
    there.answer = answering(429, Retry_After=asked)
    make.webhook(url=there.url)
    announce()
    send()
    wait = (only().due_at - NOW).total_seconds()
    assert least <= wait <= most


def test_a_redirect_is_not_followed_and_told_as_such(there: Receiver) -> None:
    with receiver() as elsewhere:
        there.answer = answering(307, Location=elsewhere.url)
        make.webhook(url=there.url)
        announce()
        send()
        assert elsewhere.heard == []
    assert (only().state, only().status, only().reason) == ("waiting", 307, "redirect")


def test_a_receiver_that_hangs_is_left_at_the_deadline() -> None:
    with raw(lambda _line: time.sleep(3)) as port:
        make.webhook(url=f"http://127.0.0.1:{port}/")
        announce()
        began = time.monotonic()
        send(seconds=0.2)
        assert time.monotonic() - began < 2
    assert (only().state, only().status, only().reason) == ("waiting", None, "timeout")


def test_a_receiver_inside_our_networks_is_refused_however_it_was_entered(
    there: Receiver,
) -> None:
    make.webhook(url=there.url)
    announce()
    assert posting.send_due(NOW) == 1
    assert (only().reason, there.heard) == ("refused_address", [])


def test_a_name_that_comes_to_lead_inside_is_refused_at_that_moment(there: Receiver) -> None:
    """Rebinding: the address is looked at for each post, not when the webhook is entered."""
    make.webhook(url=f"http://erp.example:{there.port}/hook")
    announce(2)
    WebhookDelivery.objects.filter(pk=only_last().pk).update(due_at=NOW + DAY)
    send(resolve=lambda _host, _port: ["127.0.0.1"])
    send(NOW + DAY, resolve=lambda _host, _port: ["169.254.169.254"])
    assert len(there.heard) == 1
    assert only_last().reason == "refused_address"


def only_last() -> WebhookDelivery:
    return WebhookDelivery.objects.latest("pk")


# One webhook for itself -----------------------------------------------------------------------


def test_a_webhook_that_hangs_holds_up_only_its_own(there: Receiver) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(raw(lambda _line: time.sleep(2)))
        make.webhook("slow", f"http://127.0.0.1:{port}/")
        make.webhook("well", there.url)
        announce(20)
        began = time.monotonic()
        send(seconds=1)
        assert time.monotonic() - began < 6

    states = WebhookDelivery.objects.filter(webhook__name="well").values_list("state", flat=True)
    assert set(states) == {"delivered"}
    slow = WebhookDelivery.objects.filter(webhook__name="slow")
    # What was left out for its sake has cost no attempt.
    assert slow.filter(n_attempts=1).count() <= posting.THREADS
    assert slow.filter(state="waiting").count() == 20
    assert slow.filter(n_attempts=0).count() >= 20 - posting.THREADS


def test_a_webhook_that_fails_again_and_again_rests_ever_longer() -> None:
    webhook = make.webhook(url=f"http://127.0.0.1:{free_port()}/")
    announce(5)
    rests = []
    for hour in range(12):
        at = NOW + timedelta(hours=hour)
        WebhookDelivery.objects.filter(state="waiting").update(due_at=at)
        send(at)
        webhook.refresh_from_db()
        rests.append(round((webhook.resting_until - at).total_seconds()))  # type: ignore[operator]
        assert send(at + timedelta(seconds=rests[-1] / 2)) == 0
    assert rests == sorted(rests)
    assert rests[0] <= 1
    assert rests[-1] == pytest.approx(posting.LONGEST_REST.total_seconds(), abs=5)
    assert webhook.failing_since < NOW + timedelta(minutes=1)  # type: ignore[operator]


def test_a_success_ends_failing_and_resting(there: Receiver) -> None:
    make.webhook(url=there.url, n_failures=9, failing_since=NOW - DAY, resting_until=NOW)
    announce()
    send()
    webhook = Webhook.objects.get()
    assert (webhook.n_failures, webhook.failing_since, webhook.resting_until) == (0, None, None)


def test_each_webhook_gets_a_share_of_a_batch(there: Receiver) -> None:
    for name in ("a", "b", "c"):
        make.webhook(name, there.url)
    announce(40)
    assert send() == 3 * posting.SHARE


def test_a_batch_asks_the_database_no_more_for_many_rows_than_for_few(
    there: Receiver, django_assert_max_num_queries: Any
) -> None:
    make.webhook(url=there.url)
    announce(2)
    with django_assert_max_num_queries(29) as few:
        send()
    announce(20)
    with django_assert_max_num_queries(len(few)):
        assert send() == 20


# Disabled -------------------------------------------------------------------------------------


@pytest.fixture
def letters(settings: Any, tmp_path: Path) -> Callable[[], list[str]]:
    """Reads what was mailed: to whom, and the subject."""
    settings.OUTBOX_DIR, settings.SMTP_URL = tmp_path, ""
    make.shop(sender_email="shop@shop.test")
    boss = make.staff()
    boss.email = "boss@shop.test"
    boss.save()

    def read() -> list[str]:
        found = (tmp_path / "letters").glob("*.eml")
        mails = [message_from_bytes(path.read_bytes()) for path in sorted(found)]
        return [f"{mail['To']}: {mail['Subject']}" for mail in mails]

    return read


def test_a_receiver_that_is_gone_is_sent_nothing_more(there: Receiver, letters: Letters) -> None:
    there.answer = answering(410)
    make.webhook(url=there.url)
    announce(1)
    send()
    announce(1, at=NOW + DAY)

    webhook = Webhook.objects.get()
    assert (webhook.state, webhook.disabled_at is not None) == ("gone", True)
    assert (only().state, only().reason, only().status) == ("failed", "gone", 410)
    assert send(NOW + DAY) == 0
    assert letters() == ["boss@shop.test: Webhook disabled: ERP"]
    assert posting.tell_of_disabled(NOW + DAY) == 0
    assert len(letters()) == 1


def test_a_notice_that_no_mail_server_took_is_sent_the_next_hour(letters: Letters) -> None:
    make.webhook(state="gone", disabled_at=NOW)
    Shop.objects.update(sender_email="")
    assert posting.tell_of_disabled(NOW) == 0
    Shop.objects.update(sender_email="shop@shop.test")
    assert posting.tell_of_disabled(NOW) == 1
    assert posting.tell_of_disabled(NOW) == 0
    assert letters() == ["boss@shop.test: Webhook disabled: ERP"]


def test_a_receiver_that_fails_for_three_days_is_disabled_with_a_notice(
    there: Receiver, letters: Letters
) -> None:
    there.answer = answering(500)
    make.webhook(url=there.url)
    announce()
    send()
    announce(3, at=NOW + 3 * DAY - timedelta(minutes=1))
    send(NOW + 3 * DAY - timedelta(minutes=1))
    assert Webhook.objects.get().state == "enabled"
    WebhookDelivery.objects.filter(state="waiting").update(due_at=NOW + 3 * DAY)
    WebhookDelivery.objects.filter(pk=only_last().pk).update(due_at=NOW + 30 * DAY)
    send(NOW + 3 * DAY + timedelta(hours=1))

    assert Webhook.objects.get().state == "failing"
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"failed"}
    assert letters() == ["boss@shop.test: Webhook disabled: ERP"]
    announce(at=NOW + 4 * DAY)
    assert only_last().reason == "webhook_disabled"

    # Once it is well, it gets all of it.
    there.answer = answering(200)
    there.heard.clear()
    webhook = Webhook.objects.get()
    with pytest.raises(DomainError):
        webhooks.replay_failed(webhook, since=NOW, now=NOW + 4 * DAY)
    webhooks.change(webhook, is_enabled=True, actor="staff:1", now=NOW + 4 * DAY)
    assert webhooks.replay_failed(webhook, since=NOW, now=NOW + 4 * DAY) == 5
    send(NOW + 4 * DAY)
    assert set(there.ids) == {message.wire_id for message in WebhookMessage.objects.all()}


def test_a_webhook_disabled_while_its_message_is_out_is_not_tried_again(there: Receiver) -> None:
    webhook = make.webhook(url=there.url)
    announce()
    there.answer = answering(500)
    token = posting.claim(NOW, 1)
    assert token is not None
    webhooks.change(webhook, is_enabled=False, actor="staff:1", now=NOW)
    posting.send_claimed(token, guard(), lambda: NOW)
    assert (only().state, only().reason) == ("failed", "webhook_disabled")


# Workers --------------------------------------------------------------------------------------


def test_what_a_dead_worker_held_is_sent_by_the_next_under_the_same_id(there: Receiver) -> None:
    make.webhook(url=there.url)
    announce(3)
    assert posting.claim(NOW, 2) is not None  # and then it dies
    assert send() == 0  # its webhook is in other hands
    later = NOW + posting.LEASE + timedelta(seconds=1)
    assert send(later) == 3
    assert len(set(there.ids)) == 3
    assert sorted(WebhookDelivery.objects.values_list("n_attempts", flat=True)) == [1, 2, 2]


def test_a_message_over_which_every_worker_dies_ends() -> None:
    make.webhook()
    announce()
    at = NOW
    for _ in range(posting.MAX_ATTEMPTS):
        assert posting.claim(at, 1) is not None
        at += posting.LEASE + timedelta(seconds=1)
        posting.recover(at)
    assert (only().state, only().reason) == ("failed", "worker_lost")


def test_what_a_slow_worker_learns_of_a_row_it_lost_is_not_written(there: Receiver) -> None:
    make.webhook(url=there.url)
    announce()
    token = posting.claim(NOW, 1)
    assert token is not None
    late = NOW + posting.LEASE + timedelta(seconds=1)
    outcome = posting.Outcome(only().pk, NOW, None, "timeout", 5)
    assert send(late) == 1
    posting.record([outcome], token, late)
    assert only().state == "delivered"
    assert WebhookAttempt.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_send_each_message_once(there: Receiver) -> None:
    for name in ("a", "b", "c"):
        make.webhook(name, there.url)
    with transaction.atomic():
        announce(30)
    start = threading.Barrier(4)

    def work(_: int) -> None:
        try:
            start.wait()
            for _round in range(8):
                send()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    sent = [
        (heard.headers["webhook-id"], heard.headers["webhook-signature"]) for heard in there.heard
    ]
    assert len(sent) == 90
    assert len(set(sent)) == 90
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}


# Again, and tests -----------------------------------------------------------------------------


def test_one_is_sent_again_under_its_id_whatever_its_end(there: Receiver) -> None:
    make.webhook(url=there.url)
    announce()
    send()
    webhooks.replay(only(), now=NOW)
    with pytest.raises(DomainError) as error:
        webhooks.replay(only(), now=NOW)
    assert (error.value.code, error.value.status) == ("not_replayable", 409)
    send()
    assert len(there.ids) == 2
    assert len(set(there.ids)) == 1


def test_failed_ones_since_a_moment_are_sent_again(there: Receiver) -> None:
    webhook = make.webhook(url=there.url)
    other = make.webhook("other", there.url)
    for day in range(3):
        announce(at=NOW + day * DAY)
    WebhookDelivery.objects.update(state="failed", n_attempts=10)
    last = WebhookDelivery.objects.filter(webhook=webhook).latest("pk")
    WebhookDelivery.objects.filter(pk=last.pk).update(state="delivered")

    assert webhooks.replay_failed(webhook, since=NOW + DAY, now=NOW + 5 * DAY) == 1
    send(NOW + 5 * DAY)
    assert len(there.heard) == 1
    assert other.deliveries.filter(state="failed").count() == 3


def test_a_test_is_sent_at_once_and_only_once_and_says_nothing_of_the_webhooks_health(
    there: Receiver,
) -> None:
    webhook = make.webhook(url=there.url, state="disabled")
    there.answer = answering(500)
    delivery = webhooks.test_message(webhook, now=NOW)
    posting.send_now(delivery, NOW, guard=guard())

    assert (delivery.state, delivery.status, delivery.reason) == ("failed", 500, "http_error")
    assert json.loads(there.heard[0].body) == {
        "type": "webhook.test",
        "timestamp": "2026-03-02T09:00:00Z",
        "data": {"webhookId": str(webhook.uuid)},
    }
    webhook.refresh_from_db()
    assert webhook.n_failures == 0
    assert send(NOW + DAY) == 0
