"""Importing orders: a dirty file of a year, against writing as many rows into one table.

The floor reads the same file with `csv` and inserts each line into one indexed SQLite table;
the import besides resolves customers, orders, refunds and set-aside lines, in resumable steps.
`python -m benchmarks imports --orders FILE` takes a real file in the form of Online Retail.
"""

from __future__ import annotations

import csv
import gzip
import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.frame import RUNS, Result, in_turns, python, sample

N_LINES = 100_000
HEADER = [
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
]
FLOOR = """
import csv, gzip, sqlite3, sys
table = sqlite3.connect(sys.argv[2])
table.execute("pragma journal_mode=wal"); table.execute("pragma synchronous=normal")
table.execute("create table line (id integer primary key, a, b, c, d, e, f, g, h)")
table.execute("create unique index line_once on line (a, b, e, d, id)")
with (gzip.open if sys.argv[1].endswith(".gz") else open)(sys.argv[1], "rt", newline="") as file:
    rows = csv.reader(file); next(rows)
    table.executemany("insert into line (a, b, c, d, e, f, g, h) values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
table.commit()
"""


def write_year(path: Path, n_lines: int = N_LINES, seed: int = 5) -> None:
    """A file like Online Retail: a fifth guests, two in a hundred cancelled, some postage."""
    chance = random.Random(seed)
    start = datetime(2025, 1, 1, 8)  # noqa: DTZ001 -- files of shops have no offset
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        number, left = 500_000, 0
        customer, at, sign, letter = "", start, 1, ""
        for line in range(n_lines):
            if not left:
                number, left = number + 1, chance.randint(3, 40)
                customer = "" if chance.random() < 0.2 else f"{chance.randint(12_000, 16_400)}.0"
                at = start + timedelta(minutes=line * 5)
                is_cancelled = chance.random() < 0.02
                sign, letter = (-1, "C") if is_cancelled else (1, "")
            left -= 1
            item = "POST" if chance.random() < 0.01 else f"{chance.randint(20_000, 24_000)}"
            price = chance.choice(("0.85", "1.25", "2.10", "4.95", "12.75"))
            row = [f"{letter}{number}", item, f"ITEM {item}", sign * chance.randint(1, 24)]
            writer.writerow([*row, f"{at:%Y-%m-%d %H:%M:%S}", price, customer, "United Kingdom"])


def n_lines_of(orders: Path) -> int:
    """The lines of a file below its first."""
    with gzip.open(orders, "rb") if orders.suffix == ".gz" else orders.open("rb") as file:
        return sum(1 for _line in file) - 1


def run(orders: Path | None = None, runs: int = RUNS) -> Result:
    """Import `orders`, or a year that is made up, `runs` times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if orders is None:
            orders = folder / "orders.csv"
            write_year(orders)
        file, n_lines = str(orders), n_lines_of(orders)
        numbers = iter(range(1_000))

        def prepared() -> dict[str, str]:
            environ = {"VAR_DIR": str(folder / f"var{next(numbers)}")}
            for alias in ("default", "keystore"):
                sample(python("manage.py", "migrate", "-v0", "--database", alias), environ)
            return environ

        command = ["import_orders", file, "--format", "online-retail", "--currency", "GBP"]
        # Each run and the warm-up need databases of their own, made outside what is timed.
        waiting = [prepared() for _ in range(runs + 1)]
        found = in_turns(
            {
                "floor": lambda: sample(
                    python("-c", FLOOR, file, str(folder / f"floor{next(numbers)}")), {}
                ),
                "import": lambda: sample(
                    python("manage.py", *command, "--timezone", "Europe/London"), waiting.pop()
                ),
            },
            runs,
        )
    floor, imported = found["floor"], found["import"]
    return Result(
        name=f"imports: {n_lines:,} invoice lines / one indexed table",
        figures={
            "lines per second (wall)": n_lines / imported.wall,
            "lines per CPU second": n_lines / imported.cpu,
            "the floor's lines per second (wall)": n_lines / floor.wall,
            "import CPU / floor CPU": imported.cpu / floor.cpu,
            "import wall / floor wall": imported.wall / floor.wall,
            "peak memory (MB)": imported.rss_mb,
        },
        budgets={"peak memory (MB)": 400, "import CPU / floor CPU": 15},
    )
