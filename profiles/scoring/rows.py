"""Reading what was known of customers at a moment, and what they did in the window after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction

from privacy.models import Shop
from profiles.models import Customer
from profiles.scores.features import Snapshot, snapshot
from profiles.traits import featuring
from profiles.traits.sources import snapshots

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

PURPOSE: Final = "profile.score"
READ_AT_ONCE: Final = 5_000
DAY: Final = timedelta(days=1)


@transaction.atomic
def at(moment: datetime, *, horizon_days: int) -> Snapshot:
    """Return every customer who ordered before `moment` and may be scored, by key.

    Facts are of before it, outcomes of the `horizon_days` after it. Money is net of tax and
    shipping in the currency of traits, converted at the rate of the order's day.
    """

    def stored(when: datetime) -> Any:
        return connection.ops.adapt_datetimefield_value(when)

    values = {
        "at": stored(moment),
        "until": stored(moment + horizon_days * DAY),
        "currency": featuring.currency_in_use(),
        "zone": Shop.current().time_zone,
        **{f"back_{days}": stored(moment - days * DAY) for days in snapshots.DAYS_BACK},
    }
    with connection.cursor() as cursor:
        featuring.fill(cursor, "profiles_scope", Customer.objects.for_purpose(PURPOSE).values("pk"))
        featuring.plan_by_hashing(cursor)
        cursor.execute(snapshots.statement(connection.vendor), values)
        return snapshot(_rows(cursor))


def _rows(cursor: CursorWrapper) -> Iterator[tuple[int, ...]]:
    while rows := cursor.fetchmany(READ_AT_ONCE):
        yield from rows
