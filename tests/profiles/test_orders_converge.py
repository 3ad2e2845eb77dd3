"""One order told by browser, server events, API and file: the end never depends on the order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiles.models import Customer, Order, OrderLine, Refund, Upload
from tests import make
from tests.make import NOW
from tests.profiles.calls import merge, order_event, post, track
from tests.profiles.orders import load
from tests.profiles.test_orders_api import call, facts, refund

pytestmark = pytest.mark.django_db
FILE = (
    "order,customer,product,quantity,price,placed_at,country\n"
    "1001,C-1,tv,2,100.00,2026-02-20T10:00:00+00:00,Austria\n"
    "1001,C-1,hdmi,1,9.99,2026-02-20T10:00:00+00:00,Austria\n"
)
FILED = {
    "currency": "EUR",
    "timezone": "UTC",
    "map": [f"{name}={name}" for name in FILE.splitlines()[0].split(",")],
}
STRANGER: dict[str, Any] = {"userId": "", "anonymousId": "stranger"}


def at(minutes: int) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat()


def told() -> dict[str, Any]:
    """What is known of the order, without primary keys."""
    order = Order.objects.select_related("customer").get(number="1001")
    columns = ("line_key", "product_id", "title", "category", "quantity", "unit_price_minor",
               "total_minor", "refunded_quantity", "refunded_minor")  # fmt: skip
    back = ("refund_key", "product_id", "quantity", "amount_minor", "customer__external_id")
    return {
        "order": (
            order.customer and order.customer.external_id, order.status, order.placed_at,
            order.country, order.currency, order.total_minor, order.tax_minor,
            order.shipping_minor, order.discount_minor, order.refunded_minor, order.coupon,
        ),
        "lines": sorted(OrderLine.objects.values_list(*columns)),
        "refunds": sorted(Refund.objects.values_list(*back), key=str),
    }  # fmt: skip


class Tellers:
    """Every way in which something can be told of order 1001, by name."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.secret, self.browser = make.secret_key(), make.write_key()
        self.file = folder / "orders.csv"
        self.file.write_text(FILE)

    def names(self) -> list[str]:
        return sorted(name.removeprefix("tell_") for name in dir(self) if name.startswith("tell_"))

    def tell(self, name: str) -> None:
        getattr(self, f"tell_{name}")()

    def event(self, name: str, minutes: int, *, key: str = "", **members: Any) -> None:
        properties = members.pop("properties", {})
        said = order_event(name, **properties) | {"messageId": f"{name}-{minutes}"}
        said |= {"timestamp": at(minutes)} | members
        post(self.client, said, key=key or self.secret)
        merge()

    def put(self, minutes: int, **members: Any) -> None:
        stated = facts(updatedAt=at(minutes), **members)
        assert call(self.client, "PUT", "/v1/orders/1001", stated, key=self.secret)[0] == 200

    def tell_browser(self) -> None:
        self.event("Order Completed", 600, key=self.browser)

    def tell_completed(self) -> None:
        self.event("Order Completed", 600, properties={"tax": 40, "coupon": "SPRING"})

    def tell_nameless(self) -> None:
        """The same sale by a server that knows the visitor only."""
        self.event("Order Completed", 599, userId="", anonymousId="visitor-1")

    def tell_login(self) -> None:
        post(self.client, track(userId="C-1", messageId="login"), key=self.browser)
        merge()

    def tell_updated(self) -> None:
        self.event("Order Updated", 500, properties={"products": [], "shipping": "4.90"})

    def tell_cancelled(self) -> None:
        self.event("Order Cancelled", 100, properties={"products": []})

    def tell_refunded(self) -> None:
        back = [{"product_id": "tv", "price": 100.0, "quantity": 1}]
        self.event("Order Refunded", 90, properties={"products": back})

    def tell_placed(self) -> None:
        self.put(580, status="placed", placedAt=at(601))

    def tell_fulfilled(self) -> None:
        back = [refund("r1", productId="tv", quantity=1, amount="100.00")]
        self.put(80, status="fulfilled", placedAt=at(601), tax="41.00", refunds=back)

    def tell_file(self) -> None:
        load(self.file, **FILED)


