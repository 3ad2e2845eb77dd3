"""PostgreSQL crashes and comes back: requests say so, jobs and commands lose and double nothing."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.installation import Installation, get, installation, run, until
from tests.profiles.orders import SAMPLE
from tests.servers import Postgres, free_port, own_postgres

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis]
STEPS = 30
COPIES = 200
KEY = """
import django; django.setup()
from tests import make
make.shop()
print(make.secret_key())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of our own: the suite's must not be crashed."""
    with own_postgres() as made:
        yield made


@pytest.fixture(scope="module")
def installed(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder, redis = tmp_path_factory.mktemp("shop"), os.environ["TEST_REDIS_URL"]
    with installation(folder, database=server.url, redis=redis) as made:
        made.migrate()
        yield made


@pytest.fixture
def shop(installed: Installation) -> Iterator[Installation]:
    yield installed
    installed.stop()
    installed.processes.clear()


def put(url: str, key: str, city: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(  # noqa: S310 -- loopback
        f"{url}/v1/customers/C-1",
        json.dumps({"city": city, "email": "ann@shop.example"}).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        method="PUT",
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_request_under_which_the_database_dies_is_answered_and_the_next_ones_are_served(
    server: Postgres, shop: Installation
) -> None:
    key, port = run(shop, KEY), free_port()
    url = f"http://127.0.0.1:{port}"
    shop.start("serve", "--web", "--port", str(port), "--processes", "1")
    until(lambda: get(f"{url}/healthz")[0] == 200, "the start")
    assert put(url, key, "Graz")[0] == 200

    with ThreadPoolExecutor(1) as pool:
        with closing(psycopg.connect(shop.database)) as other:
            other.execute("LOCK TABLE profiles_customer IN ACCESS EXCLUSIVE MODE")
            asked = pool.submit(put, url, key, "Wien")
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            until(lambda: shop.rows(waits) != [(0,)], "the request")
            server.crash()
        answers = [asked.result(30), put(url, key, "Wien")]
    alive, ready = get(f"{url}/healthz")[0], get(f"{url}/readyz")[0]
    server.start()

    assert [(status, told["code"]) for status, told in answers] == [
        (503, "database_unavailable"),
        (503, "database_unavailable"),
    ]
    assert "127.0.0.1" not in str(answers)
    assert (alive, ready) == (200, 503)
    assert put(url, key, "Wien")[0] == 200
    assert shop.rows("SELECT city FROM profiles_customer WHERE external_id = 'C-1'") == [("Wien",)]


def test_a_job_under_which_the_database_dies_ends_with_each_step_done_once(
    server: Postgres, shop: Installation
) -> None:
    for role in ("--beat", "--worker"):
        shop.start("serve", role)
    shop.enqueue("faults.default", steps=STEPS, seconds=0.1)
    until(lambda: len(shop.steps()) >= 3, "the first steps")

    server.crash()
    server.start()
    until(lambda: shop.job("faults.default")[0] == "done", "the rest")

    assert shop.steps() == list(range(STEPS))
    assert shop.job("faults.default")[1] == 2


def test_a_command_under_which_the_database_dies_says_so_and_goes_on_when_started_again(
    server: Postgres, shop: Installation, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    with SAMPLE.open(newline="") as source, path.open("w", newline="") as target:
        head, *rows = csv.reader(source)
        csv.writer(target).writerows(
            [head, *([f"{row[0]}-{n}", *row[1:]] for n in range(COPIES) for row in rows)]
        )
    command = ["import_orders", str(path), "--format", "online-retail"]
    command += ["--currency", "GBP", "--timezone", "Europe/London"]
    process = shop.start(*command, stderr=subprocess.PIPE)
    until(lambda: shop.rows("SELECT 1 FROM profiles_stagedline LIMIT 1") != [], "the first step")

    server.crash()
    _out, told = process.communicate(timeout=60)
    server.start()
    again = shop.manage(*command)

    assert process.returncode == 1
    assert told.decode().splitlines()[-1].startswith("The database cannot be used: ")
    assert "Traceback" not in told.decode()
    assert again.returncode == 0, again.stderr
    assert "Going on with job" in again.stdout
    ((summary,),) = shop.rows("SELECT summary FROM profiles_upload")
    assert summary["balanced"]
    assert summary["counts"]["rows"] == COPIES * len(rows)
    assert shop.rows("SELECT count(*) FROM profiles_orderline") == [
        (summary["counts"]["lines_added"],)
    ]
