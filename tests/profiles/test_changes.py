"""Every way in which something happens to a customer marks them for the next build of traits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from jobs import queue, running
from privacy import retention
from profiles import changes
from profiles.identity import joining
from profiles.models import Customer, CustomerChange, CustomerTraits, Event
from profiles.traits import featuring
from tests import make
from tests.make import NOW
from tests.profiles.calls import identify, merge, order_event, post, track
from tests.profiles.orders import HEAD, MAPPED, load, put
from tests.profiles.test_event_traits import event
from tests.profiles.test_orders_api import call, facts, refund

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


def marked(act: Callable[[], object]) -> set[str]:
    """Who is marked by an act, by the shop's ids."""
    CustomerChange.objects.all().delete()
    act()
    changed = CustomerChange.objects.values("customer")
    return set(Customer.objects.filter(pk__in=changed).values_list("external_id", flat=True))


def told(client: Client, *events: dict[str, Any], key: str = "") -> Callable[[], None]:
    def act() -> None:
        post(client, *events, key=key or make.secret_key())
        merge()

    return act


def test_who_a_statement_finds_is_marked_once_and_nobody_is_not() -> None:
    ann, ben = make.customer(), make.customer()
    for by in (ann, ann, None, ben):
        make.order(by, ("tv", "", 1, 100))
    CustomerChange.objects.all().delete()
    sql = "SELECT customer_id FROM profiles_order WHERE currency = %s AND number <> %s"

    with connection.cursor() as cursor:
        changes.mark_found(cursor, sql, ["EUR", "o4"])

    assert list(CustomerChange.objects.values_list("customer", flat=True)) == [ann.pk]


def test_an_event_marks_its_customer(client: Client) -> None:
    assert marked(told(client, track(userId="C-1", anonymousId=""))) == {"C-1"}


def test_a_login_marks_who_the_visitor_was(client: Client) -> None:
    assert marked(told(client, track())) == set()

    assert marked(told(client, identify("C-1") | {"anonymousId": "visitor-1"})) == {"C-1"}
    assert marked(told(client, track())) == {"C-1"}


def test_an_order_marks_its_customer_by_event_and_by_the_api(client: Client) -> None:
    key = make.secret_key()
    assert marked(told(client, order_event(), key=key)) == {"C-1"}

    stated = facts(customerId="C-2", refunds=[refund("r1", amount="5.00")])
    assert marked(lambda: call(client, "PUT", "/v1/orders/1001", stated, key=key)) == {"C-1", "C-2"}


def test_a_refund_marks_whose_order_it_concerns(client: Client) -> None:
    told(client, order_event())()
    back = order_event("Order Refunded", refund_id="r1") | {"userId": "", "anonymousId": "someone"}

    assert marked(told(client, back)) == {"C-1"}


def test_an_order_file_marks_buyers_old_and_new(tmp_path: Path) -> None:
    make.customer("c9")
    sold = f"{HEAD}A1,c1,p1,2,10,2026-01-05\nA2,,p1,1,10,2026-01-06\n"
    assert marked(lambda: load(put(tmp_path, sold), **MAPPED)) == {"c1"}

    back = f"{HEAD}A3,c1,p1,-1,10,2026-01-08\n"
    assert marked(lambda: load(put(tmp_path, back), **MAPPED)) == {"c1"}


def test_a_merge_and_its_undoing_mark_both() -> None:
    make.customer("A-1"), make.customer("A-2")
    by: dict[str, Any] = {"actor": "test", "reason": "One person", "now": NOW}
    done: list[Any] = []

    assert marked(lambda: done.append(joining.merge("A-1", "A-2", **by))) == {"A-1"}
    assert marked(lambda: joining.undo(done[0], **by)) == {"A-1", "A-2"}


def test_events_that_age_out_mark_whose_they_were() -> None:
    ann, ben = make.customer("ann"), make.customer("ben")
    for by, days in ((ann, 900), (ben, 900), (ben, 3)):
        event(by, at=NOW - timedelta(days=days))
    featuring.build_traits(NOW)
    assert CustomerTraits.objects.filter(last_seen_at__isnull=False).count() == 2

    job = queue.enqueue(retention.JOB, {"as_of": NOW.isoformat()}, now=NOW)
    assert marked(lambda: running.run(job.pk, clock=lambda: NOW)) == {"ann", "ben"}

    featuring.build_traits(NOW)
    assert CustomerTraits.objects.get(customer=ann).last_seen_at is None
    assert Event.objects.count() == 1
