"""Events to traits of every customer, against polars and pandas on the same events.

Ours is the build's own statement in PostgreSQL, for all 53 built-in traits, with its writing. The
floor is polars on the same rows: they are copied out of the store, their JSON is read, the traits of
events alone are computed by its streaming engine and copied back. A plain groupby of pandas takes the
same rows, and writes nothing. Beside them stand both on columns that are in a file already, with
nothing to read from JSON or to write. Memory of ours is what the statement's own process holds
beside what all processes share.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil

from benchmarks.frame import ENVIRONMENT, ROOT, Result, Sample, python, sample
from benchmarks.server import Measured, measured_postgres
from tests.faults.installation import Installation, installation
from tests.faults.installation import run as run_code

N_EVENTS = 1_000_000
N_CUSTOMERS = 50_000
DAYS = 90
SETTLED = 0.5  # seconds until the server's processes have ended
MAKE = """
import sys
import numpy as np
import polars as pl
n, n_customers, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
dice = np.random.default_rng(11)
frame = pl.DataFrame({
    "customer": dice.integers(1, n_customers + 1, size=n),
    "name": dice.choice(np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3], dtype=np.int8), size=n),
    "at": 1_772_442_000 - dice.integers(1, 90 * 86_400, size=n),
    "category": dice.integers(0, 40, size=n).astype(np.int16),
    "device": dice.integers(0, 3, size=n).astype(np.int8),
}).sort("customer", "at")
frame.write_parquet(f"{folder}/events.parquet")
for column in frame.columns:
    np.save(f"{folder}/{column}.npy", frame[column].to_numpy())
"""
OF_FILE = """
import sys
import polars as pl
folder = sys.argv[1]
rows = pl.scan_parquet(f"{folder}/events.parquet").with_columns(at=pl.col("at").cast(pl.Int64))
viewed, searched, added, mobile = 0, 2, 3, 1
"""
COPIED = """
import sys
import psycopg
folder, url = sys.argv[1:]
with psycopg.connect(url) as connection, open(f"{folder}/told.csv", "wb") as file:
    with connection.cursor().copy(
        "COPY (SELECT customer_id AS customer, name, floor(date_part('epoch', happened_at))::bigint"
        " AS at, properties, context FROM profiles_event WHERE customer_id IS NOT NULL AND quality"
        " NOT IN ('bot', 'impossible', 'test')) TO STDOUT (FORMAT csv, HEADER)"
    ) as told:
        for block in told:
            file.write(block)
"""
OF_STORE = """
import polars as pl
rows = pl.scan_csv(f"{folder}/told.csv").with_columns(
    category=pl.col("properties").str.json_path_match("$.category"),
    device=pl.col("context").str.json_path_match("$.device.type"),
)
viewed, searched, added, mobile = "Product Viewed", "Products Searched", "Product Added", "mobile"
"""
WRITE = """
found.write_csv(f"{folder}/made.csv", include_header=False)
with psycopg.connect(url) as connection, open(f"{folder}/made.csv", "rb") as file:
    kinds = ("text" if kind == pl.String else "double precision" for kind in found.dtypes)
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(found.columns, kinds))
    connection.execute(f"CREATE TABLE made ({columns}, PRIMARY KEY (customer))")
    with connection.cursor().copy("COPY made FROM STDIN (FORMAT csv)") as made:
        while block := file.read(1 << 20):
            made.write(block)
