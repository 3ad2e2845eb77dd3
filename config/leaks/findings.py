"""What the sweep looked at and where it saw a canary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from config.leaks.canaries import Canary, Flock, external_ids


@dataclass(frozen=True)
class Leak:
    surface: str
    place: str
    people: str


@dataclass
class Sweep:
    """Counts what was looked at by surface, and of pages those that were really shown."""

    flock: Flock
    looked_at: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)

    def look(
        self, surface: str, place: str, content: bytes | str, *, of: Iterable[Canary] = ()
    ) -> None:
        """Search one piece of content; `of` are the people to whom it may belong."""
        self.looked_at[surface] += 1
        if seen := self.flock.seen_in(content) - set(of):
            self.leaks.append(Leak(surface, place, external_ids(seen)))
