"""Kill -9 in the middle of sending: nobody gets a message twice, nobody is forgotten."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from campaigns.delivery import INTENT_BATCH
from tests.faults.installation import Installation, installation, kill, run, until
from tests.servers import free_port

pytestmark = pytest.mark.slow

N_MESSAGES = 300
N_KILLS = 3
FILL = f"""
import django; django.setup()
from campaigns import delivery
from tests import make
for n in range({N_MESSAGES}):
    make.reader(f"c{{n}}")
campaign = make.written_campaign()
delivery.plan(campaign, make.NOW)
"""
RECOVER = """
import django; django.setup()
from datetime import timedelta
from django.utils import timezone
from campaigns import delivery
delivery.recover(timezone.now() + 2 * delivery.LEASE)
"""


@dataclass
class Sink:
    """Logs each message when it is accepted, whether or not the sender lives to hear it."""

    accepted: list[str] = field(default_factory=list)
    grew: threading.Event = field(default_factory=threading.Event)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.accepted += envelope.rcpt_tos
        self.grew.set()
        await asyncio.sleep(0.005)
        return "250 ok"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    made, port = Sink(), free_port()
    controller = Controller(made, hostname="127.0.0.1", port=port)
    controller.start()
    yield made, port
    controller.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, sink: tuple[Sink, int]
) -> Iterator[Installation]:
    database = "" if request.param == "sqlite" else os.environ["TEST_DATABASE_URL"]
    with installation(tmp_path, database=database) as made:
        made.environ["SMTP_URL"] = f"smtp://127.0.0.1:{sink[1]}"
        for alias in ("default", "keystore"):
            assert made.manage("migrate", "--database", alias).returncode == 0
        run(made, FILL)
        yield made


def test_killed_senders_double_nothing_and_lose_nothing(
    shop: Installation, sink: tuple[Sink, int]
) -> None:
    log = sink[0].accepted
    dice = random.Random(7)
    for _ in range(N_KILLS):
        goal = len(log) + dice.randint(5, 45)
        process = shop.start("send_campaign", "1", "--verbosity", "0")
        until(lambda goal=goal: len(log) >= goal, "the next messages")  # type: ignore[misc]
        kill(process)
        run(shop, RECOVER)

    last = shop.manage("send_campaign", "1")

    assert last.returncode == 0, last.stderr
    states = dict(shop.rows("SELECT state, count(*) FROM campaigns_delivery GROUP BY state"))
    assert len(set(log)) == len(log), "somebody got the message twice"
    assert states["sent"] + states.get("unknown", 0) == N_MESSAGES
    assert states["sent"] <= len(log) <= N_MESSAGES
    assert states.get("unknown", 0) <= N_KILLS * INTENT_BATCH
    assert shop.rows("SELECT status FROM campaigns_campaign") == [("finished",)]
