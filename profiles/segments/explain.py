"""A rule as one readable sentence part, in whatever language the phrasebook speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from profiles.segments.compile import fold
from profiles.segments.rules import Condition, Rule


class Phrasebook(Protocol):
    """The words of one language; `both` and `either` join phrases, `group` brackets one."""

    def condition(self, condition: Condition) -> str: ...
    def both(self, phrases: Sequence[str]) -> str: ...
    def either(self, phrases: Sequence[str]) -> str: ...
    def negated(self, phrase: str) -> str: ...
    def group(self, phrase: str) -> str: ...


@dataclass(frozen=True)
class _Phrase:
    text: str
    compound: bool = False


@dataclass(frozen=True)
class _Sentences:
    book: Phrasebook

    def condition(self, condition: Condition) -> _Phrase:
        return _Phrase(self.book.condition(condition))

    def all_of(self, parts: Sequence[_Phrase]) -> _Phrase:
        return self._joined(parts, self.book.both(self._bracketed(parts)))

    def any_of(self, parts: Sequence[_Phrase]) -> _Phrase:
        return self._joined(parts, self.book.either(self._bracketed(parts)))

    def negate(self, part: _Phrase) -> _Phrase:
        return _Phrase(self.book.negated(self.book.group(part.text)))

    def _bracketed(self, parts: Sequence[_Phrase]) -> list[str]:
        if len(parts) == 1:
            return [parts[0].text]
        return [self.book.group(part.text) if part.compound else part.text for part in parts]

    def _joined(self, parts: Sequence[_Phrase], text: str) -> _Phrase:
        return _Phrase(text, compound=len(parts) > 1 or any(part.compound for part in parts))


def say(rule: Rule, book: Phrasebook) -> str:
    """Return the rule in words; empty for a rule that means everybody."""
    if not rule.parts and not rule.negated:
        return ""
    return fold(rule, _Sentences(book)).text
