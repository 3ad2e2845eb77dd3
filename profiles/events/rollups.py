"""Counts by day, kept while events are merged, so that pages read tens of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import connection

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

DAY: Final = {
    "postgresql": "(received_at AT TIME ZONE 'UTC')::date",
    "sqlite": "date(received_at)",
}
ADD: Final = """
INSERT INTO profiles_eventday AS kept (source_id, day, kind, name, n_events)
SELECT source_id, {day}, kind, name, count(*) FROM profiles_merging WHERE true
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
ON CONFLICT (source_id, day, kind, name)
DO UPDATE SET n_events = kept.n_events + excluded.n_events
"""


def add(cursor: CursorWrapper) -> None:
    """Add the merge's batch, in which every event stands once, to the counts of its days."""
    cursor.execute(ADD.format(day=DAY[connection.vendor]))
