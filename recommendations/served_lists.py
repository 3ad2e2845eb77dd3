"""The log of what was offered where, from which a later engine learns what another would have won.

`reading` notes its own lists by the statement that reads them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from django.db import OperationalError, connection

from privacy import finder
from recommendations.models import ServedList

# A strip of a page waits no longer for a database that writes one thing at a time.
PATIENCE_MS: Final = 50
KEPT_DAYS: Final = 90
NAME: Final = re.compile(r"(?!.*[0-9]{6})[a-z][a-z0-9_-]{0,63}", re.IGNORECASE)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Offered:
    """One list as it was told: the id, the training run at work, the products by position."""

    recommendation_id: UUID
    version: int | None
    product_ids: Sequence[str]


def note(lists: Sequence[Offered], *, placement: str, now: datetime) -> None:
    """Write down each list that offers something.

    Where one writes at a time (SQLite) no answer waits long, or is refused, because of it.
    """
    rows = [
        ServedList(
            recommendation_id=one.recommendation_id,
            served_at=now,
            placement=place(placement),
            version=one.version,
            products=list(one.product_ids),
        )
        for one in lists
        if one.product_ids
    ]
    if connection.vendor == "postgresql":
        ServedList.objects.bulk_create(rows)
        return
    try:
        with _patience():
            ServedList.objects.bulk_create(rows)
    except OperationalError as error:
        log.warning("lists that were served are not noted", extra={"error": type(error).__name__})


@lru_cache(maxsize=1_024)
def place(placement: str) -> str:
    """Return the name of a place of the shop as it is noted, empty for what is no such name.

    Whoever asks may write anything into it, also what names a person.
    """
    is_name = NAME.fullmatch(placement) and finder.redact(placement) == placement
    return placement if is_name else ""


@contextmanager
def _patience() -> Iterator[None]:
    """Have SQLite give up early; `timeout` of the settings is for what must be written."""
    with connection.cursor() as cursor:
        (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")
