"""Kill -9, a crash of the database, a flushed Redis in the middle of sending.

Nobody gets a message twice, nobody is forgotten. Two workers on PostgreSQL are killed at full size,
one embedded server at a small one; FAULT_RECIPIENTS and FAULT_KILLS set the size of all:

    FAULT_RECIPIENTS=20000 FAULT_KILLS=20 \
        python -m tests.servers -s tests/faults/test_killed_sending.py
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from campaigns.delivery import INTENT_BATCH
from config.serving import WORKER_THREADS
from tests.faults.installation import Installation, get, installation, kill, run, until
from tests.faults.sink import Sink, sinking
from tests.servers import Postgres, free_port, own_postgres, redis

pytestmark = pytest.mark.slow

N_MESSAGES = int(os.environ.get("FAULT_RECIPIENTS", "20000"))
N_KILLS = int(os.environ.get("FAULT_KILLS", "20"))
N_MESSAGES_SMALL = int(os.environ.get("FAULT_RECIPIENTS", "400"))
N_KILLS_SMALL = int(os.environ.get("FAULT_KILLS", "3"))
OPEN = "SELECT count(*) FROM campaigns_delivery WHERE state IN ('planned', 'claimed', 'sending')"
FILL = """
import django; django.setup()
from campaigns import approvals, delivery
from tests import make
make.readers({n})
campaign = make.written_campaign()
delivery.plan(campaign, make.NOW)
approvals.launch(campaign)
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with sinking() as made:
        yield made


def prepared(made: Installation, sink: Sink, fill: str) -> Installation:
    made.environ["SMTP_URL"] = f"smtp://127.0.0.1:{sink.port}"
    made.migrate()
    run(made, fill)
    return made


@pytest.fixture
def embedded(tmp_path: Path, sink: Sink) -> Iterator[Installation]:
    with installation(tmp_path) as made:
        yield prepared(made, sink, FILL.format(n=N_MESSAGES_SMALL))


@pytest.fixture
def server() -> Iterator[Postgres]:
    with own_postgres() as made:
        yield made


@pytest.fixture
def broker() -> Iterator[str]:
    """A Redis of our own: the suite's must not be emptied."""
    with redis() as url:
        yield url


@pytest.fixture
def production(tmp_path: Path, sink: Sink, server: Postgres, broker: str) -> Iterator[Installation]:
    with installation(tmp_path, database=server.url, redis=broker) as made:
        yield prepared(made, sink, FILL.format(n=N_MESSAGES))


def strike(sink: Sink, blows: list[Callable[[], None]], n_messages: int) -> int:
    """Deal the blows, each after some messages more; returns how many were dealt in time."""
    dice, step = random.Random(7), n_messages // (len(blows) + 2)
    for n, blow in enumerate(blows):
        goal = min(n * step + dice.randint(step // 2, step), n_messages - 1)
        until(lambda goal=goal: len(sink.accepted) >= goal, "the next messages")  # type: ignore[misc]
        blow()
    return len(blows)


def check(shop: Installation, sink: Sink, n_messages: int, *, in_flight: int) -> None:
    """Wait for the end, which is after the last blow, and count."""
    began = time.monotonic()
    until(lambda: shop.rows(OPEN) == [(0,)], "the rest")
    seconds = time.monotonic() - began
    until(lambda: shop.rows("SELECT status FROM campaigns_campaign") == [("finished",)], "the end")
    log = sink.accepted
    states = dict(shop.rows("SELECT state, count(*) FROM campaigns_delivery GROUP BY state"))
    unknown = states.get("unknown", 0)
    print(  # noqa: T201 -- the figures of the run, with -s
        f"{n_messages} recipients, {len(log)} accepted, {len(log) - len(set(log))} doubled, "
        f"{n_messages - states['sent'] - unknown} lost, {unknown} unknown of {in_flight} "
        f"in flight, all ended {seconds:.0f} s after the last blow"
    )
    assert len(set(log)) == len(log), "somebody got the message twice"
    assert states["sent"] + unknown == n_messages, "somebody was forgotten"
    assert states["sent"] <= len(log)
    assert unknown <= in_flight


def test_a_killed_embedded_server_doubles_nothing_and_loses_nothing(
    embedded: Installation, sink: Sink
) -> None:
    port = free_port()

    def start() -> subprocess.Popen[bytes]:
        return embedded.start("serve", "--port", str(port))

    running = [start()]

    def blow() -> None:
        kill(running.pop())
        running.append(start())

    n = strike(sink, [blow] * N_KILLS_SMALL, N_MESSAGES_SMALL)

    check(embedded, sink, N_MESSAGES_SMALL, in_flight=n * INTENT_BATCH * WORKER_THREADS)
    assert get(f"http://127.0.0.1:{port}/healthz")[0] == 200


@pytest.mark.postgres
@pytest.mark.redis
def test_two_workers_under_blows_double_nothing_and_lose_nothing(
    production: Installation, sink: Sink, server: Postgres, broker: str
) -> None:
    dice = random.Random(11)

    def start() -> subprocess.Popen[bytes]:
        return production.start("serve", "--worker", "--queues", "send", "--processes", "1")

    production.start("serve", "--beat")
    workers = [start(), start()]

    def kill_one() -> None:
        kill(workers.pop(dice.randrange(2)))
        workers.append(start())

    def crash_the_database() -> None:
        server.crash()
        server.start()

    def flush() -> None:
        with Redis.from_url(broker) as store:
            store.flushall()

    blows = [kill_one] * N_KILLS + [crash_the_database, flush]
    dice.shuffle(blows)
    strike(sink, blows, N_MESSAGES)

    # Each kill takes one worker's small batch, the crash both workers' results.
    check(production, sink, N_MESSAGES, in_flight=(N_KILLS + 2) * INTENT_BATCH)
