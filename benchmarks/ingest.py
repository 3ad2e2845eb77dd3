"""Events through HTTP until they are merged, against COPY of the same rows into a bare table.

The floor is PostgreSQL and its client together, for rows of the same columns in a table without
any index; what a table with the indexes of the event table costs is printed beside it. Ours is the web process and PostgreSQL, from the request to the merged event, with
verdicts, ids against repeats, names, daily counts and customers; the worker stands apart.
"""

from __future__ import annotations

import http.client
import itertools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg

from benchmarks.frame import Result
from benchmarks.server import Measured, measured_postgres, tree_cpu
from tests import servers
from tests.faults.installation import Installation, get, installation, until
from tests.faults.installation import run as run_code
from tests.servers import free_port

N_EVENTS = 100_000
N_CUSTOMERS = 2_000
PER_REQUEST = 500
SENDERS = 4
# Of twelve events in a shop, one puts something into a cart.
NAMES = (*["Product Viewed"] * 7, *["Page Viewed"] * 3, "Products Searched", "Product Added")
SETUP = f"""
import django; django.setup()
from privacy.models import Subject
from profiles.models import Customer
from tests import make
make.shop()
people = Subject.objects.bulk_create(Subject() for _ in range({N_CUSTOMERS}))
Customer.objects.bulk_create(
    Customer(external_id=f"C-{{n}}", subject=one, created_at=make.NOW)
    for n, one in enumerate(people)
)
print(make.secret_key())
"""
BARE = """
CREATE TABLE bare (
    source_id bigint, message_id text, kind text, name text, customer_id bigint,
    anonymous_id text, product_id text, properties jsonb, context jsonb, is_confirmed boolean,
    happened_at timestamptz, received_at timestamptz
)
"""
# The same columns, `id` and `quality` beside them by default, with every index of the event table.
INDEXED = "CREATE TABLE bare (LIKE profiles_event INCLUDING DEFAULTS INCLUDING INDEXES)"
COPY = """
COPY bare (
    source_id, message_id, kind, name, customer_id, anonymous_id, product_id, properties, context,
    is_confirmed, happened_at, received_at
) FROM STDIN
"""


def events(n: int, ids: str = "m") -> Iterator[dict[str, object]]:
    now = datetime.now(UTC)
    for number in range(n):
        yield {
            "type": "track",
            "event": NAMES[number % len(NAMES)],
            "messageId": f"{ids}-{number}",
            "userId": f"C-{number * 7919 % N_CUSTOMERS}",
            "timestamp": (now - timedelta(seconds=n - number)).isoformat(),
            "properties": {"product_id": f"p-{number % 900}", "category": "Audio", "price": 49.9},
            "context": {"userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"},
        }


def bodies(n: int, ids: str = "m") -> list[bytes]:
    waiting = events(n, ids)
    return [
        json.dumps({"batch": some}).encode()
        for some in iter(lambda: list(itertools.islice(waiting, PER_REQUEST)), [])
    ]


def floor(server: Measured, url: str, table: str, n: int) -> float:
    """CPU microseconds a row that COPY costs, client and server; the median of three."""
    rows = [
        (1, one["messageId"], "track", one["event"], number * 7919 % N_CUSTOMERS, "", "p-1",
         json.dumps(one["properties"]), json.dumps(one["context"]), True, one["timestamp"],
         one["timestamp"])
        for number, one in enumerate(events(n))
    ]  # fmt: skip
    found = []
    for _ in range(3):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS bare")
            connection.execute(table.encode())
            before = server.cpu() + time.process_time()
            with connection.cursor() as cursor, cursor.copy(COPY) as copy:
                for row in rows:
                    copy.write_row(row)
        time.sleep(0.5)  # until the parent has noted the backend's end
        found.append((server.cpu() + time.process_time() - before) / n * 1e6)
    return statistics.median(found)


