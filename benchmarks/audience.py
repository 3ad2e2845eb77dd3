"""One process that plans a large audience, in turns with PostgreSQL's own INSERT … SELECT.

The floor takes the same people by the same conditions and hashes them by the database's own
function; it writes every column of a delivery, into a table with the indexes of deliveries and into one with
a key alone.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks import segments
from benchmarks.segments import NOW

ROUNDS = 3
NATIVE = """
INSERT INTO {table} (campaign_id, customer_id, variant_id, bucket, locale, state, due_at, token,
                     n_attempts, reason, occurrence)
SELECT {campaign}, c.id, CASE WHEN c.hash < 100000 THEN NULL ELSE {variant} END, c.hash, 'en',
       CASE WHEN c.hash < 100000 THEN 'holdout' ELSE 'planned' END, now(),
       CASE WHEN c.hash < 100000 THEN NULL ELSE {token} END, 0, '', ''
FROM (SELECT id, abs(hashint8extended(id, 7)) % 1000000 AS hash FROM profiles_customer
      WHERE subject_id IN (SELECT subject_id FROM privacy_consent)) AS c
"""
LINK_KEY = "gen_random_uuid()::text"


def measure(n_customers: int) -> dict[str, float]:
    import django
    from django.core.management import call_command

    django.setup()
    for alias in ("default", "keystore"):
        call_command("migrate", verbosity=0, database=alias)
    segments.fill(n_customers, 0)
    from campaigns import delivery
    from campaigns.models import Campaign, Delivery
    from privacy.models import Shop
    from tests import make

    Shop.objects.update(sender_email="shop@shop.test", sender_name="Shop")
    _agree()
    campaign = make.written_campaign(weights={"A": 1, "B": 1}, holdout_ppm=100_000)
    variant = campaign.variants.get(key="A").pk
    facts = {"campaign": campaign.pk, "variant": variant, "token": LINK_KEY}
    _run("CREATE TABLE indexed (LIKE campaigns_delivery INCLUDING ALL)")
    _run("CREATE TABLE bare (LIKE campaigns_delivery INCLUDING IDENTITY INCLUDING DEFAULTS)")
    _run("ALTER TABLE bare ADD PRIMARY KEY (id)")
    state = {"status": campaign.status, "plan_cursor": 0, "planned_at": None}

    def ours() -> int:
        _run("TRUNCATE campaigns_delivery CASCADE")
        Campaign.objects.update(**state)
        campaign.refresh_from_db()
        return delivery.plan(campaign, NOW)

    def native(table: str) -> Callable[[], int]:
        def filled() -> int:
            _run(f"TRUNCATE {table}")
            return _run(NATIVE.format(table=table, **facts))

        return filled

    subjects = {"plan": ours, "native": native("indexed"), "bare": native("bare")}
    rates: dict[str, list[float]] = {name: [] for name in subjects}
    for _round in range(ROUNDS):
        for name, subject in subjects.items():
            started = time.perf_counter()
            n = subject()
            rates[name].append(n / (time.perf_counter() - started))
    rate = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "rows of the plan": float(Delivery.objects.count()),
        "plan, rows per second": rate["plan"],
        "native INSERT … SELECT, rows per second": rate["native"],
        "the same into a table with a key alone": rate["bare"],
        "native rows per second / plan's": rate["native"] / rate["plan"],
        "seconds for a million": 1_000_000 / rate["plan"],
    }


def _agree() -> None:
    """Half of the customers can be written to by e-mail."""
    _run("UPDATE profiles_customer SET email_tag = decode(md5(id::text), 'hex')")
    _run("DELETE FROM privacy_consent")
    _run(
        "INSERT INTO privacy_consent (subject_id, purpose, channel, state, since)"
        " SELECT uuid, 'campaign.email', 'email', 'given', now() FROM privacy_subject WHERE id % 2 = 0"
    )
    _run("VACUUM ANALYZE")


def _run(sql: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.rowcount)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
