"""Traits of the 1 % of customers who changed, against making everybody's anew; on SQLite.

Both are the build that runs at night, with its norms and facts, in one process after one
another; the incremental one is the median of several, each of other customers.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from benchmarks.frame import ROOT, Result, python

if TYPE_CHECKING:
    from profiles.models import Event, Order

N_CUSTOMERS = 30_000
N_ORDERS, N_EVENTS = 3, 8  # of each customer
CHANGED = 0.01
ROUNDS = 3
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def run(n_customers: int = N_CUSTOMERS, **_others: int) -> Result:
    done = subprocess.run(
        python("-m", "benchmarks.traits", str(n_customers)),
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    full, some = json.loads(done.stdout.splitlines()[-1])
    return Result(
        name=f"traits: {CHANGED:.0%} of {n_customers:,} customers changed / everybody made anew",
        figures={
            "changed customers / full refresh": some / full,
            "seconds, full refresh": full,
            "seconds, changed customers": some,
        },
        budgets={"changed customers / full refresh": 0.05},
    )


def measure(n_customers: int) -> tuple[float, float]:
    """Return CPU seconds of a full build, and of one after 1 % of the customers changed."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VAR_DIR": tempfile.mkdtemp(),
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    for alias in ("default", "keystore"):
        call_command("migrate", verbosity=0, database=alias)
    from profiles import changes
    from profiles.models import TraitBuild
    from profiles.traits import featuring

    chance = random.Random(7)
    keys = fill(n_customers, chance)

    def seconds(*, at: int, everybody: bool = False) -> float:
        started = time.process_time()
        featuring.build_traits(NOW + timedelta(minutes=at), everybody=everybody)
        return time.process_time() - started

    seconds(at=0)
    full = seconds(at=1, everybody=True)
    some = []
    for turn in range(ROUNDS):
        changed = chance.sample(keys, int(n_customers * CHANGED))
        changes.mark(changed)
        some.append(seconds(at=2 + turn))
        if (n := TraitBuild.objects.get().n_refreshed) != len(changed):
            raise RuntimeError(f"{n} customers were made anew, {len(changed)} changed")
    return full, statistics.median(some)


def fill(n_customers: int, chance: random.Random) -> list[int]:
    """Add customers with orders of 200 products in 12 categories, and visits; returns the keys.

    All lie well within their windows, so that nobody falls due by the passing of minutes.
    """
    from privacy.models import Source, Subject
    from profiles.models import Customer, Event, Order, OrderLine

    source = Source.objects.create(name="Shop", kind=Source.Kind.WEBSITE, created_at=NOW)
    subjects = Subject.objects.bulk_create((Subject() for _ in range(n_customers)), 2_000)
    customers = Customer.objects.bulk_create(
        (
            Customer(external_id=f"c{n}", subject=one, created_at=NOW)
            for n, one in enumerate(subjects)
        ),
        2_000,
    )
    keys = [one.pk for one in customers]
    orders = Order.objects.bulk_create(
        (_order(f"{pk}-{n}", pk, source.pk, chance) for pk in keys for n in range(N_ORDERS)), 2_000
    )
    OrderLine.objects.bulk_create(
        (
            OrderLine(
                order=order, line_key="1", product_id=f"p{order.total_minor % 200}",
                category=f"Category {order.total_minor % 12}", quantity=1,
                unit_price_minor=order.total_minor, total_minor=order.total_minor,
            )
            for order in orders
        ),
        2_000,
    )  # fmt: skip
    Event.objects.bulk_create(
        (_event(f"{pk}-{n}", pk, source.pk, chance) for pk in keys for n in range(N_EVENTS)), 2_000
    )
    return keys


def _order(number: str, customer: int, source: int, chance: random.Random) -> Order:
    from profiles.models import Order

    placed_at = NOW - timedelta(days=chance.randint(5, 300), minutes=chance.randint(0, 1_439))
    return Order(
        number=number, customer_id=customer, source_id=source, placed_at=placed_at,
        currency="EUR", total_minor=chance.randint(900, 90_000),
    )  # fmt: skip


def _event(message_id: str, customer: int, source: int, chance: random.Random) -> Event:
    from profiles.models import Event

    at = NOW - timedelta(days=chance.randint(1, 80), minutes=chance.randint(0, 1_439))
    return Event(
        source_id=source, message_id=message_id, kind="track", name="Product Viewed",
        customer_id=customer, properties={"category": f"Category {customer % 12}"},
        context={"device": {"type": "mobile"}}, happened_at=at, received_at=at,
    )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