def send(url: str, key: str, waiting: list[bytes]) -> None:
    """POST every body once, a few connections at a time. Raises RuntimeError on a refusal."""
    left = iter(waiting)
    taking = threading.Lock()
    refused: list[str] = []

    def sender() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        head = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        while not refused:
            with taking:
                body = next(left, None)
            if body is None:
                return
            connection.request("POST", "/v1/batch", body, head)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != http.HTTPStatus.ACCEPTED:
                refused.append(f"{answer.status} {told[:300]!r}")

    _all(threading.Thread(target=sender) for _ in range(SENDERS))
    if refused:
        raise RuntimeError(refused[0])


def _all(threads: Iterator[threading.Thread]) -> None:
    started = list(threads)
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def _until_merged(made: Installation) -> None:
    """Wait until nothing is staged: to count the events each time would be work of its own."""
    started = time.perf_counter()
    with psycopg.connect(made.database, autocommit=True) as watching:
        while watching.execute("SELECT 1 FROM profiles_eventstaging LIMIT 1").fetchone():
            time.sleep(0.1)
            if time.perf_counter() - started > 600:
                raise RuntimeError("the merge took over ten minutes")


def run(n_events: int = N_EVENTS, **_others: int) -> Result:
    with (
        tempfile.TemporaryDirectory() as folder,
        measured_postgres() as server,
        servers.redis() as broker,
        installation(Path(folder), database=server.url, redis=broker) as made,
    ):
        for alias in ("default", "keystore"):
            made.manage("migrate", "--database", alias)
        key = run_code(made, SETUP)
        copied = {
            "COPY CPU us per row": floor(server, server.url, BARE, n_events),
            "COPY CPU us per row, with the indexes": floor(
                server, made.database, INDEXED, n_events
            ),
        }
        return _through_http(made, server, key, n_events, copied)


def _through_http(
    made: Installation, server: Measured, key: str, n: int, copied: dict[str, float]
) -> Result:
    port = free_port()
    web = made.start("serve", "--web", "--port", str(port), "--processes", "1")
    worker = made.start("serve", "--worker", "--processes", "1")
    made.start("serve", "--beat")
    url = f"http://127.0.0.1:{port}"
    until(lambda: get(f"{url}/healthz/worker")[0] == 200, "the start")
    # No process is measured at its first steps: half a second of each is the loading of modules.
    send(url, key, bodies(SENDERS * PER_REQUEST, ids="warm"))
    _until_merged(made)
    waiting = bodies(n)
    before = tree_cpu(web.pid), tree_cpu(worker.pid), server.cpu()
    started = time.perf_counter()
    send(url, key, waiting)
    taken = time.perf_counter() - started
    _until_merged(made)
    merged = time.perf_counter() - started
    time.sleep(1)
    after = tree_cpu(web.pid), tree_cpu(worker.pid), server.cpu()
    web_us, worker_us, server_us = (
        (end - start) / n * 1e6 for start, end in zip(before, after, strict=True)
    )
    ((n_stored,),) = made.rows("SELECT count(*) FROM profiles_event")
    if n_stored != n + SENDERS * PER_REQUEST:
        raise RuntimeError(f"{n_stored} events are stored, not {n + SENDERS * PER_REQUEST}")
    return Result(
        name=f"ingest: {n:,} events by HTTP until merged / COPY into a bare table",
        figures={
            "events per second, taken in (wall)": n / taken,
            "events per second, merged (wall)": n / merged,
            "web CPU us per event": web_us,
            "PostgreSQL CPU us per event": server_us,
            "worker CPU us per event": worker_us,
            **copied,
            "web CPU / COPY CPU": web_us / copied["COPY CPU us per row"],
            "PostgreSQL CPU / COPY CPU": server_us / copied["COPY CPU us per row"],
            "web + PostgreSQL CPU / COPY CPU": (web_us + server_us) / copied["COPY CPU us per row"],
        },
        budgets={"web + PostgreSQL CPU / COPY CPU": 9},
        notes=(
            f"{psutil.cpu_count()} cores shared with the senders and everything else",
            "the aim is 6 times COPY and 5,000 merged events per second on two idle cores",
        ),
    )
