"""Reading the moment a command is told to look from."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError

from privacy.models import Shop


def moment(text: str, *, now: datetime) -> datetime:
    """Return the moment an ISO date or time means, in the shop's time zone if it names none.

    Raises CommandError for what is no date, and for a moment that has not come yet.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--as-of is {text!r}; write a date such as 2010-10-31") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(Shop.current().time_zone))
    if found > now:
        raise CommandError(f"--as-of is {text!r}, which has not come yet")
    return found
