"""What changes while a worker waits for the locks under which it means to send, counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import time, timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import QuerySet

from campaigns import delivery
from campaigns.models import Campaign, Delivery, SendingRules
from privacy import erasure, suppression
from profiles.models import Customer
from tests import make
from tests.campaigns.sending import Tray, launched, withdraw
from tests.faults.installation import until
from tests.make import NOW
from tests.profiles.test_at_the_same_time import somebody_waits

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "keystore"]),
    pytest.mark.postgres,
]


def _suppress(_customer: Customer) -> None:
    suppression.suppress("email", "ann@example.com", reason="complained", now=NOW)


def _erase(customer: Customer) -> None:
    erasure.begin(customer.subject, actor="staff:1", now=NOW)


def _lower_the_cap(customer: Customer) -> None:
    make.delivery(make.campaign("Earlier"), customer, sent_at=NOW - timedelta(days=1))
    SendingRules.objects.update(cap_messages=1)


def _begin_quiet_hours(_customer: Customer) -> None:
    SendingRules.objects.update(quiet_from=time(0), quiet_until=time(23, 59))


def send_while(change: Callable[[], object], tray: Tray, *, locked: QuerySet[Any]) -> None:
    """Let a worker send that waits for the rows' locks, and change something meanwhile."""

    def send() -> None:
        try:
            delivery.send_due(NOW, channel=tray)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            list(locked.select_for_update(no_key=True))
            sending = pool.submit(send)
            until(lambda: somebody_waits() or sending.done(), "the worker")
            assert not sending.done()
            change()
        sending.result(20)


@contextmanager
def sent_meanwhile(campaign: Campaign, customer: Customer) -> Iterator[None]:
    """Another worker, which sends to the customer under their lock and is not through yet."""
    begun, over = Event(), Event()

    def work() -> None:
        try:
            with transaction.atomic():
                list(Customer.objects.select_for_update(no_key=True).filter(pk=customer.pk))
                make.delivery(campaign, customer, sent_at=NOW)
                begun.set()
                assert over.wait(30)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        assert begun.wait(30)
        try:
            yield
        finally:
            over.set()
        working.result(20)


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        (withdraw, "skipped", "no_consent"),
        (_suppress, "skipped", "suppressed"),
        (_erase, "skipped", "restricted"),
        (_lower_the_cap, "skipped", "frequency_cap"),
        (_begin_quiet_hours, "planned", "quiet_hours"),
    ],
)
def test_what_changes_while_a_worker_waits_for_the_customers_locks_counts(
    change: Callable[[Customer], None], state: str, reason: str
) -> None:
    ann, tray = make.reader("ann"), Tray()
    SendingRules.objects.create(pk=1, cap_messages=9)
    launched()

    send_while(lambda: change(ann), tray, locked=Customer.objects.filter(pk=ann.pk))

    assert tray.recipients == []
    row = Delivery.objects.get(campaign__name="June")
    assert (row.state, row.reason) == (state, reason)


def test_a_cap_that_is_set_meanwhile_is_not_counted_without_the_customers_locks() -> None:
    ann, tray = make.reader("ann"), Tray()
    SendingRules.objects.create(pk=1)
    june = launched(budget_minor=100_000, cost_per_message_micros=10_000)

    with sent_meanwhile(make.campaign("Earlier"), ann):
        send_while(
            lambda: SendingRules.objects.update(cap_messages=1),
            tray,
            locked=Campaign.objects.filter(pk=june.pk),
        )
        assert tray.recipients == []
        assert june.deliveries.get().state == "planned"
    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == []
    assert june.deliveries.get().reason == "frequency_cap"


def test_a_budget_that_is_set_meanwhile_is_not_counted_without_the_campaigns_lock() -> None:
    ann, tray = make.reader("ann"), Tray()
    SendingRules.objects.create(pk=1, cap_messages=9)
    june = launched(cost_per_message_micros=10_000)
    budget = Campaign.objects.filter(pk=june.pk)

    send_while(
        lambda: budget.update(budget_minor=0), tray, locked=Customer.objects.filter(pk=ann.pk)
    )

    row = june.deliveries.get()
    assert (tray.recipients, row.state, row.n_attempts) == ([], "planned", 0)
