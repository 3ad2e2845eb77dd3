"""Facts of a group of customers, and which of them are strong enough to become words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SMALL_CELL = 10
PROTECTED = frozenset({"age_band", "gender"})
ABOUT_PEOPLE = PROTECTED | {"country", "city", "occupation"}
NO_NAMES = ABOUT_PEOPLE | {"own_high", "own_value"}
# (share of the group, effect against everybody) from which a fact is said, either pair.
# Where there are many values none reaches half: three in ten and more than elsewhere tells.
USUAL = ((0.5, 0.2), (0.3, 0.5))
MANY_VALUES = ((0.3, 0.2),)
NEEDED = {
    "gender": ((0.6, 0.0),),
    "age_band": ((0.3, 0.1),),
    "city": MANY_VALUES,
    "occupation": MANY_VALUES,
    "category": MANY_VALUES,
    "channel": MANY_VALUES,
}
APART = 0.2  # Cohen's "small"
TITLE_WORDS = 2
MORE = "+"  # marks a title word that holds of some only, though of more than elsewhere


@dataclass(frozen=True)
class Fact:
    """How common something is in a group and among everybody of whom it is known.

    `share` and `everyone` are 0-1, `n` the customers of the group it holds for, `n_known`
    those of whom it is known, `effect` Cohen's h of the two shares (positive: more common).
    """

    code: str
    value: str
    share: float
    everyone: float
    n: int
    n_known: int
    effect: float

    @property
    def key(self) -> str:
        return f"{self.code}:{self.value}"


def said(facts: Iterable[Fact], code: str, *, most: int = 1) -> list[Fact]:
    """Return the facts of a code that may be said, the most telling first.

    Of what people are (age, city) the most common is said; of what they do, the most unusual.
    """
    needed = NEEDED.get(code, USUAL)
    telling = [
        fact
        for fact in facts
        if fact.code == code
        and any(fact.share >= share and fact.effect >= effect for share, effect in needed)
    ]
    telling.sort(
        key=lambda fact: (-(fact.share if code in ABOUT_PEOPLE else fact.effect), fact.value)
    )
    return telling[:most]


def apart(facts: Iterable[Fact], *, most: int = 6) -> list[Fact]:
    """Return what sets the group apart, more or less common than elsewhere, strongest first."""
    telling = [fact for fact in facts if abs(fact.effect) >= APART]
    return sorted(telling, key=lambda fact: (-abs(fact.effect), fact.key))[:most]


def titles(groups: Sequence[Sequence[Fact]]) -> list[list[str]]:
    """Return for each group the keys of the words that name it: two, or more to be unique.

    One word a code, the most unusual first, nothing about what people are. A group of which
    nothing may be said is named by what is more common in it, marked with `MORE`. Groups
    that cannot be told apart keep the same title.
    """
    names: list[list[str]] = []
    for facts in groups:
        words, n = _ranked(facts), TITLE_WORDS
        while words[:n] in names and n < len(words):
            n += 1
        names.append(words[:n])
    return names


def more(facts: Iterable[Fact], *, most: int = TITLE_WORDS) -> list[Fact]:
    """Return what the group does more often than others, the most unusual first."""
    doing = [fact for fact in facts if fact.code not in NO_NAMES]
    return [fact for fact in apart(doing, most=len(doing)) if fact.effect > 0][:most]


def _ranked(facts: Sequence[Fact]) -> list[str]:
    codes = {fact.code for fact in facts} - NO_NAMES
    best = [fact for code in codes for fact in said(facts, code)]
    if not best:
        return [MORE + fact.key for fact in more(facts)]
    return [fact.key for fact in sorted(best, key=lambda fact: (-fact.effect, fact.key))]
