"""Kill -9 in the middle of automations, under two schedulers: each message once, none forgotten.

Welcome, abandoned cart and accessory run at once. FAULT_RECIPIENTS and FAULT_KILLS set the size:

    FAULT_RECIPIENTS=20000 FAULT_KILLS=20 \
        python -m tests.servers -s tests/faults/test_killed_automations.py
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from campaigns.delivery import INTENT_BATCH
from config.serving import WORKER_THREADS
from tests.faults.installation import Installation, installation, kill, run, until
from tests.faults.test_killed_sending import Sink, sink  # noqa: F401 -- the fixture
from tests.servers import own_postgres, redis

pytestmark = pytest.mark.slow

N_PEOPLE = int(os.environ.get("FAULT_RECIPIENTS", "120")) // 3
N_KILLS = int(os.environ.get("FAULT_KILLS", "3"))
KINDS = ("welcome", "cart", "accessory")
FILL = f"""
import django; django.setup()
from datetime import timedelta
from django.utils import timezone
from campaigns import automations
from privacy.models import Consent
from profiles.models import Cart
from tests import make
now = timezone.now()
began, met = now - timedelta(hours=3), now - timedelta(minutes=90)
make.shop(sender_email="shop@shop.test", sender_name="Shop")
boss = make.staff(username="boss")
make.product("phone", "Phone", category="Phones", specs={{"ports": ["usb-c"]}})
make.product("cable", "Cable", accessory_for=["Phones"], specs={{"plugs": ["usb-c", "usb-a"]}})
for kind in ("welcome", "cart", "accessory"):
    made = automations.prepare(kind, staff=boss, now=began)
    automations.set_up(made, delays={{1: 1}}, holdout_ppm=0, restore_url="https://shop.test/c?t={{token}}")
    automations.switch_on(made, staff=boss, now=began)
for n in range({N_PEOPLE}):
    fresh, left, buyer = (make.reader(f"{{kind}}{{n}}") for kind in "wcb")
    make.cart(left, f"k{{n}}", ("tv", 1, 19_900))
    make.order(buyer, ("phone", "Phones", 1, 50_000), at=met)
Consent.objects.update(since=began - timedelta(days=1))
Consent.objects.filter(
    subject__in=list(__import__("profiles.models").models.Customer.objects.filter(
        external_id__startswith="w").values_list("subject", flat=True))
).update(since=met)
Cart.objects.update(state=Cart.State.ABANDONED, abandoned_at=met, changed_at=met)
"""
FIRST = """
    SELECT state, count(*) FROM campaigns_delivery d JOIN campaigns_step s
    ON s.campaign_id = d.campaign_id WHERE s.position = 1 GROUP BY state
"""
LATER = "DELETE FROM campaigns_delivery WHERE campaign_id IN (SELECT campaign_id FROM campaigns_step WHERE position > 1)"


def check(shop: Installation, sink: Sink, *, in_flight: int) -> None:  # noqa: F811
    """Wait until everybody's first message came to an end, and count."""

    def ended() -> int:
        states = dict(shop.rows(FIRST))
        return sum(states.get(state, 0) for state in ("sent", "unknown", "failed", "skipped"))

    until(lambda: ended() >= 3 * N_PEOPLE, "the first messages")
    states = dict(shop.rows(FIRST))
    unknown = states.get("unknown", 0)
    doubled = len(sink.accepted) - len(set(sink.accepted))
    print(f"{3 * N_PEOPLE} due, {len(sink.accepted)} accepted, {doubled} doubled, "  # noqa: T201
          f"{unknown} unknown of {in_flight} in flight")  # fmt: skip
    assert doubled == 0, "somebody got a step twice"
    assert states.get("sent", 0) + unknown == 3 * N_PEOPLE, states
    assert unknown <= in_flight


def fill(shop: Installation, sink: Sink) -> None:  # noqa: F811
    shop.environ["SMTP_URL"] = f"smtp://127.0.0.1:{sink.port}"
    for alias in ("default", "keystore"):
        assert shop.manage("migrate", "--database", alias).returncode == 0
    run(shop, FILL)


def goal(n: int) -> int:
    return min((n + 1) * 3 * N_PEOPLE // (N_KILLS + 2), 3 * N_PEOPLE - 1)


def test_a_killed_embedded_server_tells_everybody_once(tmp_path: Path, sink: Sink) -> None:  # noqa: F811
    with installation(tmp_path) as shop:
        fill(shop, sink)

        def start() -> subprocess.Popen[bytes]:
            return shop.start("serve", "--port", "0")

        running = start()
        for n in range(N_KILLS):
            until(lambda n=n: len(sink.accepted) >= goal(n), "the next messages")  # type: ignore[misc]
            kill(running)
            running = start()
        check(shop, sink, in_flight=N_KILLS * INTENT_BATCH * WORKER_THREADS)


@pytest.mark.postgres
@pytest.mark.redis
def test_two_workers_and_two_schedulers_tell_everybody_once(tmp_path: Path, sink: Sink) -> None:  # noqa: F811
    with (
        own_postgres() as server,
        redis() as broker,
        installation(tmp_path, database=server.url, redis=broker) as shop,
    ):
        fill(shop, sink)

        def start() -> subprocess.Popen[bytes]:
            return shop.start("serve", "--worker", "--queues", "send", "--processes", "1")

        for _ in range(2):
            shop.start("serve", "--beat")
        workers = [start(), start()]
        for n in range(N_KILLS):
            until(lambda n=n: len(sink.accepted) >= goal(n), "the next messages")  # type: ignore[misc]
            kill(workers.pop(0))
            workers.append(start())
        check(shop, sink, in_flight=N_KILLS * INTENT_BATCH)
