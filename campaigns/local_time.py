"""The same hour of the clock for every reader, wherever they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import F, Value
from django.db.models.functions import Coalesce, NullIf

from privacy.models import Shop
from profiles.models import Customer

if TYPE_CHECKING:
    from campaigns.models import Campaign

DAY: Final = timedelta(days=1)
# One time by law, though the list of zones keeps a second one.
_ONE_TIME: Final = {"CN": "Asia/Shanghai"}


@dataclass(frozen=True, slots=True)
class Dues:
    """When the start's hour is at each place whose customers are not on the shop's time."""

    by_place: Mapping[str, datetime]
    at_home: datetime

    @property
    def first(self) -> datetime:
        return min(self.at_home, *self.by_place.values()) if self.by_place else self.at_home

    @property
    def last(self) -> datetime:
        return max(self.at_home, *self.by_place.values()) if self.by_place else self.at_home


def dues(campaign: Campaign, not_before: datetime) -> Dues | None:
    """Return when each place's readers are due, at `not_before` or later.

    None for a campaign that goes to all at one moment.
    """
    if not campaign.local_time or campaign.starts_at is None:
        return None
    home = ZoneInfo(Shop.current().time_zone)
    at_home = due(campaign.starts_at, home, home, not_before)
    told = Customer.objects.order_by().values_list(
        Coalesce(NullIf("time_zone", Value("")), F("country")), flat=True
    )
    found = {
        place: due(campaign.starts_at, zone, home, not_before)
        for place in told.distinct()
        if (zone := zone_of(place)) is not None
    }
    return Dues({place: at for place, at in found.items() if at != at_home}, at_home)


def due(starts_at: datetime, zone: ZoneInfo, home: ZoneInfo, not_before: datetime) -> datetime:
    """Return when `starts_at`, as the clock at `home` shows it, is shown in `zone`.

    A day later as often as it would be before `not_before`. An hour that a clock set forward
    leaves out is the one after; of one that a clock set back has twice it is the first.
    """
    wall = starts_at.astimezone(home).replace(tzinfo=None)
    while (at := wall.replace(tzinfo=zone).astimezone(not_before.tzinfo)) < not_before:
        wall += DAY
    return at


def zone_of(place: str) -> ZoneInfo | None:
    """Return the zone a time zone's or a country's name means, if it has just one."""
    name = place.strip()
    if name in _zones():
        return ZoneInfo(name)
    found = _zone_of_country().get(name.casefold())
    return ZoneInfo(found) if found else None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _zone_of_country() -> dict[str, str]:
    """The zone of each country with one, by its code and its English name, in small letters."""
    from babel import Locale  # noqa: PLC0415 -- its data is read for the few who ask
    from babel.core import get_global  # noqa: PLC0415

    zones: dict[str, list[str]] = {}
    for zone, country in get_global("zone_territories").items():
        if zone in _zones():
            zones.setdefault(country, []).append(zone)
    sole = {country: names[0] for country, names in zones.items() if len(names) == 1} | _ONE_TIME
    names = Locale("en").territories
    by_name = {names[code].casefold(): zone for code, zone in sole.items() if code in names}
    return by_name | {code.casefold(): zone for code, zone in sole.items()}
