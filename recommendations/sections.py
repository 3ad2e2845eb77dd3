"""What recommendations tell a person in the copy of their data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from privacy import registry
from recommendations import lists
from recommendations.models import CustomerListing


def declare() -> None:
    registry.export_section("recommendations", _recommendations)


def _recommendations(subject: UUID, _now: datetime) -> Iterator[dict[str, Any]]:
    """Each product of each stored list with its score and why it was chosen."""
    mine = CustomerListing.objects.filter(customer__subject__uuid=subject).order_by("run")
    rows = list(mine.values_list("run", "run__created_at", *lists.COLUMNS))
    found = lists.read([row[2:] for row in rows])
    for (run, made_at, *_), entries in zip(rows, found, strict=True):
        for place, entry in enumerate(entries, start=1):
            yield {"run": run, "made_at": made_at, "place": place, **entry._asdict()}
