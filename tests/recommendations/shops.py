"""Shops with a known answer, written in bulk."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import starmap

import numpy as np

from jobs import running
from jobs.models import Job
from privacy.models import Subject
from profiles.models import Customer, Order, OrderLine
from recommendations import asking
from recommendations.models import Product, TrainingRun
from tests import make
from tests.make import NOW

N_TASTES = 4


def customers(n: int) -> list[Customer]:
    subjects = Subject.objects.bulk_create(Subject() for _ in range(n))
    return Customer.objects.bulk_create(
        Customer(external_id=f"c{number:04}", subject=of, created_at=NOW)
        for number, of in enumerate(subjects)
    )


def orders(rows: Iterable[tuple[Customer | None, datetime, list[str]]]) -> list[Order]:
    """Write orders of one piece of each product."""
    source, wanted = make.source(), list(rows)
    made = Order.objects.bulk_create(
        Order(number=f"n{n:05}", customer=by, placed_at=at, source=source, currency="EUR")
        for n, (by, at, _) in enumerate(wanted)
    )
    OrderLine.objects.bulk_create(
        starmap(_line, ((o, id_) for o, row in zip(made, wanted, strict=True) for id_ in row[2]))
    )
    return made


def _line(order: Order, product_id: str) -> OrderLine:
    return OrderLine(
        order=order,
        line_key=product_id,
        product_id=product_id,
        title=f"Product {product_id}",
        quantity=1,
        unit_price_minor=1_000,
        total_minor=1_000,
    )


def of_tastes(*, n_customers: int = 120, n_products: int = 60, predictable: bool = True) -> None:
    """A shop whose customers each keep to one of four tastes, over 150 days.

    What they buy next is foreseen by what they bought, and not by what is popular. If not
    `predictable`, everybody buys anything, popular things more often.
    """
    random = np.random.default_rng(7)
    ids = [f"p{number:03}" for number in range(n_products)]
    chances = 1 / np.arange(3, n_products + 3)
    rows: list[tuple[Customer | None, datetime, list[str]]] = []
    for number, customer in enumerate(customers(n_customers)):
        liked = [
            n for n in range(n_products) if not predictable or n % N_TASTES == number % N_TASTES
        ]
        weights = np.ones(len(liked)) if predictable else chances
        for day in (140, 110, 80, 50, 40, 20, 10):
            chosen = random.choice(liked, size=2, replace=False, p=weights / weights.sum())
            at = NOW - timedelta(days=day + float(random.random()))
            rows.append((customer, at, [ids[n] for n in chosen]))
    rows += [(None, NOW - timedelta(days=n), [ids[n], ids[n + N_TASTES]]) for n in range(1, 20)]
    orders(rows)
    Product.objects.bulk_create(
        Product(product_id=id_, title=f"Product {id_}", created_at=NOW) for id_ in ids
    )


def train(as_of: datetime = NOW) -> TrainingRun:
    """Train as a worker does, and return the run."""
    waiting = asking.ask_for_training(NOW, as_of=as_of)
    done = running.run(waiting.pk, clock=lambda: NOW)
    assert done is not None
    assert done.state == Job.State.DONE, done.error_code
    return TrainingRun.objects.get(pk=done.result["run"])
