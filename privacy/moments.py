"""Times that were lost on their way: 0 seconds since 1970, or less, in the place of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

# Whatever the time zone in which a lost time was read, it lies before this.
EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)


def is_lost(moment: datetime) -> bool:
    """Whether an aware moment is none that anybody meant."""
    return moment < EARLIEST