@pytest.fixture
def tellers(client: Client, tmp_path: Path) -> Tellers:
    return Tellers(client, tmp_path)


def end(tellers: Tellers, names: Sequence[str]) -> dict[str, Any]:
    """What the database holds after these tellings; nothing of them stays."""
    with transaction.atomic():
        for name in names:
            tellers.tell(name)
        found = told()
        transaction.set_rollback(True)
    return found


def test_an_update_changes_what_it_carries_and_nothing_else(tellers: Tellers) -> None:
    tellers.tell_fulfilled()
    before = told()

    tellers.event("Order Updated", 10, **STRANGER, properties={"products": [], "coupon": "LATE"})

    order = list(before["order"])
    order[-1] = "LATE"
    assert told() == before | {"order": tuple(order)}


def test_a_cancellation_keeps_everything_but_the_status(tellers: Tellers) -> None:
    tellers.tell_completed()
    before = told()

    tellers.event("Order Cancelled", 10, **STRANGER, properties={"products": []})

    order = list(before["order"])
    order[1] = Order.Status.CANCELLED
    assert told() == before | {"order": tuple(order)}


def test_a_refund_that_comes_before_its_order_waits_for_it(tellers: Tellers) -> None:
    tellers.tell_refunded()
    assert not Order.objects.exists()

    tellers.tell_completed()

    assert Order.objects.get().refunded_minor == 10_000


def test_a_refund_before_its_order_waits_for_a_file_too(tellers: Tellers) -> None:
    tellers.tell_refunded()

    tellers.tell_file()

    assert Order.objects.get().refunded_minor == 10_000


def test_a_refund_told_by_two_sources_counts_once(tellers: Tellers) -> None:
    tellers.tell_completed()
    tellers.tell_refunded()
    tellers.tell_fulfilled()

    assert Order.objects.get().refunded_minor == 10_000
    assert Refund.objects.count() == 1


def test_equal_refunds_of_one_source_are_two(tellers: Tellers) -> None:
    half = {"productId": "tv", "quantity": 1, "amount": "100.00"}
    tellers.tell_refunded()

    tellers.put(80, refunds=[refund("r1", **half), refund("r2", **half)])

    assert Order.objects.get().refunded_minor == 20_000


def test_an_event_that_names_its_refund_tells_of_the_same_one(tellers: Tellers) -> None:
    tellers.put(80, refunds=[refund("r1", amount="50.00")])

    tellers.event("Order Refunded", 70, properties={"products": [], "refund_id": "r1", "total": 50})
    tellers.event("Order Refunded", 60, properties={"products": [], "refund_id": "r2", "total": 50})

    assert Order.objects.get().refunded_minor == 10_000


def test_the_api_takes_an_order_over_from_a_file_for_good(tellers: Tellers) -> None:
    tellers.tell_file()
    tellers.tell_fulfilled()
    before = told()

    tellers.tell_file()

    assert told() == before
    assert Order.objects.get().total_minor == 20_900


def test_a_line_stated_no_more_is_gone_though_money_went_back_on_it(tellers: Tellers) -> None:
    tellers.put(100, refunds=[refund("r1", productId="hdmi", quantity=1, amount="9.00")])

    tellers.put(50, lines=facts()["lines"][:1])

    order = Order.objects.get()
    assert list(order.lines.values_list("product_id", flat=True)) == ["tv"]
    assert (order.total_minor, order.refunded_minor) == (20_000, 900)


def test_an_order_of_a_visitor_becomes_the_customers_who_logs_in(tellers: Tellers) -> None:
    tellers.tell_nameless()
    assert Order.objects.get().customer is None

    tellers.tell_login()

    assert Order.objects.get().customer == Customer.objects.get(external_id="C-1")


def test_what_happens_later_under_the_visitors_id_is_the_customers(tellers: Tellers) -> None:
    tellers.tell_login()

    tellers.tell_nameless()

    assert Order.objects.get().customer == Customer.objects.get(external_id="C-1")


