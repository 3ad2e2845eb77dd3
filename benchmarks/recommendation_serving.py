"""Recommendations as they are served, from PostgreSQL: stored lists, new visitors, under load.

`read` is the web process's CPU time for a known customer's list through HTTP, as a ratio to a
view behind the same middleware that says hello, in turns. `online` is the list of a visitor
nobody knows who looked at 20 products, in the process, from the ids to the reasons. `http` asks at a steady rate, by other
connections if the earlier answers are late, while a training is at work.
"""

from __future__ import annotations

import http.client
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.server import measured_postgres, tree_cpu
from tests import servers
from tests.faults.installation import Installation, get, installation, kill, until
from tests.faults.installation import run as run_code
from tests.servers import free_port

N_CUSTOMERS, N_PRODUCTS, N_ORDERS = 5_000, 5_000, 15_000
N_OWN, N_NEAR, N_POPULAR, N_BOUGHT = 20, 50, 200, 8
N_VISITS, N_WARM, N_LOOKED = 1_000, 100, 20
ROUNDS, REQUESTS = 5, 1_000
PER_SECOND, SECONDS, SENDERS = 100, 20, 32
BEGIN_SECONDS = 5
SEED = 7
HELLO, READ = "/v1/hello", "/v1/recommendations?n=10&language=en&userId=C-{}"
# What the installation is set up with, and what is measured inside of it.
CALL = "import django; django.setup(); from benchmarks import recommendation_serving as it; it.{}()"


@dataclass(frozen=True)
class Shop:
    made: Installation
    url: str
    key: str
    web: int


