"""Kill -9 in the middle of posting: every message arrives, a repeated one under its own id."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from privacy.posting import BATCH
from tests.faults.installation import Installation, installation, kill, run, until
from tests.privacy.receiver import Receiver, receiver

pytestmark = pytest.mark.slow

N_MESSAGES = 200
N_KILLS = 3
FILL = f"""
import django; django.setup()
from django.db import transaction
from django.utils import timezone
from privacy import announcing
from privacy.announcing import Fact
from tests import make
make.webhook(url="{{url}}")
data = {{{{"jobId": "1", "kind": "k", "state": "done", "errorCode": ""}}}}
with transaction.atomic():
    announcing.announce([Fact("job.finished", data)] * {N_MESSAGES}, now=timezone.now())
"""
WORK = """
import django; django.setup()
from django.utils import timezone
from privacy import posting
while posting.send_due(timezone.now()):
    pass
"""
RECOVER = """
import django; django.setup()
from django.utils import timezone
from privacy import posting
posting.recover(timezone.now() + 2 * posting.LEASE)
"""


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as made:
        made.answer = lambda _heard: (threading.Event().wait(0.01), (200, {}))[1]
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shop(request: pytest.FixtureRequest, tmp_path: Path, there: Receiver) -> Iterator[Installation]:
    database = "" if request.param == "sqlite" else os.environ["TEST_DATABASE_URL"]
    with installation(tmp_path, database=database) as made:
        made.environ["WEBHOOK_ALLOWED_NETWORKS"] = "127.0.0.0/8"
        made.migrate()
        run(made, FILL.format(url=there.url))
        yield made


def test_killed_workers_lose_nothing_and_repeat_only_what_was_in_their_hands(
    shop: Installation, there: Receiver
) -> None:
    dice = random.Random(7)
    for _ in range(N_KILLS):
        goal = len(there.heard) + dice.randint(5, 45)
        worker = shop.start_code(WORK)
        until(lambda goal=goal: len(there.heard) >= goal, "the next posts")  # type: ignore[misc]
        kill(worker)
        run(shop, RECOVER)

    run(shop, WORK)

    states = dict(shop.rows("SELECT state, count(*) FROM privacy_webhookdelivery GROUP BY state"))
    assert states == {"delivered": N_MESSAGES}
    assert len(set(there.ids)) == N_MESSAGES
    assert N_MESSAGES <= len(there.ids) <= N_MESSAGES + N_KILLS * BATCH
    bodies = {heard.headers["webhook-id"]: heard.body for heard in there.heard}
    assert all(heard.body == bodies[heard.headers["webhook-id"]] for heard in there.heard)
