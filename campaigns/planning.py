"""The plan's one statement: an audience becomes deliveries without passing through Python."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Func, IntegerField, TextField, Value
from django.db.models.functions import Cast

from campaigns.experiments import assignment
from campaigns.models import Delivery

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.db.models.expressions import Expression

    from profiles.models import Customer

_INSERT = """
INSERT INTO {table} (campaign_id, customer_id, variant_id, bucket, locale, state, due_at,
                     token, n_attempts, reason, occurrence, entered_at)
WITH audience ({columns}) AS MATERIALIZED ({audience})
SELECT %s, id, {variant}, bucket, {locale},
       CASE WHEN bucket < %s THEN 'holdout' ELSE 'planned' END, {due_at},
       CASE WHEN bucket < %s THEN NULL ELSE {token} END, 0, '', {occasion}
FROM audience WHERE true
ON CONFLICT (campaign_id, customer_id, occurrence) DO NOTHING
"""

# 43 characters that nobody can guess; gen_random_uuid() draws 122 random bits.
_POSTGRES_RANDOM = (
    "translate(rtrim(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),"
    " 'base64'), '='), '+/', '-_')"
)

# The first 8 bytes as two unsigned halves; 2**32 is 967296 modulo 10**6.
_POSTGRES_BUCKET = """(
SELECT mod(mod(('x' || substr(hex, 1, 8))::bit(32)::bigint, 1000000) * 967296
           + ('x' || substr(hex, 9, 8))::bit(32)::bigint, 1000000)
FROM (SELECT encode(sha256(%(expressions)s), 'hex') AS hex) AS digest
)"""

COLUMNS = "id, locale, bucket"


class Bucket(Func):
    """`assignment.bucket` in SQL: Bucket(salt, unit)."""

    function = "candor_bucket"
    arity = 2
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        salt, unit = (
            Func(part, Value("UTF8"), function="convert_to")
            for part in self.get_source_expressions()
        )
        copy = self.copy()
        copy.set_source_expressions([salt, unit])
        return super(Bucket, copy).as_sql(
            compiler,
            connection,
            template=_POSTGRES_BUCKET,
            arg_joiner=r" || '\x00'::bytea || ",
            **context,
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """What the statement needs to know beside the audience.

    `variants` maps a variant's key to its row, `locales` a customer's locale to a message's,
    `due_by_place` a customer's time zone or country to when the hour of the start is there.
    """

    campaign: int
    salt: str
    holdout_ppm: int
    variants: Mapping[str, int]
    weights: Mapping[str, int]
    locales: Mapping[str, str]
    default_locale: str
    planned_at: datetime
    due_at: datetime | None
    due_by_place: Mapping[str, datetime] = field(default_factory=dict)


def bucket(salt: str, unit: str = "external_id") -> Expression:
    """Return the bucket of each customer, whose unit is the shop's own customer id."""
    return Bucket(Value(salt, output_field=TextField()), Cast(unit, TextField()))


def prepare() -> None:
    """Teach SQLite the functions that PostgreSQL gets in SQL; cheap, once per connection."""
    if connection.vendor != "sqlite":
        return
    connection.ensure_connection()
    if vars(connection).get("candor_taught") is connection.connection:
        return
    connection.connection.create_function("candor_bucket", 2, assignment.bucket, deterministic=True)
    connection.connection.create_function("candor_token", 0, lambda: secrets.token_urlsafe(32))
    vars(connection)["candor_taught"] = connection.connection


def insert(audience: QuerySet[Customer], cut: Cut) -> int:
    """Give every customer of `audience` one delivery; returns how many were added.

    Customers that have one already keep it.
    """
    rows = audience.order_by().annotate(bucket=bucket(cut.salt))
    if cut.due_by_place:
        placed = rows.values("pk", "locale", "bucket", "time_zone", "country")
        columns = f"{COLUMNS}, time_zone, country"
        return _insert(placed, cut, columns=columns, due_at=_due(cut), occasion="'', NULL")
    found = rows.values("pk", "locale", "bucket")
    return _insert(found, cut, columns=COLUMNS, due_at="%s", occasion="'', NULL")


def insert_entrants(entrants: QuerySet[Any], cut: Cut) -> int:
    """Give everybody who enters one delivery for each occurrence; returns how many were added.

    `entrants` has the columns `customer`, `language`, `unit`, `occurrence`, `entry` and `due`.
    """
    rows = entrants.order_by().annotate(bucket=bucket(cut.salt, "unit"))
    rows = rows.values("customer", "language", "bucket", "due", "occurrence", "entry")
    columns = f"{COLUMNS}, due, occurrence, entry"
    return _insert(rows, cut, columns=columns, due_at="due", occasion="occurrence, entry")


def _insert(rows: Any, cut: Cut, *, columns: str, due_at: str, occasion: str) -> int:
    prepare()
    audience_sql, audience_params = rows.query.sql_with_params()
    variant_sql, variant_params = _variant(cut)
    locale_sql, locale_params = _locale(cut)
    sql = _INSERT.format(
        audience=audience_sql,
        columns=columns,
        due_at=due_at,
        occasion=occasion,
        table=connection.ops.quote_name(Delivery._meta.db_table),
        variant=variant_sql,
        locale=locale_sql,
        token=_POSTGRES_RANDOM if connection.vendor == "postgresql" else "candor_token()",
    )
    adapt = connection.ops.adapt_datetimefield_value
    moments = [
        part for place, due in sorted(cut.due_by_place.items()) for part in (place, adapt(due))
    ]
    params = [
        *audience_params,
        cut.campaign,
        *variant_params,
        *locale_params,
        cut.holdout_ppm,
        *moments,
        *([adapt(cut.due_at)] if cut.due_at else []),
        cut.holdout_ppm,
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def _due(cut: Cut) -> str:
    whens = " ".join(["WHEN %s THEN %s"] * len(cut.due_by_place))
    return f"CASE COALESCE(NULLIF(time_zone, ''), country) {whens} ELSE %s END"


def _variant(cut: Cut) -> tuple[str, list[Any]]:
    shares = assignment.shares(cut.holdout_ppm, cut.weights)
    params: list[Any] = [shares[0].end]
    for share in shares[1:]:
        params += [share.end, cut.variants[share.arm]]
    arms = " ".join(["WHEN bucket < %s THEN %s"] * (len(shares) - 1))
    return f"CASE WHEN bucket < %s THEN NULL {arms} END", params


def _locale(cut: Cut) -> tuple[str, list[str]]:
    if not cut.locales:
        return "%s", [cut.default_locale]
    params = [part for pair in sorted(cut.locales.items()) for part in pair]
    whens = " ".join(["WHEN %s THEN %s"] * len(cut.locales))
    return f"CASE locale {whens} ELSE %s END", [*params, cut.default_locale]
