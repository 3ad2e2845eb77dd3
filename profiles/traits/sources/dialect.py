"""What the two databases write in their own ways, and how a source of traits is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profiles.models.quality import NOT_COUNTED


@dataclass(frozen=True)
class Source:
    """Parts of one statement: CTEs by name, joins to `p` (the scope), columns by expression.

    `due` are selects of (customer_id, seconds since 1970) when a trait next changes by itself.
    """

    ctes: Mapping[str, str]
    joins: str
    columns: Mapping[str, str]
    due: tuple[str, ...] = ()


class Sqlite:
    object_of = "json_group_object"
    bytewise = "BINARY"
    greatest = "MAX"
    in_range = ""  # keys are looked up one by one anyhow

    def converted(self, minor: str, factor: str = "factor") -> str:
        """Return an amount by a factor of billionths, rounded half up; exact for a billion."""
        return f"CAST(({minor} * {factor} + 500000000) / 1000000000 AS bigint)"

    def seconds(self, moment: str) -> str:
        return f"CAST(strftime('%%s', {moment}) AS INTEGER)"

    def moment(self, seconds: str) -> str:
        return f"strftime('%%Y-%%m-%%d %%H:%%M:%%S', {seconds}, 'unixepoch')"

    def months_later(self, moment: str, months: str) -> str:
        """Return the same day of a later month, or its last day where there is none."""
        same = f"datetime({moment}, '+' || {months} || ' months')"
        after = f"'+' || ({months} + 1) || ' months'"
        last = f"date({moment}, 'start of month', {after}, '-1 day')"
        return f"MIN({same}, {last} || substr(datetime({moment}), 11))"

    def hour(self, moment: str) -> str:
        return f"django_datetime_extract('hour', {moment}, %(zone)s, 'UTC')"

    def weekday(self, moment: str) -> str:
        return f"django_datetime_extract('iso_week_day', {moment}, %(zone)s, 'UTC') - 1"

    def day(self, moment: str) -> str:
        return f"django_datetime_cast_date({moment}, %(zone)s, 'UTC')"

    def local(self, moment: str) -> str:
        """Return what `clock` takes apart; made once for each row, in a CTE before it."""
        return moment

    def clock(self, local: str) -> tuple[str, str, str]:
        """Return hour, weekday and day."""
        return self.hour(local), self.weekday(local), self.day(local)

    def text(self, column: str, *path: str) -> str:
        """Return a text inside JSON, cut to 100 characters; NULL if it is none."""
        place = "$." + ".".join(path)
        return (
            f"CASE WHEN json_type({column}, '{place}') = 'text'"
            f" THEN substr(json_extract({column}, '{place}'), 1, 100) END"
        )

    def number(self, column: str, *path: str) -> str:
        """Return a number inside JSON; NULL if it is none."""
        place = "$." + ".".join(path)
        return (
            f"CASE WHEN json_type({column}, '{place}') IN ('integer', 'real')"
            f" THEN json_extract({column}, '{place}') END"
        )

    def scalar(self, column: str, *path: str) -> str:
        """Return a text, number or boolean inside JSON as text; NULL if it is none."""
        place = "$." + ".".join(path)
        kinds = "'text', 'integer', 'real', 'true', 'false'"
        return (
            f"CASE WHEN json_type({column}, '{place}') IN ({kinds})"
            f" THEN CAST(json_extract({column}, '{place}') AS text) END"
        )


class Postgresql:
    object_of = "jsonb_object_agg"
    bytewise = '"C"'
    greatest = "GREATEST"
    # Without it a step of a full build reads the events of everybody, as it joins by hashing.
    in_range = " AND customer_id > %(after)s AND customer_id <= %(last)s"

    def converted(self, minor: str, factor: str = "factor") -> str:
        whole = f"CAST({minor} AS numeric) * {factor} + 500000000"
        return f"CAST(FLOOR(({whole}) / 1000000000) AS bigint)"

    def seconds(self, moment: str) -> str:
        # EXTRACT would compute in numerics, at several times the cost.
        return f"CAST(FLOOR(date_part('epoch', {moment})) AS bigint)"

    def moment(self, seconds: str) -> str:
        return f"to_timestamp({seconds})"

    def months_later(self, moment: str, months: str) -> str:
        return (
            f"({moment} AT TIME ZONE 'UTC' + make_interval(months => {months})) AT TIME ZONE 'UTC'"
        )

    def hour(self, moment: str) -> str:
        return f"CAST(EXTRACT(HOUR FROM {moment} AT TIME ZONE %(zone)s) AS integer)"

    def weekday(self, moment: str) -> str:
        return f"CAST(EXTRACT(ISODOW FROM {moment} AT TIME ZONE %(zone)s) AS integer) - 1"

    def day(self, moment: str) -> str:
        return f"CAST({moment} AT TIME ZONE %(zone)s AS date)"

    def local(self, moment: str) -> str:
        return f"{moment} AT TIME ZONE %(zone)s"

    def clock(self, local: str) -> tuple[str, str, str]:
        return (
            f"CAST(date_part('hour', {local}) AS integer)",
            f"CAST(date_part('isodow', {local}) AS integer) - 1",
            f"CAST({local} AS date)",
        )

    def text(self, column: str, *path: str) -> str:
        node, text = self._inside(column, path)
        return f"CASE WHEN jsonb_typeof({node}) = 'string' THEN left({text}, 100) END"

    def number(self, column: str, *path: str) -> str:
        node, text = self._inside(column, path)
        return (
            f"CASE WHEN jsonb_typeof({node}) = 'number' THEN CAST({text} AS double precision) END"
        )

    def scalar(self, column: str, *path: str) -> str:
        node, text = self._inside(column, path)
        return f"CASE WHEN jsonb_typeof({node}) IN ('string', 'number', 'boolean') THEN {text} END"

    def _inside(self, column: str, path: Sequence[str]) -> tuple[str, str]:
        """Return the value inside JSON, and its text; key by key, which costs less than a path."""
        *outer, last = (f"'{name}'" for name in path)
        held = " -> ".join([column, *outer])
        return f"({held} -> {last})", f"({held} ->> {last})"


Dialect = Sqlite | Postgresql
DIALECTS: dict[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgresql()}
IN_SCOPE = "customer_id IN (SELECT customer_id FROM profiles_scope)"
REAL = "quality NOT IN (" + ", ".join(f"'{m}'" for m in NOT_COUNTED) + ")"
COUNTED = f"{IN_SCOPE} AND {REAL}"
# How a rate of the order's day is found in SQL: billionths of a minor unit for each minor unit.
FACTOR = """
    CASE WHEN {order}.currency = %(currency)s THEN 1000000000 ELSE (
        SELECT r.factor FROM profiles_rate r
        WHERE r.currency = {order}.currency AND r.to_currency = %(currency)s
            AND r.valid_from <= {day}
        ORDER BY r.valid_from DESC LIMIT 1
    ) END
