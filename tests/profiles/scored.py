"""Shops whose customers' next orders can be foretold, or not."""

from __future__ import annotations

import random
from datetime import timedelta

from django.utils import timezone

from jobs import running
from privacy.models import Shop
from profiles import asking
from profiles.models import Customer, Order, ScoreRun
from tests import make
from tests.make import NOW

N_CUSTOMERS = 420
DAYS = 500
GAPS = (25, 60, 160)  # days between a customer's orders; a third of them each


def of_habits(*, foretellable: bool = True) -> list[Customer]:
    """Customers who each order at a pace of their own; else with a stop that nothing tells of."""
    dice = random.Random(11)
    if not Shop.objects.exists():
        make.shop()
    source = make.source()
    customers = [make.customer(f"h{n:03}") for n in range(N_CUSTOMERS)]
    orders = []
    for n, customer in enumerate(customers):
        gap = GAPS[n % len(GAPS)] if foretellable else 150
        day = dice.uniform(0, gap)
        while day < DAYS:
            orders.append(
                Order(
                    number=f"{n}-{day:.3f}", customer=customer, source=source, currency="EUR",
                    placed_at=NOW - timedelta(days=day), total_minor=dice.randint(2_000, 9_000),
                )
            )  # fmt: skip
            day += dice.expovariate(1 / gap)
    Order.objects.bulk_create(orders)
    return customers


def train() -> dict[str, ScoreRun]:
    """Train as of NOW and return the runs by score."""
    job = asking.ask_for_scores(timezone.now(), as_of=NOW)
    done = running.run(job.pk, clock=timezone.now)
    assert done is not None
    assert done.state == done.State.DONE, done.error_detail
    return {score: ScoreRun.objects.get(pk=one["run"]) for score, one in done.result.items()}