def test_a_file_tells_what_events_leave_open(tellers: Tellers) -> None:
    ends = [
        end(tellers, names) for names in itertools.permutations(["cancelled", "file", "updated"])
    ]

    assert all(other == ends[0] for other in ends)
    customer, status, placed_at, country, *_rest = ends[0]["order"]
    assert (customer, status, country) == ("C-1", Order.Status.CANCELLED, "Austria")
    assert placed_at.isoformat() == "2026-02-20T10:00:00+00:00"
    assert len(ends[0]["lines"]) == 2


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_mix_of_tellings_ends_the_same_in_any_order(tellers: Tellers, data: Any) -> None:
    makes_an_order = {
        "completed",
        "nameless",
        "updated",
        "cancelled",
        "placed",
        "fulfilled",
        "file",
    }
    names = st.lists(st.sampled_from(tellers.names()), min_size=2, max_size=8)
    mix = data.draw(names.filter(lambda found: bool(makes_an_order & set(found))))

    other = data.draw(st.permutations(mix))

    assert end(tellers, mix) == end(tellers, other)


REFUND_FILE = FILE.splitlines()[0] + "\nC1,C-1,tv,-1,100.00,2026-03-02T08:00:00+00:00,Austria\n"


class Refunders(Tellers):
    """Order 1001, and one refund of a television told by a file, the API and an event."""

    def __init__(self, client: Client, folder: Path) -> None:
        super().__init__(client, folder)
        self.refunds = folder / "refunds.csv"
        self.refunds.write_text(REFUND_FILE)

    def api(self, key: str, **members: Any) -> None:
        self.put(70, status="fulfilled", placedAt=at(601), refunds=[refund(key, **members)])

    def tell_refund_file(self) -> None:
        load(self.refunds, **FILED)

    def tell_named(self) -> None:
        """The API names the refund as the document of the file does, and no product."""
        self.api("C1", amount="100.00")

    def tell_whole(self) -> None:
        self.api("r9", amount="100.00")


@pytest.mark.parametrize(
    "told_by", [("fulfilled",), ("refunded",), ("fulfilled", "refunded"), ("named",), ("whole",)]
)
@pytest.mark.parametrize("first", ["file", "completed", "placed"])
def test_a_refund_of_a_file_is_the_one_that_others_tell_of(
    client: Client, tmp_path: Path, told_by: tuple[str, ...], first: str
) -> None:
    tellers = Refunders(client, tmp_path)

    ends = [
        end(tellers, [first, *names]) for names in itertools.permutations([*told_by, "refund_file"])
    ]

    assert all(other == ends[0] for other in ends)
    assert sum(amount for _key, _product, _n, amount, _who in ends[0]["refunds"]) == 10_000
    assert [line[-2:] for line in ends[0]["lines"] if line[1] == "tv"] == [(1, 10_000)]


def test_two_refunds_of_a_file_are_two_whoever_tells_of_one(client: Client, tmp_path: Path) -> None:
    tellers = Refunders(client, tmp_path)
    second = "C2,C-1,tv,-1,100.00,2026-03-02T08:30:00+00:00,Austria\n"
    tellers.refunds.write_text(REFUND_FILE + second)

    ends = [
        end(tellers, ["file", *names])
        for names in itertools.permutations(["fulfilled", "refunded", "refund_file"])
    ]

    assert all(other == ends[0] for other in ends)
    assert [line[-2:] for line in ends[0]["lines"] if line[1] == "tv"] == [(2, 20_000)]


def test_a_refund_told_by_the_api_stands_again_when_the_file_is_taken_back(
    client: Client, tmp_path: Path
) -> None:
    tellers = Refunders(client, tmp_path)
    for name in ("file", "fulfilled", "refund_file"):
        tellers.tell(name)
    assert [row.told for row in Refund.objects.all()] == [None]

    call_command("undo_import", str(Upload.objects.latest("pk").uuid), verbosity=0)

    assert Refund.objects.get().refund_key == "r1"
    assert Order.objects.get().refunded_minor == 10_000
