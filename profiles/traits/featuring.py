"""Traits: what customers' orders and events say about them, by one SQL statement per range.

Customers who may not be profiled have no row; everybody else has one. A full build makes
everybody anew, an incremental one only whom something happened to: those with a mark
(`changes`), those whose traits fall due by themselves, and those without a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import Count, Q

from privacy import purposes
from privacy.models import Shop
from profiles import changes
from profiles.bulk import HASHED_MB
from profiles.features.vocabulary import EVENT_DAYS, TRAITS, YEAR_DAYS
from profiles.models import (
    Customer,
    CustomerChange,
    CustomerTraits,
    CustomTrait,
    CustomTraitValue,
    Order,
    OwnedDevice,
    TraitBuild,
)
from profiles.traits import custom, norms
from profiles.traits.sources import devices, events, orders
from profiles.traits.sources.dialect import DIALECTS

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper
    from django.db.models import QuerySet

    from jobs.work import Work
    from profiles.models import CustomerQuerySet

CUSTOMERS_PER_STEP: Final = 20_000
NORMS_KEPT: Final = timedelta(days=7)
SOURCES: Final = (orders, events, devices)
VERSION: Final = "3"  # of the statement: raise it when a trait is computed in another way


@dataclass(frozen=True)
class Plan:
    """What a build looks at; `everybody` tells a full one."""

    as_of: datetime
    currency: str
    zone: str
    everybody: bool


def build_traits(
    as_of: datetime,
    work: Work | None = None,
    *,
    everybody: bool = False,
    per_step: int = CUSTOMERS_PER_STEP,
) -> int:
    """Bring every customer's traits to `as_of`; returns how many customers have them.

    Only changed customers are computed, unless `everybody` is told, the shop's settings or the
    traits themselves changed, the norms are a week old, or `as_of` lies before the last build.
    Safe to repeat. With `work`, each range of customers commits together with the job's cursor,
    so a killed job goes on behind the last finished range.
    """
    with _step(work) as cursor:
        plan = _plan(as_of, cursor, everybody=everybody)
    done_to, n_refreshed = _cursor(work, "traits_to"), _cursor(work, "n_refreshed")
    n_total = Customer.objects.count()
    while (last := _end_of_range(plan, done_to, per_step)) is not None:
        with _step(work) as cursor:
            n_refreshed += _build_range(plan, after=done_to, last=last)
            cursor["traits_to"] = done_to = last
            cursor["n_refreshed"] = n_refreshed
        if work:
            work.progress(Customer.objects.filter(pk__lte=last).count(), n_total, "traits")
    with _step(work):
        return _finish(plan, n_refreshed)


def fill_trait(trait: CustomTrait, work: Work, *, per_step: int = CUSTOMERS_PER_STEP) -> int:
    """Give every customer who may be profiled the value of one own trait, as of now.

    Goes on behind the last finished range; returns how many customers have a value.
    """
    as_of = work.now
    done_to, n_values = _cursor(work, "done_to"), _cursor(work, "n_values")
    allowed = Customer.objects.for_purpose("profile.build").order_by("pk")
    while keys := list(allowed.filter(pk__gt=done_to).values_list("pk", flat=True)[:per_step]):
        some = Customer.objects.filter(pk__gt=done_to, pk__lte=keys[-1])
        with work.step() as kept, connection.cursor() as cursor:
            scope = some.for_purpose("profile.build").values("pk")
            fill(cursor, "profiles_scope", scope)
            CustomTraitValue.objects.filter(trait=trait, customer__in=some.values("pk")).delete()
            n_values += custom.put(cursor, trait, as_of)
            kept["done_to"], kept["n_values"] = keys[-1], n_values
        done_to = keys[-1]
        work.renew()
    with work.step():
        custom.noted(trait)
        changes.mark_all()
    return n_values


def currency_in_use(shop: Shop | None = None) -> str:
    """Return the currency traits add up: the shop's, or before it is set up that of most orders.

    Orders in other currencies count at the rate of their day, and not at all without one.
    """
    shop = shop or Shop.current()
    if not shop._state.adding:
        return shop.currency
    counted = Order.objects.values_list("currency").annotate(n=Count("pk"))
    most = counted.order_by("-n", "currency").first()
    return most[0] if most else shop.currency


@contextmanager
def _step(work: Work | None) -> Iterator[dict[str, Any]]:
    with work.step() if work else transaction.atomic() as cursor:
        yield {} if cursor is None else cursor


def _cursor(work: Work | None, name: str) -> int:
    return int(work.cursor.get(name, 0)) if work else 0


def _plan(as_of: datetime, cursor: dict[str, Any], *, everybody: bool) -> Plan:
    """Decide between full and incremental once, and remember it for a build that goes on."""
    shop = Shop.current()
    currency, zone = currency_in_use(shop), shop.time_zone
    if "everybody" not in cursor:
        last = TraitBuild.objects.first()
        cursor["everybody"] = (
            everybody
            or last is None
            or last.digest != _digest(currency, zone)
            or as_of < last.as_of
            or as_of - last.norms_at >= NORMS_KEPT
            or custom.unfilled().exists()
        )
        norms.refresh_facts()
        if cursor["everybody"]:
            TraitBuild.objects.all().delete()
            norms.refresh_norms(as_of, currency)
    return Plan(as_of, currency, zone, bool(cursor["everybody"]))


def _digest(currency: str, zone: str) -> str:
    told = "|".join([VERSION, currency, zone, *map(repr, TRAITS)])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _finish(plan: Plan, n_refreshed: int) -> int:
    n_customers = CustomerTraits.objects.count()
    found = {
        "as_of": plan.as_of,
        "n_refreshed": n_refreshed,
        "n_customers": n_customers,
        "digest": _digest(plan.currency, plan.zone),
    }
    if plan.everybody:
        custom.filled()
        changes.mark_all()
    if not TraitBuild.objects.update(**found):
        TraitBuild.objects.create(norms_at=plan.as_of, **found)
    return n_customers


def _changed(plan: Plan, *, after: int) -> CustomerQuerySet:
    """The customers behind a key whose traits this build makes anew or takes away."""
    customers = Customer.objects.filter(pk__gt=after)
    if plan.everybody:
        return customers
    allowed = purposes.may_use("profile.build")
    return customers.filter(
        Q(pk__in=_marks().filter(customer__gt=after).values("customer"))
        | Q(traits__due_at__lt=plan.as_of)
        | custom.due(plan.as_of)
        | Q(traits__isnull=True) & allowed
        | Q(traits__isnull=False) & ~allowed
    )


def _end_of_range(plan: Plan, after: int, n: int) -> int | None:
    keys = _changed(plan, after=after).order_by("pk").values_list("pk", flat=True)
    return max(keys[:n], default=None)


def _build_range(plan: Plan, *, after: int, last: int) -> int:
    """Rewrite the traits of the customers of a range who changed: gone ones first, one upsert.

    Marks are noted before anything is read: one that comes meanwhile stays for the next build.
    Returns how many rows were made.
    """
    changed = _changed(plan, after=after).filter(pk__lte=last).values("pk")
    allowed = Customer.objects.for_purpose("profile.build").filter(pk__gt=after, pk__lte=last)
    marks = _marks().filter(customer__gt=after, customer__lte=last)
    with connection.cursor() as cursor:
        fill(cursor, "profiles_marks", marks.values("pk"))
        gone = CustomerTraits.objects.filter(customer__in=changed).exclude(customer__in=allowed)
        changes.mark(gone.values_list("customer", flat=True), CustomerChange.Stage.BUILT)
        for model in (OwnedDevice, CustomTraitValue, CustomerTraits):  # the last tells who changed
            held = model._default_manager.filter(customer__in=changed)
            held.exclude(customer__in=allowed).delete()
        n_made = fill(cursor, "profiles_scope", allowed.filter(pk__in=changed).values("pk"))
        _upsert(cursor, plan, after=after, last=last)
        custom.refresh(cursor, plan.as_of)
        cursor.execute(FORGET)
        if not plan.everybody:
            cursor.execute(TELL_SEGMENTS, [CustomerChange.Stage.BUILT])
    return n_made


def _marks() -> QuerySet[CustomerChange]:
    return CustomerChange.objects.filter(stage=CustomerChange.Stage.NEW)


TELL_SEGMENTS = """
INSERT INTO profiles_customerchange (customer_id, stage) SELECT customer_id, %s FROM profiles_scope
"""
FORGET = "DELETE FROM profiles_customerchange WHERE id IN (SELECT customer_id FROM profiles_marks)"


def fill(cursor: CursorWrapper, table: str, keys: QuerySet[Any, Any]) -> int:
    """Put keys into a table of this connection, so that every statement sees the same ones."""
    cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} (customer_id bigint PRIMARY KEY)")
    cursor.execute(f"DELETE FROM {table}")  # noqa: S608 -- a name of our own  # nosec B608
    sql, params = keys.query.sql_with_params()
    cursor.execute(f"INSERT INTO {table} {sql}", params)  # nosec B608
    n = int(cursor.rowcount)
    if connection.vendor == "postgresql":
        cursor.execute(f"ANALYZE {table}")  # no daemon analyses a temporary table
    return n


def plan_by_hashing(cursor: CursorWrapper) -> None:
    """Keep PostgreSQL from nested loops until the transaction ends.

    Nothing is known of the size of a statement's parts: guessed too small, they are joined by
    nested loops, which took 438 s where hashing takes one. With memory for a step's events, sorts
    and hashes stay out of files.
    """
    if connection.vendor == "postgresql":
        memory = f"SET LOCAL work_mem = '{HASHED_MB}MB'"
        cursor.execute(f"SET LOCAL enable_nestloop = off; SET LOCAL jit = off; {memory}")


def _upsert(cursor: CursorWrapper, plan: Plan, *, after: int, last: int) -> None:
    plan_by_hashing(cursor)

    def stored(moment: datetime) -> Any:
        return connection.ops.adapt_datetimefield_value(moment)

    values = {
        "as_of": stored(plan.as_of),
        "year": stored(plan.as_of - timedelta(days=YEAR_DAYS)),
        "event_days": stored(plan.as_of - timedelta(days=EVENT_DAYS)),
        "currency": plan.currency,
        "zone": plan.zone,
        "after": after,
        "last": last,
    }
    cursor.execute(devices.GONE)
    cursor.execute(devices.own(DIALECTS[connection.vendor]), values)
    cursor.execute(statement(connection.vendor), values)


@cache
def statement(vendor: str) -> str:
    """Return the one statement that makes the rows of the customers in `profiles_scope`."""
    sql = DIALECTS[vendor]
    sources = [module.source(sql) for module in SOURCES]
    ctes = {name: text for one in sources for name, text in one.ctes.items()}
    due = " UNION ALL ".join(text for one in sources for text in one.due)
    ctes["changing (customer_id, at)"] = due
    ctes["due"] = "SELECT customer_id, MIN(at) AS at FROM changing GROUP BY customer_id"
    columns = {
        "customer_id": "p.customer_id",
        "as_of": "%(as_of)s",
        "due_at": sql.moment("due.at"),
        **{name: value for one in sources for name, value in one.columns.items()},
    }
    parts = ",".join(f"{name} AS MATERIALIZED ({text})" for name, text in ctes.items())
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "customer_id")
    return f"""
        WITH {parts}
        INSERT INTO profiles_customertraits ({", ".join(columns)})
        SELECT {", ".join(columns.values())} FROM profiles_scope p
        {" ".join(one.joins for one in sources)}
        LEFT JOIN due ON due.customer_id = p.customer_id
        WHERE TRUE ON CONFLICT (customer_id) DO UPDATE SET {updates}
    """  # noqa: S608 -- words of our own  # nosec B608
