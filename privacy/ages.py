"""From which day a person may consent themselves; until then nothing is advertised to them.

Birth dates are sealed, so the day is kept beside the subject while it is still ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from privacy.models import Subject

# Art. 31 PIPL; art. 8(1) GDPR without the lower ages its members may set. Counsel must confirm.
CHINA = frozenset({"cn", "chn", "china", "中国", "中国大陆", "prc"})
AGE_IN_CHINA, AGE_ELSEWHERE = 14, 16
FIRST_YEAR = 1900


@dataclass(frozen=True)
class Birth:
    """When and, as far as is known, where somebody was born or lives."""

    on: date
    country: str = ""


def can_be(birth: date, today: date) -> bool:
    """Whether somebody who lives on that day may have been born on the other."""
    return birth.year >= FIRST_YEAR and birth <= today


def of_year(year: int, country: str = "") -> Birth:
    """The latest birth of a year: who is a minor by it may be one."""
    return Birth(date(year, 12, 31), country)


def minor_until(birth: Birth) -> date:
    """Return the birthday that ends it; who was born on 29 February waits until 1 March."""
    age = AGE_IN_CHINA if birth.country.strip().casefold() in CHINA else AGE_ELSEWHERE
    try:
        return birth.on.replace(year=birth.on.year + age)
    except ValueError:
        return date(birth.on.year + age, 3, 1)


def note(births: Mapping[UUID, Birth], *, today: date) -> int:
    """Keep on their subjects who is a minor on that day and until when; returns how many are."""
    ends: dict[date, list[UUID]] = {}
    for subject, birth in births.items():
        ends.setdefault(minor_until(birth), []).append(subject)
    minors = {end: subjects for end, subjects in ends.items() if end > today}
    grown = [one for end, subjects in ends.items() if end <= today for one in subjects]
    Subject.objects.filter(uuid__in=grown, minor_until__isnull=False).update(minor_until=None)
    for end, subjects in minors.items():
        Subject.objects.filter(uuid__in=subjects).update(minor_until=end)
    return sum(map(len, minors.values()))
