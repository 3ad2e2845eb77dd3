"""Moving staged events to their place: once each, with their customer, in a few statements.

The events of a batch are read once; what is to be looked up or written for them is so for all of
them in one statement each.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from profiles import asking, changes
from profiles.event_store import EVENTS
from profiles.events import aliases, cart_events, event_names, order_events, repeats, staging
from profiles.identity import identities
from profiles.models import EventKey, EventStaging, EventVerdict, RejectedEvent
from profiles.orders import carts

# The more events, the fewer times a customer is looked up, marked, and their cart written. SQLite
# binds so many values in a statement and no more.
BATCH: Final = {"postgresql": 20_000, "sqlite": 5_000}
REMEMBERED: Final = timedelta(days=7)
TEST_REMEMBERED: Final = timedelta(days=1)

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
def merge(now: datetime, *, limit: int = 0) -> int:
    """Merge about `limit` staged events and return how many were taken; 0 when none waits.

    Repeats of a message id within 7 days are dropped and noted; an order that a secret key tells
    of is no repeat of what a browser said under its id. Events without a customer id belong to
    the customer their anonymous id was joined to, also those that came earlier. Orders are
    upserted from events that a secret key vouches for.
    """
    taken = staging.take(limit or BATCH[connection.vendor])
    if not taken:
        return 0
    arrived = repeats.drop(taken, now=now)
    before = identities.join(arrived, now=now)
    aliases.note(arrived)
    EVENTS.append(arrived)
    changes.mark({one.customer_pk for one in arrived if one.customer_pk is not None})
    event_names.note(arrived)
    EVENTS.rollup(arrived)
    if before is not None:
        _adopt(before, now)
    identities.learn(arrived, today=now.date())
    order_events.take_orders(arrived, now=now)
    cart_events.take_carts(arrived)
    return len(taken)


def _adopt(last_identity: int, now: datetime) -> None:
    """Give what visitors did to the customers whom identities behind that one name."""
    with connection.cursor() as cursor:
        changes.mark_found(
            cursor, "SELECT customer_id FROM profiles_identity WHERE id > %s", [last_identity]
        )
        order_events.adopt_orders(cursor, last_identity=last_identity, now=now)
        cursor.execute(ADOPT, [last_identity])
    carts.adopt(last_identity=last_identity)


def forget(now: datetime) -> int:
    """Delete message ids and verdicts older than 7 days, tests' after one; returns how many."""
    n_keys, _models = EventKey.objects.filter(seen_at__lt=now - REMEMBERED).delete()
    n_old, _models = EventVerdict.objects.filter(received_at__lt=now - REMEMBERED).delete()
    n_tests, _models = EventVerdict.objects.filter(
        is_test=True, received_at__lt=now - TEST_REMEMBERED
    ).delete()
    n_rejected, _models = RejectedEvent.objects.filter(received_at__lt=now - REMEMBERED).delete()
    return n_keys + n_old + n_tests + n_rejected
