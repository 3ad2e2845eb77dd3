"""Order files for tests, and what the database holds after them, by names that do not change."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from django.core.management import call_command

from profiles.importing.tallies import Tally
from profiles.models import Order, OrderLine, Refund, Upload

SAMPLE = Path(__file__).parents[1] / "data" / "online_retail_sample.csv"
ONLINE_RETAIL = {"format": "online-retail", "currency": "GBP", "timezone": "Europe/London"}
HEAD = "order,customer,product,quantity,price,placed_at\n"
MAPPED = {
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "map": [f"{name}={name}" for name in HEAD.strip().split(",")],
}


def load(path: Path, **options: Any) -> Upload:
    """Import a file by the command and return its upload."""
    call_command("import_orders", str(path), stdout=io.StringIO(), stderr=io.StringIO(), **options)
    return Upload.objects.latest("pk")


def put(folder: Path, text: str | bytes, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def tally(upload: Upload) -> Tally:
    return Tally.from_json(upload.summary)


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else Path.open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def pence(row: dict[str, str]) -> int:
    """The signed amount of a line, the plain way: rounded half to even, once."""
    amount = Decimal(row["Price"]) * Decimal(row["Quantity"]) * 100
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))


Taken = Counter[tuple[str, str, str]]


def matches_by_hand(rows: Iterable[dict[str, str]], goods: set[str]) -> tuple[Taken, int]:
    """Match refunds the plain way; returns units by (refund, item, order), and those left over.

    Refunds of one moment are taken by their number.

    `goods` are the items that are no fees and the like.
    """
    bought: dict[tuple[str, str], list[list[Any]]] = defaultdict(list)
    refunds: list[tuple[str, str, str, str, int]] = []
    for row in rows:
        item, units = row["StockCode"].strip().upper(), int(row["Quantity"])
        if item not in goods or not float(row["Price"]):
            continue
        when, invoice, who = row["InvoiceDate"], row["Invoice"], row["Customer ID"]
        if units < 0:
            refunds.append((when, invoice, who, item, -units))
        elif who:
            bought[who, item].append([when, invoice, units])
    taken: Taken = Counter()
    rest = 0
    for lines in bought.values():
        lines.sort(reverse=True)
    for when, invoice, who, item, units in sorted(refunds, key=lambda refund: refund[:2]):
        left = units
        for line in bought[who, item] if who else []:
            back = min(left, line[2]) if line[0] <= when else 0
            line[2] -= back
            left -= back
            taken[invoice, item, line[1]] += back
        rest += left
    return +taken, rest


def matches_found() -> tuple[Taken, int]:
    """The same from the database."""
    taken: Taken = Counter()
    rest = 0
    columns = ("refund_key", "product_id", "line__order__number", "quantity")
    for key, item, number, units in Refund.objects.values_list(*columns):
        if number is None:
            rest += units
        else:
            taken[key.split("|")[0], item, number] += units
    return taken, rest


def facts() -> dict[str, list[tuple[Any, ...]]]:
    """Everything an import wrote, without primary keys."""
    return {
        "orders": sorted(
            Order.objects.values_list(
                "number", "customer__external_id", "placed_at", "country", "currency",
                "total_minor", "refunded_minor",
            ),
            key=str,
        ),
        "lines": sorted(
            OrderLine.objects.values_list(
                "order__number", "line_key", "title", "quantity", "unit_price_minor",
                "total_minor", "refunded_quantity", "refunded_minor",
            )
        ),
        "refunds": sorted(
            Refund.objects.values_list(
                "refund_key", "line__order__number", "line__line_key", "customer__external_id",
                "quantity", "amount_minor", "refunded_at", "beyond_minor",
            ),
            key=str,
        ),
    }  # fmt: skip
