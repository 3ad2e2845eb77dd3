"""Segments on many customers and events: counts against SQL by hand, the builder, a refresh.

`--customers` and `--events` ask for another size (each customer has an order as well), and
BENCHMARK_DATABASE=sqlite for SQLite in the place of a private PostgreSQL, which is given 1 GB of
buffers. BENCHMARK_KEPT=postgresql://… takes an empty PostgreSQL of this machine in its place, and
the next time what was filled there: 20,000,000 events are filled once and measured often. SQL by hand runs as the server plans it by itself and as ours is planned; the cheaper of
the two is the floor. Ratios are of CPU, all of the server's processes together.
"""

# ruff: noqa: S608 -- statements of our own
from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil

from benchmarks.frame import ROOT, Result, python
from benchmarks.server import tree_cpu

N_CUSTOMERS = 100_000
VENDOR = os.environ.get("BENCHMARK_DATABASE", "postgresql")
KEPT = os.environ.get("BENCHMARK_KEPT", "")
N_EVENTS = 2_000_000
ROUNDS = 5
BUFFERS = "1GB"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
RULES: dict[str, dict[str, Any]] = {
    "orders": {"field": "bought_times", "operator": ">=", "value": 1, "category": "C1",
               "within_days": 60},
    "events": {"field": "event_times", "operator": ">=", "value": 3, "event": "E1",
               "within_days": 60},
    "sum": {"field": "event_sum", "operator": ">=", "value": 90, "event": "E1",
            "summed": "value", "within_days": 60},
}  # fmt: skip
ALLOWED = """SELECT COUNT(*) FROM profiles_customer c JOIN privacy_subject s ON s.uuid = c.subject_id
    WHERE s.erased_at IS NULL AND NOT s.restricted AND NOT s.no_profiling AND c.id IN ({})"""
OF_EVENTS = """SELECT customer_id FROM profiles_event WHERE kind = 'track' AND name = 'E1'
    AND quality <> 'bot' AND quality <> 'impossible' AND quality <> 'test'
    AND customer_id IS NOT NULL AND happened_at >= {since} AND happened_at < {now}
    GROUP BY customer_id HAVING {figure} >= {least}"""
BY_HAND = {
    "orders": """SELECT o.customer_id FROM profiles_orderline l JOIN profiles_order o
        ON o.id = l.order_id WHERE l.category = 'C1' AND o.customer_id IS NOT NULL
        AND o.status <> 'cancelled' AND o.quality NOT IN ('bot', 'impossible', 'test')
        AND o.placed_at >= {since} AND o.placed_at < {now}""",
    "events": OF_EVENTS.replace("{figure}", "COUNT(*)").replace("{least}", "3"),
    "sum": OF_EVENTS.replace("{figure}", "SUM({number})").replace("{least}", "90"),
}
# By hand as well, a property that is no number must not break the count.
NUMBER = {
    "postgresql": "CASE WHEN jsonb_typeof(properties->'value') = 'number'"
    " THEN (properties->>'value')::double precision END",
    "sqlite": "json_extract(properties, '$.value')",
}


def run(n_customers: int = N_CUSTOMERS, n_events: int = N_EVENTS) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        if VENDOR == "sqlite":
            found = _measured(f"sqlite:///{folder}/db.sqlite3", folder, n_customers, n_events)
        elif KEPT:
            found = _measured(KEPT, folder, n_customers, n_events)
        else:
            from tests.servers import own_postgres

            with own_postgres(synchronous_commit="off", shared_buffers=BUFFERS) as server:
                found = _measured(server.url, folder, n_customers, n_events)
    ratios = [f"{name}: count / by hand" for name in RULES]
    return Result(
        name=f"segments: {n_customers:,} customers, {n_events:,} events, {VENDOR}",
        figures=found,
        budgets=dict.fromkeys(ratios, 1.3)
        | {"builder's count, ms": 300, "refresh of 1 % / of all": 0.05},
    )


