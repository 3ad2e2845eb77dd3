"""People whose every personal value occurs nowhere else, so that wherever it is seen it leaked."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from urllib.parse import quote


@dataclass(frozen=True)
class Canary:
    """One made-up person; `birth_date` is of the 1920s, in which no time of a system lies."""

    external_id: str
    full_name: str
    email: str
    phone: str
    birth_date: date

    def values(self) -> Iterator[str]:
        """Every personal value in the forms in which it may get out, in lower case."""
        yield from (self.email, quote(self.email), self.full_name, quote(self.full_name))
        national = self.phone.removeprefix("+86")
        yield from (national, f"{national[:3]} {national[3:7]} {national[7:]}")
        yield self.birth_date.isoformat()


def canary(number: int) -> Canary:
    """Make a person; the numbers keep phones and birth dates apart, letters the rest."""
    word = "".join(secrets.choice("bcdfghjklmnpqrstvwxz") for _ in range(10))
    return Canary(
        external_id=f"canary-{number}",
        full_name=f"Zq{word} Yk{word[::-1]}",
        email=f"zq.{word}@{word}-mail.example",
        phone=f"+86138{secrets.randbelow(10_000):04}{number:04}",
        birth_date=date(1920 + number // 300, 1 + number // 25 % 12, 1 + number % 25),
    )


@dataclass(frozen=True)
class Flock:
    """All canaries and one pattern that finds any of them."""

    people: tuple[Canary, ...]

    @cached_property
    def owners(self) -> dict[bytes, Canary]:
        return {
            value.lower().encode(): person for person in self.people for value in person.values()
        }

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(re.escape(value) for value in self.owners))

    def seen_in(self, content: bytes | str) -> set[Canary]:
        """Whose values stand in the content, in whatever case."""
        data = content.encode() if isinstance(content, str) else content
        return {self.owners[found] for found in self.pattern.findall(data.lower())}


def flock(n: int) -> Flock:
    return Flock(tuple(map(canary, range(n))))


def external_ids(people: Iterable[Canary]) -> str:
    """How a finding names people: by the shop's id, never by a value."""
    return ", ".join(sorted(person.external_id for person in people))
