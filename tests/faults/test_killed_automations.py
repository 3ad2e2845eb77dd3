"""Kill -9 and two schedulers at once while the three automations run.

Whoever set one off gets each of its messages once and not before its delay is over. FAULT_RECIPIENTS
and FAULT_KILLS set the size, as they do of `test_killed_sending`.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from campaigns.delivery import INTENT_BATCH
from tests.faults.installation import Installation, installation, kill, until
from tests.faults.sink import Sink, sinking
from tests.faults.test_killed_sending import N_KILLS_SMALL as N_KILLS
from tests.faults.test_killed_sending import N_MESSAGES_SMALL, prepared
from tests.servers import own_postgres, redis

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis]

N_EACH = N_MESSAGES_SMALL // 10
SPREAD_SECONDS = 20
# The first customer leaves two carts.
N_STEPS = {"welcome": (N_EACH, N_EACH), "cart": (N_EACH + 1, N_EACH + 1), "accessory": (N_EACH,)}
DELAYS = {"welcome": (0, 1), "cart": (1, 1440), "accessory": (1,)}
FILL = f"""
import django; django.setup()
from datetime import timedelta
from django.utils import timezone
from campaigns import automations
from privacy.models import Consent
from tests import make
from tests.campaigns import test_automations as made

now = timezone.now()
make.shop(sender_email="shop@shop.test", sender_name="Shop")
make.product("phone", "Phone X", category="Phones", specs={{"sockets": ["usb-c"]}})
make.product("cable", "Cable", accessory_for=["Phones"], specs={{"plugs": ["usb-c", "usb-a"]}})
made.popular("cable")
for kind, delays in {DELAYS!r}.items():
    one = automations.prepare(kind, staff=made.boss(), now=now)
    delays = dict(enumerate(delays, start=1))
    automations.set_up(one, delays=delays, holdout_ppm=0, restore_url=made.RESTORE)
    automations.switch_on(one, staff=made.boss(), now=now - timedelta(hours=1))
for n in range({N_EACH}):
    at = now - timedelta(seconds=60 - n * {SPREAD_SECONDS} / {N_EACH})
    made.agreed(f"w{{n}}", at)
    leaver, buyer = (made.agreed(f"{{of}}{{n}}", now - timedelta(days=1)) for of in "lb")
    made.left(leaver, f"k{{n}}", at)
    if n == 0:
        made.left(leaver, "k-two", at)
    make.order(buyer, ("phone", "Smartphones", 1, 50_000), at=at)
"""
ROWS = """
SELECT d.id, a.kind, s.position, d.state, d.reason, d.due_at, d.entered_at
FROM campaigns_delivery d
JOIN campaigns_step s ON s.campaign_id = d.campaign_id
JOIN campaigns_automation a ON a.id = s.automation_id
"""

STATES = "SELECT state, count(*) FROM campaigns_delivery GROUP BY state"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with sinking() as made:
        yield made


@pytest.fixture
def shop(tmp_path: Path, sink: Sink) -> Iterator[Installation]:
    with (
        own_postgres() as server,
        redis() as broker,
        installation(tmp_path, database=server.url, redis=broker) as made,
    ):
        yield prepared(made, sink, FILL)


def test_automations_under_blows_with_two_schedulers_reach_each_once_after_their_delay(
    shop: Installation, sink: Sink
) -> None:
    def start() -> subprocess.Popen[bytes]:
        return shop.start("serve", "--worker", "--queues", "send,critical", "--processes", "1")

    def n_of(*states: str) -> int:
        return sum(n for state, n in shop.rows(STATES) if state in states)

    def n_gone() -> int:
        """What blows made unknown counts: the sink may never see it."""
        return len(sink.accepted) + n_of("unknown")

    for _ in range(2):
        shop.start("serve", "--beat")
    workers = [start(), start()]
    n_due = sum(
        n
        for kind, of_steps in N_STEPS.items()
        for n, delay in zip(of_steps, DELAYS[kind], strict=True)
        if delay <= 1
    )
    for number in range(N_KILLS):
        for _ in range(2):
            shop.enqueue("campaigns.enter")
        goal = (2 * number + 1) * n_due // (2 * N_KILLS + 1)
        until(lambda goal=goal: n_gone() >= goal, "the next messages")  # type: ignore[misc]
        for worker in workers:
            kill(worker)
        workers = [start(), start()]
    shop.enqueue("campaigns.enter")

    until(lambda: n_of("sent", "unknown", "skipped") >= n_due, "the rest")
    check(shop.rows(ROWS), sink)


def check(rows: list[tuple[Any, ...]], sink: Sink) -> None:
    assert Counter((kind, position) for _, kind, position, *_ in rows) == {
        (kind, position): n
        for kind, of_steps in N_STEPS.items()
        for position, n in enumerate(of_steps, start=1)
    }, "somebody was forgotten, or reached twice"
    times = dict(sink.deliveries)
    assert len(times) == len(sink.deliveries), "somebody got a message twice"
    for pk, kind, position, state, reason, due_at, entered_at in rows:
        minutes = DELAYS[kind][position - 1]
        assert due_at - entered_at == timedelta(minutes=minutes), "a delay was not kept"
        assert times.get(pk, due_at.timestamp()) >= due_at.timestamp(), "a delay was not kept"
        if minutes > 1:
            assert (state, pk in times) == ("planned", False)
        else:
            assert state == "unknown" or (state == "sent" and pk in times), (kind, reason)
    n_unknown = sum(row[3] == "unknown" for row in rows)
    print(f"{len(rows)} deliveries, {len(times)} accepted, {n_unknown} unknown")  # noqa: T201
    # Each blow takes both workers' small batches.
    assert n_unknown <= N_KILLS * 2 * INTENT_BATCH