def _measured(url: str, folder: str, n_customers: int, n_events: int) -> dict[str, float]:
    told = {
        "DATABASE_URL": url,
        "KEYSTORE_DATABASE_URL": f"sqlite:///{folder}/keys.sqlite3",
        "VAR_DIR": folder,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LOG_LEVEL": "ERROR",
    }
    done = subprocess.run(
        python("-m", "benchmarks.segments", str(n_customers), str(n_events)),
        cwd=ROOT,
        env=os.environ | told,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(n_customers: int, n_events: int) -> dict[str, float]:
    import django
    from django.core.management import call_command

    django.setup()
    for alias in ("default", "keystore"):
        call_command("migrate", verbosity=0, database=alias)
    if not _is_filled(n_customers, n_events):
        fill(n_customers, n_events)
    return figures_of_all()


def _is_filled(n_customers: int, n_events: int) -> bool:
    """Tell whether these were filled already; raises ValueError where others were."""
    from profiles.models import Customer, Event

    found = (Customer.objects.count(), Event.objects.count())
    if found not in {(0, 0), (n_customers, n_events)}:
        raise ValueError(f"there are {found} customers and events already")
    return found != (0, 0)


def figures_of_all() -> dict[str, float]:
    """Measure on what is filled."""
    from django.db import connection

    figures: dict[str, float] = {}
    from profiles import counting, segment_rules, segmentation
    from profiles.bulk import planned_for_many

    def by_hand(name: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(ALLOWED.format(_by_hand(name)))
            return int(cursor.fetchone()[0])

    slowest = most_cpu = 0.0
    for name, condition in RULES.items():
        tree = {"combinator": "and", "not": False, "rules": [condition]}
        rule = segment_rules.checked(tree)
        if (found := segmentation.count(tree, NOW)) != (n := by_hand(name)):
            raise ValueError(f"{name}: {found} counted, {n} by hand")
        ours, *floors = _in_turns(
            lambda tree=tree: segmentation.count(tree, NOW),  # type: ignore[misc]
            lambda name=name: by_hand(name),  # type: ignore[misc]
            lambda name=name: planned_for_many()(by_hand)(name),  # type: ignore[misc]
            clock=_cpu,
        )
        floor = min(floors)
        figures[f"{name}: count / by hand"] = ours / floor
        figures[f"{name}: by hand, CPU ms"] = floor * 1000
        shown = lambda rule=rule: counting.soon(rule, NOW)  # noqa: E731
        slowest = max(slowest, *_in_turns(shown))
        most_cpu = max(most_cpu, *_in_turns(shown, clock=_cpu))
    figures["builder's count, ms"] = slowest * 1000
    figures["builder's count, CPU ms"] = most_cpu * 1000
    return figures | _refresh()


def _refresh() -> dict[str, float]:
    """CPU of both ways of the same segment, each after the other, with nobody to be moved."""
    from profiles import membership, segmentation
    from profiles.models import Customer

    tree = {"combinator": "and", "not": False, "rules": [RULES["events"]]}
    segment = segmentation.create(segmentation.free_name("S"), tree, now=NOW)
    membership.refresh(segment, now=NOW)
    keys = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    changed = random.Random(7).sample(keys, len(keys) // 100)
    part, whole = _in_turns(
        lambda: membership.refresh(segment, now=NOW, customers=changed),
        lambda: membership.refresh(segment, now=NOW),
        clock=_cpu,
    )
    return {"refresh of 1 % / of all": part / whole, "refresh of all, CPU ms": whole * 1000}


def _cpu() -> float:
    """Seconds of CPU of this process and of the server it is connected to, if there is one."""
    from django.db import connection

    if VENDOR == "sqlite":
        return time.process_time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = psutil.Process(cursor.fetchone()[0]).ppid()
    return time.process_time() + tree_cpu(server)


def _in_turns(
    *subjects: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    taken: list[list[float]] = [[] for _ in subjects]
    for _round in range(ROUNDS):
        for n, subject in enumerate(subjects):
            started = clock()
            subject()
            taken[n].append(clock() - started)
    return [statistics.median(one) for one in taken]


def _by_hand(name: str) -> str:
    since = (NOW - timedelta(days=60)).strftime("%Y-%m-%d %H:%M:%S")
    return (
        BY_HAND[name]
        .replace("{number}", NUMBER[VENDOR])
        .replace("{since}", f"'{since}{_zone()}'")
        .replace("{now}", f"'{NOW:%Y-%m-%d %H:%M:%S}{_zone()}'")
    )


def _zone() -> str:
    return "" if VENDOR == "sqlite" else "+00"


def fill(n_customers: int, n_events: int) -> None:
    """Customers, an order of one line each, and events, spread over 80 days, in SQL alone.

    Indexes of events are made after them, and all is vacuumed, as by a server's own daemon.
    """
    from django.db import connection

    from privacy.models import Shop, Source
    from profiles.events import partitions
    from profiles.models import Event

    for back in range(0, 120, 28):
        partitions.ensure(NOW - timedelta(days=back))
    shop = Shop.current()
    shop.currency = "EUR"
    shop.save()
    source = Source.objects.create(name="Web", kind=Source.Kind.WEBSITE, created_at=NOW).pk
    with connection.schema_editor() as schema:
        for index in Event._meta.indexes:
            schema.remove_index(Event, index)
    with connection.cursor() as cursor:
        if VENDOR != "sqlite":  # rows made here refer to rows made here: none is looked up
            cursor.execute(
                "SET session_replication_role = replica; SET maintenance_work_mem = '1GB'"
            )
        for sql in _statements(source, n_customers, n_events):
            cursor.execute(sql)
    with connection.schema_editor() as schema:
        for index in Event._meta.indexes:
            schema.add_index(Event, index)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if VENDOR == "sqlite" else "VACUUM ANALYZE")
        if VENDOR != "sqlite":
            cursor.execute("RESET session_replication_role; RESET maintenance_work_mem")


def _statements(source: int, n: int, n_events: int) -> list[str]:
    if VENDOR == "sqlite":
        uuid, tag = "lower(hex(randomblob(16)))", "randomblob(16)"
        numbers = (
            "(WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {})"
            " SELECT i FROM c) AS numbers"
        )
        moment = f"strftime('%Y-%m-%d %H:%M:%f', '{NOW:%Y-%m-%d}', '-' || ({{}}) || ' minutes')"
        value = "json_object('value', {})"
    else:
        uuid, tag = "gen_random_uuid()", "decode(md5(id::text), 'hex')"
        numbers = "generate_series(1, {}) AS numbers(i)"
        moment = f"TIMESTAMPTZ '{NOW:%Y-%m-%d} 00:00+00' - make_interval(mins => ({{}})::int)"
        value = "jsonb_build_object('value', {})"
    minutes = "1 + (i % 115200 * 7919) % 115200"
    at = moment.format(minutes)
    first = moment.format(1)
    sql = f"""
        INSERT INTO privacy_subject (uuid, restricted, objected, no_profiling)
        SELECT {uuid}, i < 0, i < 0, i < 0 FROM {numbers.format(n)};
        INSERT INTO profiles_customer (uuid, subject_id, external_id, locale, country,
            time_zone, city, gender, occupation, email_suppression_tag, created_at)
        SELECT {uuid}, uuid, 'c' || id, '', '', '', '', '', '', {tag}, {first}
        FROM privacy_subject;
        INSERT INTO privacy_consent (subject_id, purpose, channel, state, since)
        SELECT uuid, 'campaign.email', 'email', 'given', {first}
        FROM privacy_subject WHERE id % 3 = 0;
        INSERT INTO profiles_order (number, customer_id, source_id, status, placed_at, country,
            currency, total_minor, tax_minor, shipping_minor, discount_minor, refunded_minor,
            coupon, stamps, is_partial, quality)
        SELECT 'o' || i, i, {source}, 'paid', {at}, '', 'EUR', 100, 0, 0, 0, 0, '', '{{}}', i < 0, ''
        FROM {numbers.format(n)};
        INSERT INTO profiles_orderline (order_id, line_key, position, product_id, title,
            category, quantity, unit_price_minor, discount_minor, total_minor, refunded_quantity,
            refunded_minor)
        SELECT id, '1', 0, 'p' || id % 500, '', 'C' || id % 20, 1, 100, 0, 100, 0, 0
        FROM profiles_order;
        INSERT INTO profiles_event (source_id, message_id, kind, name, customer_id, anonymous_id,
            product_id, properties, context, is_confirmed, happened_at, received_at, quality)
        SELECT {source}, 'm' || i, 'track', 'E' || (i * 31 % 1009) % 10, 1 + i % {n}, '', '',
            {value.format("i % 97")}, '{{}}', i > 0, {at}, {at}, ''
        FROM {numbers.format(n_events)}
    """
    return sql.split(";")


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
