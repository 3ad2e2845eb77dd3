"""The stretch of time that a condition on purchases or events looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """What it names narrows; nothing named means all that happened so far.

    Days count back from the moment asked for: `within_days` is later than that long ago,
    `before_days` earlier. Dates are whole days of the shop's time zone, both ends included.
    """

    within_days: int | None = None
    before_days: int | None = None
    from_date: date | None = None
    to_date: date | None = None

    def bounds(self, as_of: datetime, zone: tzinfo) -> tuple[datetime | None, datetime]:
        """Return from when on (None = from the first) and until before when things count."""
        starts, ends = [], [as_of]
        if self.within_days:
            starts.append(before(as_of, self.within_days))
        if self.from_date:
            starts.append(_midnight(self.from_date, zone))
        if self.before_days:
            ends.append(before(as_of, self.before_days))
        if self.to_date:
            ends.append(_midnight(self.to_date + DAY, zone))
        return max(starts, default=None), min(ends)


ALWAYS = Window()


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def before(as_of: datetime, days: int) -> datetime:
    """Return the moment whole days earlier, or about the first there is."""
    earliest = datetime.min.replace(tzinfo=as_of.tzinfo) + 2 * DAY
    if days > (as_of - earliest).days:
        return earliest
    return as_of - timedelta(days=days)