def figures(parts: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the figures and budgets of some of `read`, `online` and `http`."""
    found: dict[str, float] = {}
    budgets: dict[str, float] = {}
    with _shop() as shop:
        if "read" in parts:
            found |= _read(shop)
            budgets["read: CPU / hello's"] = 2.2
        if "online" in parts:
            found |= json.loads(run_code(shop.made, CALL.format("online")))
            budgets["online: p99, ms"] = 2.0
        if "http" in parts:
            found |= _under_load(shop)
            budgets["http: p95 while a model trains, ms"] = 50.0
    return found, budgets


@contextmanager
def _shop() -> Iterator[Shop]:
    with (
        tempfile.TemporaryDirectory() as folder,
        measured_postgres() as server,
        servers.redis() as broker,
        installation(Path(folder), database=server.url, redis=broker) as made,
    ):
        made.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.hello_settings"
        made.environ |= {"LOG_LEVEL": "ERROR", "OMP_NUM_THREADS": "1"}
        for alias in ("default", "keystore"):
            made.manage("migrate", "--database", alias)
        key = run_code(made, CALL.format("fill"))
        port = free_port()
        web = made.start("serve", "--web", "--port", str(port), "--processes", "1")
        url = f"http://127.0.0.1:{port}"
        until(lambda: get(f"{url}/healthz")[0] == 200, "the start")
        yield Shop(made, url, key, web.pid)


def fill() -> None:
    """Make a shop whose lists look like those of a training, and print a secret key."""
    from django.db import connection
    from django.utils import timezone

    from privacy.models import Subject
    from profiles.models import Customer
    from recommendations import lists
    from recommendations.explaining import Reason
    from recommendations.lists import Entry, OfCustomer
    from recommendations.models import Product, TrainingRun
    from tests import make

    now, dice = timezone.now(), random.Random(SEED)
    make.shop()
    ids = [f"p-{number}" for number in range(N_PRODUCTS)]
    Product.objects.bulk_create(
        Product(
            product_id=id_, title=f"Product {id_}", category=f"Category {number % 40}",
            price_minor=1_000 + number, link=f"https://shop.test/{id_}", created_at=now,
        )
        for number, id_ in enumerate(ids)
    )  # fmt: skip
    people = Subject.objects.bulk_create(Subject() for _ in range(N_CUSTOMERS))
    customers = Customer.objects.bulk_create(
        Customer(external_id=f"C-{number}", subject=one, created_at=now)
        for number, one in enumerate(people)
    )
    _orders([one.pk for one in customers], ids, dice, now)
    _visits(ids, dice, now)
    run = TrainingRun.objects.create(
        engine="blend", as_of=now, n_customers=N_CUSTOMERS, n_products=N_PRODUCTS,
        n_interactions=1, cpu_seconds=1, peak_rss_mb=1, is_active=True, created_at=now,
        verdict=TrainingRun.Verdict.BEATS_POPULAR, finished_at=now, activated_at=now,
    )  # fmt: skip
    keys = lists.keys_of(ids)

    def entries(n: int, reason: Reason, based_on: tuple[str, ...] = ()) -> list[Entry]:
        some = enumerate(dice.sample(ids, n), 1)
        return [Entry(id_, float(f"{1 / at:.6g}"), reason.value, based_on) for at, id_ in some]

    own = (
        OfCustomer(one.pk, entries(N_OWN, Reason.BOUGHT, (dice.choice(ids),))) for one in customers
    )
    lists.write_customers(run, own, keys)
    near = ((id_, entries(N_NEAR, Reason.TOGETHER, (id_,))) for id_ in ids)
    lists.write_products(run, near, keys)
    lists.write_products(run, [("", entries(N_POPULAR, Reason.POPULAR_NOW))], keys)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(make.secret_key())


def _orders(customers: list[int], ids: list[str], dice: random.Random, now: datetime) -> None:
    """A year of orders: what is popular by Zipf, a few products each."""
    from profiles.models import Order, OrderLine
    from tests import make

    source, weights = make.source(), [1 / (at + 1) for at in range(len(ids))]
    placed = Order.objects.bulk_create(
        Order(
            number=f"O-{number}", customer_id=dice.choice(customers), source=source, currency="EUR",
            placed_at=now - timedelta(days=dice.randrange(1, 365)), total_minor=1_000 * N_BOUGHT,
            is_unclean=False,
        )
        for number in range(N_ORDERS)
    )  # fmt: skip
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order, line_key=str(at), product_id=product, quantity=1, unit_price_minor=1_000,
            total_minor=1_000,
        )
        for order in placed
        for at, product in enumerate(dict.fromkeys(dice.choices(ids, weights, k=N_BOUGHT)))
    )  # fmt: skip


def _visits(ids: list[str], dice: random.Random, now: datetime) -> None:
    """What visitors nobody knows looked at today: 20 products each, by popularity."""
    from profiles.models import Event
    from tests import make

    source, weights = make.source(), [1 / (at + 1) for at in range(len(ids))]
    Event.objects.bulk_create(
        Event(
            source=source, kind="track", name="Product Viewed", anonymous_id=f"visitor-{number}",
            message_id=f"{number}-{at}", product_id=product, happened_at=now, received_at=now,
        )
        for number in range(N_VISITS + N_WARM)
        for at, product in enumerate(
            list(dict.fromkeys(dice.choices(ids, weights, k=4 * N_LOOKED)))[:N_LOOKED]
        )
    )  # fmt: skip


def online() -> None:
    """Print how long the list of a visitor takes who looked at 20 products."""
    from django.utils import timezone

    from recommendations import reading

    walls, cpus = [], []
    for number in range(N_VISITS + N_WARM):
        wall, cpu = time.perf_counter(), time.thread_time()
        found = reading.of_visitor(
            user_id="", anonymous_id=f"visitor-{number}", beside="", placement="default", n=10,
            language="en", country="", now=timezone.now(),
        )  # fmt: skip
        if number >= N_WARM:
            cpus.append((time.thread_time() - cpu) * 1000)
            walls.append((time.perf_counter() - wall) * 1000)
        if found is None or len(found.items) < 10 or found.fallback:
            raise RuntimeError("a visitor's list was not full")
    print(
        json.dumps(
            {
                "online: p50, ms": statistics.median(walls),
                "online: p99, ms": _percentile(walls, 99),
                "online: p99, ms of CPU": _percentile(cpus, 99),
            }
        )
    )


def _read(shop: Shop) -> dict[str, float]:
    """CPU of the web process for a known customer's list beside hello's, in turns."""
    client = Client(shop)
    dice = random.Random(SEED)
    of_hello, of_read = [], []
    for number in range(ROUNDS + 1):
        hello = _cpu_us(shop, client, [HELLO] * REQUESTS)
        paths = [READ.format(dice.randrange(N_CUSTOMERS)) for _ in range(REQUESTS)]
        read = _cpu_us(shop, client, paths)
        if number:  # the first round warms
            of_hello.append(hello)
            of_read.append(read)
    return {
        "read: hello, us of CPU": statistics.median(of_hello),
        "read: a customer's list, us of CPU": statistics.median(of_read),
        "read: CPU / hello's": statistics.median(
            read / hello for read, hello in zip(of_read, of_hello, strict=True)
        ),
    }


class Client:
    """One connection that is kept, asking with a secret key."""

    def __init__(self, shop: Shop) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(shop.url).netloc, timeout=60)
        self._headers = {"Authorization": f"Bearer {shop.key}"}

    def get(self, path: str) -> bytes:
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        told = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{answer.status} {told[:300]!r}")
        return told


def _cpu_us(shop: Shop, client: Client, paths: Sequence[str]) -> float:
    before = tree_cpu(shop.web)
    for path in paths:
        client.get(path)
    return (tree_cpu(shop.web) - before) / len(paths) * 1e6


def _under_load(shop: Shop) -> dict[str, float]:
    """Ask at a steady rate while a training is at work, from its first request to the last.

    A request's time begins when it was due, so that one that had to wait counts as late.
    """
    idle = _steadily(shop)
    training = shop.made.start("train_recommendations")
    try:
        time.sleep(BEGIN_SECONDS)
        busy = _steadily(shop)
        if training.poll() is not None:
            raise RuntimeError("the training ended before the last request: no sample")
    finally:
        kill(training)
    return {
        "http: requests a second": PER_SECOND,
        "http: p95, ms": _percentile(idle, 95),
        "http: p95 while a model trains, ms": _percentile(busy, 95),
        "http: p99 while a model trains, ms": _percentile(busy, 99),
    }


def _steadily(shop: Shop) -> list[float]:
    """Return milliseconds from when each request was due until its answer was read."""
    taken: list[float] = []
    numbers = iter(range(PER_SECOND * SECONDS))
    taking, started = threading.Lock(), time.perf_counter()

    def sender() -> None:
        client = Client(shop)
        while True:
            with taking:
                number = next(numbers, None)
            if number is None:
                return
            due = started + number / PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            client.get(READ.format(number * 7919 % N_CUSTOMERS))
            taken.append((time.perf_counter() - due) * 1000)

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(taken) != PER_SECOND * SECONDS:
        raise RuntimeError("some requests were not answered")
    return taken


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]
