"""What changes while a worker waits for the locks under which it means to send, counts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import time, timedelta

import pytest
from django.db import connections, transaction

from campaigns import delivery
from campaigns.models import Delivery, SendingRules
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

    def send() -> None:
        try:
            delivery.send_due(NOW, channel=tray)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            list(Customer.objects.select_for_update(no_key=True).filter(pk=ann.pk))
            sending = pool.submit(send)
            until(lambda: somebody_waits() or sending.done(), "the worker")
            assert not sending.done()
            change(ann)
        sending.result(20)

    assert tray.recipients == []
    row = Delivery.objects.get(campaign__name="June")
    assert (row.state, row.reason) == (state, reason)
