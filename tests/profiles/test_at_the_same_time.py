"""Two requests that are the first of their kind: both are answered, and one row is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction
from django.test import Client

from privacy.models import Subject
from profiles.events import merging
from profiles.identity import enrolling, registering
from profiles.models import Customer, Event, Order, OrderLine
from profiles.orders import ordering
from profiles.orders.ordering import LineState, OrderState
from tests import make
from tests.faults.installation import until
from tests.make import NOW
from tests.profiles.calls import identify, merge, order_event, post, track
from tests.profiles.test_orders_api import call, facts

pytestmark = pytest.mark.django_db(transaction=True)
Ask = Callable[[Client, str], int]


@contextmanager
def overtaken(ask: Ask) -> Iterator[list[int]]:
    """Let a request come while what the block does is not committed; yields its answer after."""
    key = make.secret_key()
    status: list[int] = []

    def second() -> int:
        try:
            return ask(Client(), key)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            yield status
            asked = pool.submit(second)
            until(lambda: somebody_waits() or asked.done(), "the second request")
            assert not asked.done()
        status.append(asked.result(20))


def somebody_waits() -> bool:
    """Whether a statement waits for us; SQLite does not tell, but lets nobody else write."""
    if connection.vendor != "postgresql":
        time.sleep(0.3)
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def put_customer(client: Client, key: str) -> int:
    return call(client, "PUT", "/v1/customers/C-1", {"email": "a@shop.example"}, key=key)[0]


def put_order(client: Client, key: str) -> int:
    return call(client, "PUT", "/v1/orders/1001", facts(customerId="C-1"), key=key)[0]


def put_orders(client: Client, key: str) -> int:
    orders = {"orders": [facts(number=str(n), customerId=f"C-{n}") for n in (3, 2, 1)]}
    return call(client, "POST", "/v1/orders/batch", orders, key=key)[0]


def send_identify(client: Client, key: str) -> int:
    answer = post(client, identify("C-1", email="a@shop.example"), key=key)
    assert answer.json()["warnings"] == []
    return int(answer.status_code)


def send_track(client: Client, key: str) -> int:
    answer = post(client, track(userId="C-1"), order_event(), key=key)
    merge()
    return int(answer.status_code)


@pytest.mark.parametrize("ask", [put_customer, put_order, put_orders, send_identify, send_track])
def test_two_first_requests_about_a_customer_make_one_customer(ask: Ask) -> None:
    with overtaken(ask) as status:
        registering.register(["C-1"], now=NOW)

    assert status in ([200], [202])
    assert Customer.objects.filter(external_id="C-1").count() == 1
    assert Subject.objects.count() == Customer.objects.count()


def test_two_first_requests_about_an_order_make_one_order() -> None:
    line = LineState(product_id="tv", quantity=1, unit_price_minor=100)
    state = OrderState("1001", NOW, NOW, "EUR", (line,), customer_id="C-1")

    with overtaken(put_order) as status:
        ordering.upsert([state], source_id=make.source().pk, now=NOW)

    assert status == [200]
    assert Order.objects.get().total_minor == 20_900, "what is stated last holds"
    assert OrderLine.objects.count() == 2


@pytest.mark.parametrize(("ask", "answer"), [(put_customer, 409), (send_identify, 202)])
def test_of_two_who_claim_a_new_address_at_once_the_second_is_refused_it(
    ask: Ask, answer: int
) -> None:
    def claim(client: Client, key: str) -> int:
        if ask is put_customer:
            return put_customer(client, key)
        told = post(client, identify("C-1", email="a@shop.example"), key=key)
        assert [remark["code"] for remark in told.json()["warnings"]] == ["email_taken"]
        return int(told.status_code)

    with overtaken(claim) as status:
        enrolling.put("C-2", {"email": "a@shop.example"}, now=NOW)

    assert status == [answer]
    assert Customer.objects.get(email="a@shop.example").external_id == "C-2"


def test_an_event_of_somebody_who_is_deleted_meanwhile_waits_and_begins_anew() -> None:
    gone = make.customer("C-1")
    post(Client(), track(userId="C-1"), key=make.secret_key())

    def merge_it(_client: Client, _key: str) -> int:
        return merging.merge(NOW)

    with overtaken(merge_it) as merged:
        Customer.objects.filter(pk=gone.pk).delete()

    assert merged == [1]
    assert Event.objects.get().customer == Customer.objects.get(external_id="C-1")
    assert Event.objects.get().customer_id != gone.pk
