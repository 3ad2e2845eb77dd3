"""Moving staged events to their place: once each, with their customer, in a few statements."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from profiles import asking, changes
from profiles.event_store import EVENTS, OF_WHOM
from profiles.events import cart_events, event_names, order_events
from profiles.identity import identities
from profiles.models import EventKey, EventStaging, EventVerdict, RejectedEvent
from profiles.models.event import ORDER_EVENTS

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

BATCH: Final = 5_000
REMEMBERED: Final = timedelta(days=7)
TEST_REMEMBERED: Final = timedelta(days=1)

# A temporary table holds the batch, so that every statement sees the same rows while the
# web goes on staging.
BATCH_TABLE = {
    "postgresql": "CREATE TEMP TABLE IF NOT EXISTS profiles_merging (LIKE profiles_eventstaging)",
    "sqlite": "CREATE TEMP TABLE IF NOT EXISTS profiles_merging"
    " AS SELECT * FROM profiles_eventstaging WHERE 0",
}
TAKE = {
    "postgresql": [
        """
        WITH taken AS (
            DELETE FROM profiles_eventstaging WHERE id IN (
                SELECT id FROM profiles_eventstaging ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
            ) RETURNING *
        )
        INSERT INTO profiles_merging SELECT * FROM taken
        """
    ],
    "sqlite": [
        "INSERT INTO profiles_merging SELECT * FROM profiles_eventstaging ORDER BY id LIMIT %s",
        "DELETE FROM profiles_eventstaging WHERE id IN (SELECT id FROM profiles_merging)",
    ],
}
# No daemon clears a temporary table of deleted rows: each batch would read past those before it.
EMPTY: Final = {
    "postgresql": "TRUNCATE profiles_merging",
    "sqlite": "DELETE FROM profiles_merging",
}
# No daemon analyses a temporary table, and the joins need to know its size.
ANALYZE = "ANALYZE profiles_merging (source_id, message_id, customer_ref, anonymous_id)"
# Of two events of one id the one that a secret key vouches for is kept.
REMEMBER = """
INSERT INTO profiles_eventkey (source_id, message_id, staging_id, is_open, seen_at)
SELECT source_id, message_id, COALESCE(MIN(CASE WHEN is_confirmed THEN id END), MIN(id)),
    MAX(CASE WHEN is_confirmed THEN 1 ELSE 0 END) = 0, %s
FROM profiles_merging WHERE true
GROUP BY source_id, message_id ORDER BY source_id, message_id
ON CONFLICT (source_id, message_id) DO NOTHING
"""
CONFIRMING = """
SELECT m.source_id, m.message_id, MIN(m.id) FROM profiles_merging m
JOIN profiles_eventkey k ON k.source_id = m.source_id AND k.message_id = m.message_id
WHERE m.is_confirmed AND m.kind = 'track' AND m.name IN (%s, %s, %s, %s)
    AND k.is_open AND k.staging_id <> m.id
GROUP BY m.source_id, m.message_id
"""
CONFIRM = """
UPDATE profiles_eventkey SET staging_id = %s, is_open = false
WHERE source_id = %s AND message_id = %s
"""
CONFIRMED = """
FROM profiles_event WHERE NOT is_confirmed AND name IN (%s, %s, %s, %s)
    AND source_id = %s AND message_id = %s
"""
REPEATED = """
EXISTS (
    SELECT 1 FROM profiles_eventkey k
    WHERE k.source_id = profiles_merging.source_id
    AND k.message_id = profiles_merging.message_id AND k.staging_id <> profiles_merging.id
)
"""
NOTE_REPEATED = f"""
INSERT INTO profiles_eventverdict
    (source_id, message_id, kind, name, verdict, code, is_test, received_at)
SELECT source_id, message_id, kind, name, 'duplicate', 'duplicate', false, received_at
FROM profiles_merging WHERE {REPEATED}
"""  # noqa: S608 -- constants  # nosec B608
DROP_REPEATED = f"DELETE FROM profiles_merging WHERE {REPEATED}"  # noqa: S608  # nosec B608
# To whom something happened, those among them whom their device is only now known to be.
CHANGED = f"""
SELECT COALESCE(c.id, i.customer_id) AS customer_id {OF_WHOM}
UNION SELECT customer_id FROM profiles_identity WHERE id > %s
"""  # noqa: S608 -- constants  # nosec B608
ADOPT = """
UPDATE profiles_event SET customer_id = (
    SELECT i.customer_id FROM profiles_identity i
    WHERE i.anonymous_id = profiles_event.anonymous_id
)
WHERE customer_id IS NULL AND anonymous_id IN (
    SELECT i.anonymous_id FROM profiles_identity i WHERE i.id > %s
)
"""


def wake_if_needed(now: datetime) -> None:
    if EventStaging.objects.exists():
        asking.ask_for_merge(now)


@transaction.atomic
def merge(now: datetime, *, limit: int = BATCH) -> int:
    """Merge up to `limit` staged events and return how many were taken; 0 when none waits.

    Repeats of a message id within 7 days are dropped and noted; an order that a secret key tells
    of is no repeat of what a browser said under its id. Events without a customer id belong to
    the customer their anonymous id was joined to, also those that came earlier. Orders are
    upserted from events that a secret key vouches for.
    """
    with connection.cursor() as cursor:
        cursor.execute(BATCH_TABLE[connection.vendor])
        take, *rest = TAKE[connection.vendor]
        cursor.execute(take, [limit])
        if not (n_taken := int(cursor.rowcount)):
            return 0
        for statement in rest:
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute(ANALYZE)
        cursor.execute(REMEMBER, [connection.ops.adapt_datetimefield_value(now)])
        if cursor.rowcount < n_taken:
            _confirm(cursor)
            cursor.execute(NOTE_REPEATED)
            cursor.execute(DROP_REPEATED)
        last_identity = identities.join(cursor, now=now)
        EVENTS.append(cursor)
        changes.mark_found(cursor, CHANGED, [last_identity])
        event_names.note(cursor)
        EVENTS.rollup(cursor)
        order_events.adopt_orders(cursor, last_identity=last_identity, now=now)
        cursor.execute(ADOPT, [last_identity])
        identities.learn(cursor, today=now.date())
        order_events.take_orders(cursor, now=now)
        cart_events.take_carts(cursor, last_identity=last_identity)
        cursor.execute(EMPTY[connection.vendor])
    return n_taken


def _confirm(cursor: CursorWrapper) -> None:
    """Let the batch's orders of secret keys take the place of what waited under their ids."""
    cursor.execute(CONFIRMING, ORDER_EVENTS)
    for source_id, message_id, staging_id in cursor.fetchall():
        cursor.execute(CONFIRM, [staging_id, source_id, message_id])
        which = [*ORDER_EVENTS, source_id, message_id]
        changes.mark_found(cursor, f"SELECT customer_id {CONFIRMED}", which)
        cursor.execute(f"DELETE {CONFIRMED}", which)


def forget(now: datetime) -> int:
    """Delete message ids and verdicts older than 7 days, tests' after one; returns how many."""
    n_keys, _models = EventKey.objects.filter(seen_at__lt=now - REMEMBERED).delete()
    n_old, _models = EventVerdict.objects.filter(received_at__lt=now - REMEMBERED).delete()
    n_tests, _models = EventVerdict.objects.filter(
        is_test=True, received_at__lt=now - TEST_REMEMBERED
    ).delete()
    n_rejected, _models = RejectedEvent.objects.filter(received_at__lt=now - REMEMBERED).delete()
    return n_keys + n_old + n_tests + n_rejected
