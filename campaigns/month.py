"""A month of campaigns on the calendar, beside the days that the trade plans around."""

from __future__ import annotations

from calendar import Calendar
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from campaigns import seasons
from campaigns.models import Campaign
from privacy.models import Shop

if TYPE_CHECKING:
    from django.db.models import QuerySet

FIRST, LAST = date(2000, 1, 1), date(2100, 12, 31)
MOST: Final = 500
AHEAD: Final = timedelta(days=60)
SEASONS: Final = {
    "new_year": _("Chinese New Year"),
    "618": _("618"),
    "double_11": _("Double 11 (Singles’ Day)"),
    "black_friday": _("Black Friday"),
    "cyber_monday": _("Cyber Monday"),
    "double_12": _("Double 12"),
}


@dataclass(slots=True)
class Day:
    """One square: its campaigns, each with when it starts in the shop's time, and its seasons."""

    day: date
    is_inside: bool
    seasons: list[object] = field(default_factory=list)
    campaigns: list[tuple[datetime, Campaign]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Month:
    """Whole weeks from Monday on; `before` and `after` are first days of the months beside it."""

    first: date
    weeks: list[list[Day]]
    before: date
    after: date
    next_season: tuple[date, object] | None

    @property
    def days(self) -> list[Day]:
        """Those of the month on which something is."""
        inside = [day for week in self.weeks for day in week if day.is_inside]
        return [day for day in inside if day.seasons or day.campaigns]


def of(first: date, today: date) -> Month:
    """Return the month of `first` in three queries, archived campaigns left out."""
    zone = ZoneInfo(Shop.current().time_zone)
    dates = Calendar().monthdatescalendar(first.year, first.month)
    weeks = [[Day(day, day.month == first.month) for day in week] for week in dates]
    by_date = {day.day: day for week in weeks for day in week}
    for day, code in seasons.between(dates[0][0], dates[-1][-1]):
        by_date[day].seasons.append(SEASONS[code])
    start = datetime.combine(dates[0][0], time.min, tzinfo=zone)
    end = datetime.combine(dates[-1][-1] + timedelta(days=1), time.min, tzinfo=zone)
    rows: QuerySet[Any] = (
        Campaign.objects.plans()
        .filter(archived_at__isnull=True)
        .annotate(at=Coalesce("goes_at", "starts_at", "planned_at"))
        .filter(at__gte=start, at__lt=end)
        .select_related("segment")
        .order_by("at", "pk")[:MOST]
    )
    for row in rows:
        local = row.at.astimezone(zone)
        by_date[local.date()].campaigns.append((local, row))
    ahead = seasons.between(today, today + AHEAD)
    return Month(
        first=first.replace(day=1),
        weeks=weeks,
        before=(first.replace(day=1) - timedelta(days=1)).replace(day=1),
        after=(first.replace(day=28) + timedelta(days=7)).replace(day=1),
        next_season=(ahead[0][0], SEASONS[ahead[0][1]]) if ahead else None,
    )
