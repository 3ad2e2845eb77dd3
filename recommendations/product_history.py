"""Price and stock of a product over time, for its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from profiles.money import from_minor
from recommendations.models import Product, ProductChange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

DAYS: Final = 90
MOST: Final = 50


@dataclass(frozen=True)
class History:
    """`changes` newest first, of all places; `prices` and `stock` a value for each of `days`."""

    changes: Sequence[ProductChange] = ()
    days: Sequence[date] = ()
    prices: Sequence[float] = ()
    stock: Sequence[float] = ()


def of(product: Product, *, now: datetime, time_zone: str) -> History:
    """The last changes, and what held at the end of each of the last 90 days in the shop."""
    everywhere = ProductChange.objects.filter(product=product).order_by("-changed_at", "-pk")
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    own = everywhere.filter(country="")
    # Two years of daily changes at most are kept; the first before the window holds when it begins.
    told = [(one.changed_at.astimezone(zone).date(), one) for one in reversed(own[:1_000])]
    first = max(today - timedelta(days=DAYS - 1), told[0][0]) if told else today
    days = [first + timedelta(days=n) for n in range((today - first).days + 1)] if told else []
    held = [_at(told, day) for day in days]
    return History(
        changes=list(everywhere[:MOST]),
        days=days,
        prices=_values(held, "price_minor", told),
        stock=_values(held, "stock", told),
    )


def _at(told: Sequence[tuple[date, ProductChange]], day: date) -> ProductChange:
    """What held at the end of a day: the last of what was told until then."""
    return next((one for since, one in reversed(told) if since <= day), told[0][1])


def _values(
    held: Sequence[ProductChange], name: str, told: Sequence[tuple[date, ProductChange]]
) -> list[float]:
    """The values of the days; none if it was never told or is the same on all of them."""
    values: list[Any] = [getattr(one, name) for one in held]
    if len(set(values)) < 2 or not told:  # noqa: PLR2004 -- one value makes no line
        return []
    if name != "price_minor":
        return [float(value or 0) for value in values]
    return [float(from_minor(one.price_minor or 0, one.currency)) for one in held]
