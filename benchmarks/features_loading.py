"""Brings the made-up events of `features` into a shop's own tables: `DATABASE FOLDER CUSTOMERS`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psycopg

NAMES = ("Product Viewed", "Page Viewed", "Products Searched", "Product Added")
DEVICES = ("desktop", "mobile", "tablet")
LOAD = """
INSERT INTO privacy_subject (uuid, restricted, objected, no_profiling)
SELECT gen_random_uuid(), false, false, false FROM generate_series(1, {customers});
INSERT INTO profiles_customer (id, uuid, subject_id, external_id, locale, country, time_zone, city,
    gender, occupation, created_at)
SELECT row_number() OVER (), gen_random_uuid(), uuid, 'C-' || row_number() OVER (), '', '', '', '',
    '', '', now() FROM privacy_subject;
"""
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = 'profiles_event' AND indexdef LIKE 'CREATE INDEX%'
"""
AT_ONCE = 500_000  # rows


def load(database: str, folder: Path, n_customers: int) -> None:
    """Bring the same events into the shop's own table, by COPY; its indexes are made after them."""
    frame = pl.read_parquet(folder / "events.parquet").with_row_index("n")
    with psycopg.connect(database, autocommit=True) as connection:
        # Rows made here refer to rows made here: none is looked up.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '1GB'")
        for statement in LOAD.format(customers=n_customers).split(";"):
            if statement.strip():
                connection.execute(statement.encode())
        indexes = connection.execute(INDEXES).fetchall()
        for name, _definition in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY profiles_event (source_id, message_id, kind, name, customer_id,"
                " anonymous_id, product_id, properties, context, is_confirmed, happened_at,"
                " received_at) FROM STDIN (FORMAT csv)"
            ) as copy,
        ):
            for part in frame.iter_slices(AT_ONCE):
                rows = part.select(*_columns())
                copy.write(rows.write_csv(include_header=False, quote_style="always"))
        for _name, definition in indexes:
            connection.execute(definition.replace(" ON ONLY ", " ON ").encode())
        connection.execute("VACUUM ANALYZE")


def _columns() -> Iterator[pl.Expr]:
    """The columns of an event as COPY reads them, of the made-up ones."""
    moment = pl.from_epoch("at").dt.to_string("%Y-%m-%d %H:%M:%S+00")
    device = pl.col("device").replace_strict(dict(enumerate(DEVICES)))
    yield pl.lit(1).alias("source")
    yield pl.format("m{}", "n").alias("message")
    yield pl.lit("track").alias("kind")
    yield pl.col("name").replace_strict(dict(enumerate(NAMES)))
    yield pl.col("customer")
    yield pl.lit("").alias("anonymous")
    yield pl.lit("p").alias("product")
    yield _around('{"category": "c', pl.col("category"), '"}').alias("properties")
    yield _around('{"device": {"type": "', device, '"}}').alias("context")
    yield pl.lit("t").alias("is_confirmed")
    yield moment.alias("happened")
    yield moment.alias("received")


def _around(before: str, value: pl.Expr, after: str) -> pl.Expr:
    return pl.concat_str(pl.lit(before), value, pl.lit(after))


if __name__ == "__main__":
    load(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
