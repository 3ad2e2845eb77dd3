"""Kill -9 at random moments of an import: in the end every row is as if nothing had happened."""

from __future__ import annotations

import csv
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.installation import Installation, installation, kill, until
from tests.profiles.orders import SAMPLE

pytestmark = pytest.mark.slow

COPIES = 500
KILLS = 6
COMMAND = (
    "import_orders", "", "--format", "online-retail",
    "--currency", "GBP", "--timezone", "Europe/London",
)  # fmt: skip
ORDERS = """
    SELECT o.number, c.external_id, o.total_minor, o.refunded_minor
    FROM profiles_order o LEFT JOIN profiles_customer c ON c.id = o.customer_id
"""
LINES = """
    SELECT o.number, l.line_key, l.quantity, l.total_minor, l.refunded_quantity, l.refunded_minor
    FROM profiles_orderline l JOIN profiles_order o ON o.id = l.order_id
"""
REFUNDS = """
    SELECT r.refund_key, o.number, l.line_key, r.quantity, r.amount_minor
    FROM profiles_refund r
    LEFT JOIN profiles_orderline l ON l.id = r.line_id LEFT JOIN profiles_order o ON o.id = l.order_id
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample many times over, each copy with invoices and customers of its own."""
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    with SAMPLE.open(newline="") as source, path.open("w", newline="") as target:
        head, *rows = csv.reader(source)
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(head)
        for n in range(COPIES):
            for invoice, *middle, customer, country in rows:
                name = f"{n}-{customer}" if customer else ""
                writer.writerow([f"{invoice}-{n}", *middle, name, country])
            writer.writerow([f"bad-{n}", "22041", "", "x", "2010-01-01", "1", "", ""])
    return path


@pytest.fixture(scope="module")
def undisturbed(
    file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[tuple[Any, ...]]]]:
    with installation(tmp_path_factory.mktemp("undisturbed")) as made:
        made.migrate()
        done = made.manage(*command(file))
        assert done.returncode == 0, done.stderr
        yield facts(made)


def command(file: Path) -> list[str]:
    return [part or str(file) for part in COMMAND]


def facts(made: Installation) -> dict[str, list[tuple[Any, ...]]]:
    found = {query: sorted(made.rows(query), key=str) for query in (ORDERS, LINES, REFUNDS)}
    summary = made.rows("SELECT summary FROM profiles_upload")
    kept = [text if isinstance(text, dict) else json.loads(text) for (text,) in summary]
    rejects = [Path(one.pop("rejects")).read_text() for one in kept]
    return found | {"summary": [(kept, rejects)]}


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def test_an_import_killed_again_and_again_ends_as_if_never_disturbed(
    file: Path, undisturbed: dict[str, list[tuple[Any, ...]]], database: str, tmp_path: Path
) -> None:
    url = os.environ["TEST_DATABASE_URL"] if database == "postgresql" else ""
    chance = random.Random(database)
    with installation(tmp_path, database=url, redis=os.environ.get("TEST_REDIS_URL", "")) as made:
        made.migrate()
        reached = []
        for _ in range(KILLS):
            disturb(made, command(file), after_seconds=chance.uniform(0, 0.5))
            reached.append(cursor(made))
        done = made.manage(*command(file))

        assert done.returncode == 0, done.stderr
        assert len(set(reached)) > 2, "the kills came before anything was done"
        assert made.rows("SELECT COUNT(*) FROM jobs_job") == [(1,)]
        assert facts(made) == undisturbed


def disturb(made: Installation, arguments: list[str], *, after_seconds: float) -> None:
    """Start the import and kill it a moment after its first step."""
    before = cursor(made)
    process = made.start(*arguments)
    until(lambda: cursor(made) != before or process.poll() is not None, "a step")
    time.sleep(after_seconds)
    kill(process)


def cursor(made: Installation) -> str:
    return str(made.rows("SELECT cursor FROM jobs_job"))