"""


def most_frequent(rows: str, value: str, *, known: str = "TRUE") -> str:
    """Return a select of each customer's most frequent value; the lowest on a tie."""
    return f"""
        SELECT customer_id, {value} AS value, ROW_NUMBER() OVER (
            PARTITION BY customer_id ORDER BY COUNT(*) DESC, {value}
        ) AS place
        FROM {rows} WHERE {known} GROUP BY customer_id, {value}
    """  # nosec B608


def most_frequent_text(sql: Dialect, rows: str, value: str, *, known: str) -> str:
    """Return a select of each customer's most frequent text; the first by its bytes on a tie.

    How rare it is, in ten digits, stands before the text, so that the least of them is it and
    nothing is sorted.
    """
    rare = f"CAST(2000000000 - COUNT(*) AS text) || {value}"
    return f"""
        SELECT customer_id, substr(MIN(rare COLLATE {sql.bytewise}), 11) AS value
        FROM (
            SELECT customer_id, {rare} AS rare FROM {rows} WHERE {known} GROUP BY customer_id, {value}
        ) AS counted GROUP BY customer_id
    """  # nosec B608


def tally(column: str, n: int) -> str:
    """Return a count for each number below `n` that a column holds, for `most_counted`."""
    return ", ".join(f"COUNT(*) FILTER (WHERE {column} = {i}) AS {column}_{i}" for i in range(n))


def most_counted(sql: Dialect, tallied: str, n: int) -> str:
    """Return the number with the highest count of a `tally`; the lowest on a tie."""
    ranked = ", ".join(f"{tallied}_{i} * {n} + {n - 1 - i}" for i in range(n))
    return f"{n - 1} - {sql.greatest}({ranked}) %% {n}"
