"""All traits of a customer as people read them: value, meaning, and what kind of data it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.utils.translation import gettext_lazy, ngettext

from profiles import figures, registry, trait_words
from profiles.features.vocabulary import TRAITS, DataClass, Kind, Trait
from profiles.models import Customer, CustomerTraits
from profiles.segment_words import Words
from profiles.segments.vocabulary import FIELDS

# Traits whose value is a category, as the catalogue names it.
CATEGORIES = ("top_category", "viewed_category")
CLASSES = {
    DataClass.PURCHASES: gettext_lazy("Purchases"),
    DataClass.BROWSING: gettext_lazy("Browsing"),
    DataClass.CONTACT: gettext_lazy("Answers to messages"),
    DataClass.POSSESSIONS: gettext_lazy("Possessions"),
    DataClass.FORETOLD: gettext_lazy("Foretold, not known"),
}


@dataclass(frozen=True)
class ToldTrait:
    """A trait with its value in words, empty where it is not known."""

    name: str
    label: str
    text: str
    meaning: str


@dataclass(frozen=True)
class TraitGroup:
    """The traits made of one kind of data, those that are known first."""

    label: str
    traits: tuple[ToldTrait, ...]
    n_known: int


def of_customer(
    customer: Customer, now: datetime, *, currency: str, language: str
) -> list[TraitGroup]:
    """Return every trait of the vocabulary, days counted at `now`; none without traits yet."""
    traits = CustomerTraits.objects.filter(pk=customer.pk).first()
    if traits is None:
        return []
    words, seen = Words(language, currency), traits.seen_from(now)
    categories = registry.categories_in(language)
    for name in CATEGORIES:
        setattr(seen, name, categories.get(getattr(seen, name), getattr(seen, name)))
    of_class = sorted(TRAITS, key=lambda trait: list(DataClass).index(trait.data_class))
    return [
        _group(data_class, [_told(trait, getattr(seen, trait.name), words) for trait in some])
        for data_class, some in groupby(of_class, key=lambda trait: trait.data_class)
    ]


def _group(data_class: DataClass, traits: list[ToldTrait]) -> TraitGroup:
    known = [trait for trait in traits if trait.text]
    others = [trait for trait in traits if not trait.text]
    return TraitGroup(str(CLASSES[data_class]), (*known, *others), len(known))


def _told(trait: Trait, value: Any, words: Words) -> ToldTrait:
    meaning = trait_words.WORDS[trait.name]
    text = "" if value is None or value == "" else _shown(trait, value, words)
    return ToldTrait(trait.name, str(meaning.label), text, str(meaning.meaning))


def _shown(trait: Trait, value: Any, words: Words) -> str:
    match trait.kind:
        case Kind.DAYS if value < 0:
            text = ngettext("%(n)s day overdue", "%(n)s days overdue", -value)
            return text % {"n": figures.number(-value, words.language)}
        case Kind.DAYS:
            text = ngettext("%(n)s day", "%(n)s days", value)
            return text % {"n": figures.number(value, words.language)}
        case Kind.COUNT | Kind.DECIMAL:
            return figures.number(round(value, 2), words.language)
        case _:
            return words.value(FIELDS[trait.name], value)
