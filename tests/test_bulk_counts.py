"""The number of queries of a bulk function does not grow with its rows: size 3 against size 100."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from jobs import queue, running, sweeping
from jobs.models import Job
from privacy import consent, erasure
from privacy.consent import Declaration
from privacy.models import ConsentEntry, Suppression
from profiles.events import merging
from profiles.models import Customer, CustomerTraits, Event, Order, Refund
from profiles.traits import featuring
from tests import make
from tests.profiles.calls import order_event, post, track
from tests.profiles.orders import MAPPED, load, put
from tests.test_query_counts import LARGE, SMALL, counted

pytestmark = pytest.mark.django_db
Act = Callable[[], object]
NOW = make.NOW
# SQLite takes 999 parameters in a statement: a hundred rows of a wide table are two.
BATCHES = 5
# Of one kind of thing each, with `n` rows that nobody has seen before.
Prepare = Callable[[int, Path], Act]


def merged_views(n: int, _folder: Path) -> Act:
    events = [track(userId=f"v{number}-{n}", messageId=f"v{number}-{n}") for number in range(n)]
    post(Client(), *events, key=make.write_key())
    return lambda: merging.merge(NOW)


def merged_orders(n: int, _folder: Path) -> Act:
    events = [
        order_event(order_id=f"m{number}-{n}") | {"userId": f"m{number}-{n}"} for number in range(n)
    ]
    post(Client(), *events, key=make.secret_key())
    return lambda: merging.merge(NOW)


def traits(n: int, _folder: Path) -> Act:
    for number in range(n):
        make.order(make.customer(f"t{number}-{n}"), ("p", "Audio", 1, 100), days_ago=number)
    return lambda: featuring.build_traits(NOW)


def order_file(n: int, folder: Path, *, refunded: bool) -> Act:
    kind = f"{n}-{int(refunded)}"
    rows = [f"o{number}-{kind},oc{number}-{kind},tv,2,9.99,2026-01-05\n" for number in range(n)]
    if refunded:
        rows += [
            f"r{number}-{kind},oc{number}-{kind},tv,-1,9.99,2026-01-06\n" for number in range(n)
        ]
    path = put(folder, "order,customer,product,quantity,price,placed_at\n" + "".join(rows))
    return lambda: load(path, **MAPPED)


def people_file(command: str, head: str, row: str) -> Prepare:
    def prepare(n: int, folder: Path) -> Act:
        text = head + "".join(row.format(f"{number}-{n}") for number in range(n))
        if command == "import_consents":
            for number in range(n):
                make.customer(f"c{number}-{n}")
        path = put(folder, text, f"{command}.csv")
        return lambda: call_command(command, str(path), stdout=StringIO(), stderr=StringIO())

    return prepare


def declarations(n: int, _folder: Path) -> Act:
    many = [
        Declaration(
            subject=make.subject().uuid, purpose="campaign.email", channel="email", state="given",
            source="Shop", wording="Yes", locale="en", happened_at=NOW, batch=uuid.uuid4(),
        )
        for _ in range(n)
    ]  # fmt: skip
    return lambda: consent.record_many(many, now=NOW)


def a_person_of_many_rows(n: int, _folder: Path) -> Act:
    customer = make.reader(f"e{n}")
    for number in range(n):
        make.order(customer, ("p", "Audio", 1, 100), days_ago=number, number=f"e{number}-{n}")
        make.delivery(make.campaign(f"Campaign {number} of {n}"), customer)
    erasure.begin(customer.subject, actor="test", now=NOW)
    job = Job.objects.latest("pk")
    return lambda: running.run(job.pk, clock=lambda: NOW)


def jobs(n: int, **columns: Any) -> None:
    Job.objects.bulk_create(
        Job(kind="profiles.build", queue="batch", not_before=NOW, created_at=NOW, **columns)
        for _ in range(n)
    )


def lost_jobs(n: int, _folder: Path) -> Act:
    jobs(n, state=Job.State.RUNNING, lease_until=NOW - timedelta(hours=1), claim_token=uuid.uuid4(),
         n_attempts=1, worker="w")  # fmt: skip
    return sweep_with_a_worker


def sweep_with_a_worker() -> None:
    queue.worker_is_here.set()
    try:
        sweeping.sweep(NOW)
    finally:
        queue.worker_is_here.clear()


def old_jobs(n: int, _folder: Path) -> Act:
    jobs(n, state=Job.State.DONE, finished_at=NOW - timedelta(days=90))
    return lambda: sweeping.prune(NOW)


BULK: dict[str, Prepare] = {
    "merging.merge, views": merged_views,
    "merging.merge, orders": merged_orders,
    "featuring.build_traits": traits,
    "import_orders, settling": lambda n, folder: order_file(n, folder, refunded=False),
    "import_orders, refunds": lambda n, folder: order_file(n, folder, refunded=True),
    "import_customers": people_file(
        "import_customers", "customer id,name,e-mail,city\n", "p{0},Ann Lee,p{0}@example.com,Rome\n"
    ),
    "import_consents": people_file(
        "import_consents",
        "customer id,source,date,purpose,channel,wording,state\n",
        "c{0},Shop,2026-01-05,campaign.email,email,Yes,given\n",
    ),
    "import_suppressions": people_file(
        "import_suppressions", "e-mail,channel,reason\n", "s{0}@example.com,email,unsubscribed\n"
    ),
    "consent.record_many": declarations,
    "erasure": a_person_of_many_rows,
    "sweeping.sweep": lost_jobs,
    "sweeping.prune": old_jobs,
}


def rows() -> list[int]:
    """What the functions above make, change or delete, so that one that does nothing is noticed."""
    models = (Customer, CustomerTraits, ConsentEntry, Event, Job, Order, Refund, Suppression)
    return [
        *(model._default_manager.count() for model in models),
        Order.objects.filter(customer=None).count(),
        Job.objects.filter(state=Job.State.QUEUED).count(),
    ]


@pytest.mark.parametrize("name", BULK)
def test_a_bulk_function_asks_no_more_for_a_hundred_rows_than_for_three(
    name: str, tmp_path: Path
) -> None:
    make.shop()
    BULK[name](SMALL - 1, tmp_path)()  # what is made once, and then kept
    few = counted(BULK[name](SMALL, tmp_path))
    act = BULK[name](LARGE, tmp_path)
    before = rows()
    many = counted(act)

    n_touched = sum(abs(now - then) for now, then in zip(rows(), before, strict=True))
    assert n_touched >= LARGE
    assert many <= few + BATCHES
