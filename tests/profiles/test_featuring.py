from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from profiles.models import CustomerTraits
from profiles.traits import featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop() -> None:
    make.shop(time_zone="Asia/Shanghai")


def only() -> CustomerTraits:
    return CustomerTraits.objects.get()


def test_recency_frequency_and_money_come_from_the_customers_orders() -> None:
    ann = make.customer()
    make.order(ann, ("tv", "Video", 1, 50_000), days_ago=100)
    make.order(ann, ("cable", "Audio", 4, 500), ("mic", "Audio", 1, 8_000), days_ago=40)

    assert featuring.build_traits(NOW) == 1

    traits = only()
    assert (traits.recency_days, traits.tenure_days, traits.n_orders) == (40, 100, 2)
    assert (traits.n_items, traits.n_units, traits.order_gap_days) == (3, 6, 60.0)
    assert (traits.revenue_minor, traits.average_order_minor) == (60_000, 30_000)
    assert traits.average_item_minor == 10_000


def test_shares_by_category_and_product_add_up_to_the_money_behind_them() -> None:
    ann = make.customer()
    make.order(ann, ("tv", "Video", 1, 30_000), ("mic", "Audio", 1, 9_999), ("x", "", 1, 1))

    featuring.build_traits(NOW + timedelta(days=1))

    traits = only()
    assert traits.category_shares == {"Video": 0.75, "Audio": 0.25}
    assert traits.item_shares == {"tv": 0.75, "mic": 0.25, "x": 0.0}
    assert traits.top_category == "Video"


def test_hours_and_weekdays_are_those_of_the_shops_clock() -> None:
    ann = make.customer()
    # 16:30 UTC on Friday is half past midnight on Saturday in Shanghai.
    make.order(ann, ("tv", "", 1, 100), at=datetime(2026, 2, 27, 16, 30, tzinfo=UTC))
    make.order(ann, ("tv", "", 1, 100), at=datetime(2026, 2, 26, 11, 0, tzinfo=UTC))
    make.order(ann, ("tv", "", 1, 100), at=datetime(2026, 2, 25, 11, 59, tzinfo=UTC))
    make.order(ann, ("tv", "", 1, 100), at=datetime(2026, 2, 19, 4, 0, tzinfo=UTC))

    featuring.build_traits(NOW)

    traits = only()
    assert (traits.top_hour, traits.top_weekday) == (19, 3)
    assert (traits.night_share, traits.afternoon_share) == (0.25, 0.25)
    assert (traits.evening_share, traits.weekend_share) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("first", "last", "part"),
    [(0, 5, "night"), (6, 11, "morning"), (12, 17, "afternoon"), (18, 23, "evening")],
)
def test_a_part_of_the_day_has_six_hours(first: int, last: int, part: str) -> None:
    ann = make.customer()
    for hour in (first, last):
        in_shanghai = datetime(2026, 2, 20, hour, 59, tzinfo=ZoneInfo("Asia/Shanghai"))
        make.order(ann, ("tv", "", 1, 100), at=in_shanghai)

    featuring.build_traits(NOW)

    parts = ("night", "morning", "afternoon", "evening")
    assert [getattr(only(), f"{name}_share") for name in parts] == [name == part for name in parts]


def test_nothing_from_the_moment_on_counts_not_even_a_later_refund() -> None:
    ann = make.customer()
    early = make.order(ann, ("tv", "", 2, 10_000), days_ago=30, refunded_minor=15_000)
    make.order(ann, ("tv", "", 1, 77), days_ago=0)
    line = early.lines.get()
    make.refund(line, amount_minor=5_000, at=NOW - timedelta(days=20))
    make.refund(line, amount_minor=10_000, at=NOW)

    featuring.build_traits(NOW)

    traits = only()
    assert (traits.n_orders, traits.revenue_minor, traits.refund_share) == (1, 15_000, 0.25)


def test_cancelled_orders_other_currencies_and_guests_do_not_count() -> None:
    ann = make.customer()
    make.order(ann, ("tv", "", 1, 100), days_ago=3, status="cancelled")
    make.order(ann, ("tv", "", 1, 100), days_ago=3, currency="USD")
    make.order(None, ("tv", "", 1, 100), days_ago=3)

    assert featuring.build_traits(NOW) == 1
    assert (only().n_orders, only().revenue_minor, only().recency_days) == (0, 0, None)


@pytest.mark.parametrize(
    "flags", [{"restricted": True}, {"no_profiling": True}, {"erased_at": NOW}], ids=str
)
def test_who_may_not_be_profiled_loses_the_traits(flags: dict[str, object]) -> None:
    ann = make.customer()
    make.order(ann, ("tv", "", 1, 100), days_ago=3)
    make.order(make.customer(), ("tv", "", 1, 100), days_ago=3)
    assert featuring.build_traits(NOW) == 2

    type(ann.subject).objects.filter(pk=ann.subject.pk).update(**flags)

    assert featuring.build_traits(NOW) == 1
    assert not CustomerTraits.objects.filter(customer=ann).exists()


def test_a_discount_on_the_line_or_on_the_order_counts() -> None:
    ann = make.customer()
    make.order(ann, ("tv", "", 1, 100), ("cd", "", 1, 100), days_ago=3)
    make.order(ann, ("tv", "", 1, 100), days_ago=2, discount_minor=10)
    first = ann.orders.earliest("placed_at").lines.earliest("pk")
    type(first).objects.filter(pk=first.pk).update(discount_minor=5)
    make.order(ann, ("tv", "", 1, 100), days_ago=1)

    featuring.build_traits(NOW)

    assert only().discount_share == 0.5


def test_ranges_of_customers_leave_nobody_out() -> None:
    for _n in range(7):
        make.order(make.customer(), ("tv", "", 1, 100), days_ago=3)
    make.customer()

    assert featuring.build_traits(NOW, per_step=2) == 8
    assert CustomerTraits.objects.of_buyers().count() == 7
