"""What recommendations tell a person in the copy of their data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from privacy import registry
from recommendations.models import CustomerListing


def declare() -> None:
    registry.export_section("recommendations", _recommendations)


def _recommendations(subject: UUID, _now: datetime) -> Iterator[dict[str, Any]]:
    """Each product of each stored list with its score and why it was chosen."""
    lists = CustomerListing.objects.filter(customer__subject__uuid=subject).order_by("run")
    for run, made_at, items in lists.values_list("run", "run__created_at", "items"):
        for place, (product, score, reason, based_on) in enumerate(items, start=1):
            yield {
                "run": run,
                "made_at": made_at,
                "place": place,
                "product_id": product,
                "score": score,
                "reason": reason,
                "based_on": based_on,
            }
