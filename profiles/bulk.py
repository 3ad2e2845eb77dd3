"""Raw SQL on many rows, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import IntegrityError, connection, models, transaction
from django.db.models import Expression, F

P = ParamSpec("P")
R = TypeVar("R")
CACHE_KIB = 64 * 1024
HASHED_MB = 64
# What COPY would take for its own in a text.
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def again_if_overtaken(transaction: Callable[P, R]) -> Callable[P, R]:
    """Decorate a transaction that looks before it adds: what came in between, it sees next time.

    A second refusal by a constraint is no coincidence and is raised.
    """

    @wraps(transaction)
    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return transaction(*args, **kwargs)
        except IntegrityError:
            return transaction(*args, **kwargs)

    return tried


def insert_rows(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows of ready values (datetimes by `connection.ops.adapt_datetimefield_value`).

    COPY on PostgreSQL, `executemany` elsewhere; inside the caller's transaction. Defaults of
    the model's fields are not applied: name every column that may not be null.
    """
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    names = ", ".join(quote(name) for name in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sql = f"COPY {table} ({names}) FROM STDIN"
            with connection.wrap_database_errors, cursor.copy(sql) as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            # Table and columns are names of our own models.
            sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # nosec B608
            cursor.executemany(sql, rows)


def moment(value: datetime | str) -> datetime:
    """Return a time as a raw cursor gives it: aware from PostgreSQL, naive text from SQLite."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def widen_cache() -> None:
    """Give this connection room for the pages of a large transaction; SQLite has 2 MB at first."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


@contextmanager
def planned_for_many() -> Iterator[None]:
    """Give a transaction in which PostgreSQL hashes half a million keys, by one process, as it is.

    With the 4 MB it has by itself, keys that a rule names are a list from some 100,000 on, which
    is walked anew for each customer; and compiling takes longer than most rules do. Workers share
    out the customers and answer the rule once each, for all of them.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SET LOCAL work_mem = '{HASHED_MB}MB'; SET LOCAL jit = off;"
                    " SET LOCAL max_parallel_workers_per_gather = 0"
                )
        yield


def learn_sizes(*models_filled: type[models.Model]) -> None:
    """Let PostgreSQL look at tables that were filled a moment ago, before it plans their joins.

    Its daemon comes by once a minute; until then a table of 500,000 rows is planned for as an
    empty one, and a join that takes a second takes many minutes.
    """
    if connection.vendor == "postgresql":
        quote = connection.ops.quote_name
        tables = ", ".join(quote(model._meta.db_table) for model in models_filled)
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {tables}")


class Among(Expression):
    """The condition that a number is one of many, which are one parameter.

    The statement is the same for any of them, so that what has been made of its text is found
    again; `pk__in` makes another text for each length. `field` is the name of one.
    """

    output_field = models.BooleanField()
    conditional = True

    def __init__(self, field: str, numbers: Collection[int]) -> None:
        super().__init__()
        self.asked: Any = F(field)
        self.numbers = numbers

    def get_source_expressions(self) -> list[Any]:
        return [self.asked]

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        (self.asked,) = expressions

    @staticmethod
    def parameter(numbers: Collection[int]) -> list[int] | str:
        """Return the numbers as the statement takes them, always its condition's last parameter."""
        return [*numbers] if connection.vendor == "postgresql" else json.dumps([*numbers])

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        field, params = compiler.compile(self.asked)
        is_array = connection.vendor == "postgresql"
        condition = "= ANY(%s::bigint[])" if is_array else "IN (SELECT value FROM json_each(%s))"
        return f"{field} {condition}", (*params, self.parameter(self.numbers))