"""
POLARS = """
seen = rows.with_columns(
    day=pl.col("at") // 86400, hour=pl.col("at") // 3600 % 24,
    weekday=(pl.col("at") // 86400 + 3) % 7,
)
def most(column, rows):
    counted = rows.group_by("customer", column).agg(n=pl.len())
    best = counted.sort("n", descending=True).group_by("customer").agg(pl.col(column).first())
    return best
by = seen.group_by("customer").agg(
    n=pl.len(), last=pl.col("at").max(), days=pl.col("day").n_unique(),
    sessions=(pl.col("at").sort().diff() > 1800).sum() + 1,
    views=(pl.col("name") == viewed).sum(), searches=(pl.col("name") == searched).sum(),
    adds=(pl.col("name") == added).sum(), weekend=(pl.col("weekday") > 4).mean(),
    mobile=(pl.col("device") == mobile).mean(),
)
for column in ("hour", "weekday", "device"):
    by = by.join(most(column, seen), on="customer", how="left")
by = by.join(most("category", seen.filter(pl.col("name") == viewed)), on="customer", how="left")
found = by.collect(engine="streaming")
print(found.height)
"""
PANDAS_OF_FILE = """
import sys
import numpy as np
import pandas as pd
folder = sys.argv[1]
names = ("customer", "name", "at", "category", "device")
seen = pd.DataFrame({name: np.load(f"{folder}/{name}.npy") for name in names})
viewed, searched, added, mobile = 0, 2, 3, 1
"""
PANDAS_OF_STORE = """
import json
import pandas as pd
seen = pd.read_csv(f"{folder}/told.csv")
seen["category"] = [json.loads(text).get("category") for text in seen.pop("properties")]
seen["device"] = [json.loads(text).get("device", {}).get("type") for text in seen.pop("context")]
viewed, searched, added, mobile = "Product Viewed", "Products Searched", "Product Added", "mobile"
"""
PANDAS = """
seen["day"] = seen["at"] // 86400
seen["hour"] = seen["at"] // 3600 % 24
seen["weekday"] = (seen["at"] // 86400 + 3) % 7
groups = seen.groupby("customer")
found = pd.DataFrame({"n": groups.size(), "last": groups["at"].max(), "days": groups["day"].nunique()})
seen["gap"] = seen.sort_values(["customer", "at"]).groupby("customer")["at"].diff()
found["sessions"] = (seen["gap"] > 1800).groupby(seen["customer"]).sum() + 1
for code, column in ((viewed, "views"), (searched, "searches"), (added, "adds")):
    found[column] = (seen["name"] == code).groupby(seen["customer"]).sum()
found["weekend"] = (seen["weekday"] > 4).groupby(seen["customer"]).mean()
found["mobile"] = (seen["device"] == mobile).groupby(seen["customer"]).mean()
def most(column, rows):
    counted = rows.groupby(["customer", column]).size().reset_index(name="n")
    return counted.sort_values("n", ascending=False).drop_duplicates("customer").set_index("customer")[column]
for column in ("hour", "weekday", "device"):
    found[column] = most(column, seen)
found["category"] = most("category", seen[seen["name"] == viewed])
print(len(found))
"""
SOURCE = """
import django; django.setup()
from tests import make
make.shop()
assert make.source().pk == 1
"""
BUILD = """
import django; django.setup()
from datetime import UTC, datetime
from profiles.traits import featuring
print(featuring.build_traits(datetime(2026, 3, 2, 9, tzinfo=UTC), everybody=True))
"""


def run(n_events: int = N_EVENTS, n_customers: int = N_CUSTOMERS) -> Result:
    with tempfile.TemporaryDirectory() as folder, measured_postgres() as server:
        sample(python("-c", MAKE, str(n_events), str(n_customers), folder), {})
        with installation(Path(folder) / "shop", database=server.url) as made:
            for alias in ("default", "keystore"):
                made.manage("migrate", "--database", alias)
            run_code(made, SOURCE)
            # Not here: what starts a process counts as memory of that process.
            loading = python("-m", "benchmarks.features_loading", made.database, folder)
            sample([*loading, str(n_customers)], {})
            peers = {
                "polars": sample(python("-c", OF_FILE + POLARS, folder), {}),
                "pandas": sample(python("-c", PANDAS_OF_FILE + PANDAS, folder), {}),
            }
            floor = of_store(server, OF_STORE + POLARS + WRITE, folder, made)
            plain = of_store(server, PANDAS_OF_STORE + PANDAS, folder, made)
            ours, held = build(made, server)
    polars, pandas = peers["polars"], peers["pandas"]
    return Result(
        name=f"features: {n_events:,} events into traits of {n_customers:,} customers",
        figures={
            "CPU seconds (client and PostgreSQL)": ours.cpu,
            "polars of the store's rows, CPU seconds": floor.cpu,
            "pandas of the store's rows, CPU seconds": plain.cpu,
            "polars of columns in a file, CPU seconds": polars.cpu,
            "pandas of columns in a file, CPU seconds": pandas.cpu,
            "CPU / polars of the store's rows": ours.cpu / floor.cpu,
            "CPU / pandas of the store's rows": ours.cpu / plain.cpu,
            "CPU / polars of columns in a file": ours.cpu / polars.cpu,
            "CPU / pandas of columns in a file": ours.cpu / pandas.cpu,
            "peak memory of the client (MB)": ours.rss_mb,
            "peak memory of the statement (MB)": held,
            "peak memory of polars of the store's rows (MB)": floor.rss_mb,
            "peak memory of pandas of the store's rows (MB)": plain.rss_mb,
            "polars peak memory (MB)": polars.rss_mb,
            "pandas peak memory (MB)": pandas.rss_mb,
        },
        budgets={
            "CPU / polars of the store's rows": 2,
            "CPU / pandas of the store's rows": 1,
            "peak memory of the client (MB)": 200,
            "peak memory of the statement (MB)": 1_000,
        },
    )


def of_store(server: Measured, code: str, folder: str, made: Installation) -> Sample:
    """Run code on what is copied out of the store first; its own CPU and the server's."""
    before = server.cpu()
    found = sample(python("-c", COPIED + code, folder, made.database), {})
    time.sleep(SETTLED)
    return replace(found, cpu=found.cpu + server.cpu() - before)


def build(made: Installation, server: Measured) -> tuple[Sample, float]:
    """Run the build; its own process and the server's CPU, and the most a statement held (MB)."""
    held = [0.0]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.2):
            for process in psutil.Process(server.pid).children():
                try:
                    used = process.memory_full_info().uss / 2**20
                except psutil.Error:
                    continue
                held[0] = max(held[0], used)

    watching = threading.Thread(target=watch)
    watching.start()
    before, started = server.cpu(), time.perf_counter()
    process = subprocess.Popen(
        python("-c", BUILD), cwd=ROOT, env=made.environ | ENVIRONMENT, stdout=subprocess.PIPE
    )
    told = process.stdout.read() if process.stdout else b""
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    is_over.set()
    watching.join()
    if process.returncode or not json.loads(told):
        raise RuntimeError("the build failed")
    time.sleep(SETTLED)
    cpu = used.ru_utime + used.ru_stime + server.cpu() - before
    return Sample(wall=wall, cpu=cpu, rss_mb=used.ru_maxrss / 1024), held[0]
