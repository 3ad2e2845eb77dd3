"""How many a rule means and how many of them can be reached; bounded while somebody waits."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection, transaction
from django.db.models import Count, Max, Min, Q

from inference import proportions
from privacy.purpose_registry import REGISTRY
from profiles.bulk import planned_for_many
from profiles.models import Customer
from profiles.segment_rules import Checked
from profiles.segment_sql import compiled, few, these

if TYPE_CHECKING:
    from profiles.models import CustomerQuerySet

WAIT = timedelta(seconds=2)
SOON = timedelta(milliseconds=60)
DRAWING = timedelta(milliseconds=150)
LONG = 20_000  # in units of PostgreSQL's planner: reading as many pages one after another
SAMPLED = 3_000
FIRST_DRAWN = 400
SAMPLES = 5
# By whom something is counted on SQLite, the count that is wanted; of this process alone.
_newest: dict[str, object] = {}
# SQLite asks this often, in steps of its machine, whether to go on.
SQLITE_STEPS = 20_000


class TooLongError(Exception):
    """The count takes longer than somebody who edits a rule should wait."""


class SupersededError(TooLongError):
    """A newer count of the same person began, so nobody waits for this one."""


@dataclass(frozen=True)
class Size:
    """Customers of a rule, and how many of them each channel of campaigns may reach.

    An estimate has its 95 % interval in whole customers, from `low` to `high`.
    """

    n_customers: int
    reachable: dict[str, int]
    is_estimate: bool = False
    low: int = 0
    high: int = 0


@planned_for_many()
def size(rule: Checked, now: datetime) -> Size:
    """Count the members and the reachable in one statement."""
    return _counted(Customer.objects.for_purpose("profile.build").filter(compiled(rule, now)))


def size_if_quick(rule: Checked, now: datetime, *, wait: timedelta = WAIT) -> Size:
    """Count as `size` does, ending the statement after `wait`. Raises TooLongError."""
    with at_most(wait):
        return size(rule, now)


def soon(rule: Checked, now: datetime, *, of: str = "", long: float = LONG) -> Size:
    """Count as `size` does, or estimate from a sample what does not answer soon.

    What the server expects to cost more than `long` is not tried. Raises TooLongError, and
    SupersededError where a newer count for `of` began.
    """
    try:
        with at_most(SOON, of=of):
            if not _is_long(rule, now, long):
                return size(rule, now)
    except SupersededError:
        raise
    except TooLongError:
        pass
    with at_most(WAIT, of=of):
        return estimate(rule, now)


@planned_for_many()
def _is_long(rule: Checked, now: datetime, long: float) -> bool:
    """Tell whether the server expects to work so long that it is not worth the trial."""
    if connection.vendor != "postgresql":
        return False
    found = Customer.objects.for_purpose("profile.build").filter(compiled(rule, now))
    (plan,) = json.loads(found.order_by().values("pk").explain(format="json"))
    return bool(plan["Plan"]["Total Cost"] > long)


@planned_for_many()
def estimate(
    rule: Checked, now: datetime, *, sampled: int = SAMPLED, drawing: timedelta = DRAWING
) -> Size:
    """Scale up what is true of keys drawn by chance among all between the first and the last.

    They are drawn in parts, each as large as all before, until they are `sampled` or the next part
    would end later than `drawing`; the interval is as wide as those that were drawn allow.
    """
    started = time.monotonic()
    ends = Customer.objects.aggregate(first=Min("pk"), last=Max("pk"))
    first, last = ends["first"] or 0, ends["last"] or 0
    keys = range(first, last + 1)
    drawn = random.Random(now.toordinal()).sample(keys, min(sampled, len(keys)))  # noqa: S311
    members: list[int] = []
    asked = 0
    while asked < len(drawn):
        if asked and 2 * (time.monotonic() - started) > drawing.total_seconds():
            break
        part = drawn[asked : max(2 * asked, FIRST_DRAWN)]
        members += few(rule, now, among=sorted(part))
        asked += len(part)
    counted = _counted_of(members)
    factor = len(keys) / asked
    share = proportions.interval(proportions.Proportion(len(members), asked))
    return Size(
        round(counted.n_customers * factor),
        {channel: round(n * factor) for channel, n in counted.reachable.items()},
        is_estimate=factor > 1,
        low=int(share.low * len(keys)),
        high=ceil(share.high * len(keys)),
    )


def channels() -> dict[str, str]:
    """The channels of campaigns that need consent, and the purpose of each."""
    return {
        channel: purpose.name
        for purpose in REGISTRY.values()
        if purpose.is_marketing and purpose.needs_consent
        for channel in sorted(purpose.channels)
    }


@planned_for_many()
def samples(rule: Checked, now: datetime) -> list[dict[str, Any]]:
    """A few of the customers, masked: whoever writes a rule sees that it means the right ones."""
    found = Customer.objects.for_purpose("profile.build").filter(compiled(rule, now))
    return [
        {
            "id": customer.external_id,
            "name": str(customer.full_name or ""),
            "email": str(customer.email or ""),
            "country": customer.country,
            "city": customer.city,
        }
        for customer in found.order_by("pk")[:SAMPLES]
    ]


@contextmanager
def at_most(wait: timedelta, *, of: str = "") -> Iterator[None]:
    """End the statements of the block once they took that long. Raises TooLongError.

    They end as well, and at once, when another block begins for the same `of`: whoever changes
    a rule while it is counted waits for the newest count alone.
    """
    bounded = _bounded_by_server if connection.vendor == "postgresql" else _bounded_here
    until = time.monotonic() + wait.total_seconds()
    try:
        with bounded(wait, of):
            yield
    except OperationalError as error:
        if not _was_ended(error):
            raise
        is_over = time.monotonic() >= until
        raise (TooLongError if is_over else SupersededError) from error


@contextmanager
def _bounded_by_server(wait: timedelta, of: str) -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        if of:
            cursor.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = %s AND pid <> pg_backend_pid()",
                [of],
            )
            cursor.execute("SELECT set_config('application_name', %s, true)", [of])
        milliseconds = str(max(1, int(wait / timedelta(milliseconds=1))))  # 0 is without end
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
        yield
        cursor.execute("SELECT set_config('statement_timeout', '0', true)")


@contextmanager
def _bounded_here(wait: timedelta, of: str) -> Iterator[None]:
    until = time.monotonic() + wait.total_seconds()
    mine = object()
    if of:
        _newest[of] = mine
    connection.ensure_connection()
    raw: Any = connection.connection
    raw.set_progress_handler(
        lambda: int(time.monotonic() > until or _newest.get(of, mine) is not mine), SQLITE_STEPS
    )
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)
        if _newest.get(of) is mine:
            del _newest[of]


def _was_ended(error: OperationalError) -> bool:
    """PostgreSQL's code for a statement that was cancelled; SQLite only has words."""
    return getattr(error.__cause__, "sqlstate", "") == "57014" or str(error) == "interrupted"


def _counted(found: CustomerQuerySet) -> Size:
    counts = {
        f"by_{channel}": Count("pk", filter=Q(pk__in=_reachable(purpose, channel).values("pk")))
        for channel, purpose in channels().items()
    }
    row = found.aggregate(n=Count("pk"), **counts)
    return Size(row["n"], {channel: row[f"by_{channel}"] for channel in channels()})


def _counted_of(members: Sequence[int]) -> Size:
    """Count those of a few members who can be reached, reading nothing of anybody else."""
    reachable = {
        channel: _reachable(purpose, channel).filter(pk__in=these(members)).count()
        for channel, purpose in channels().items()
    }
    return Size(len(members), reachable)


def _reachable(purpose: str, channel: str) -> CustomerQuerySet:
    return Customer.objects.for_purpose(purpose, channel=channel)
