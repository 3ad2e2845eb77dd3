"""What apps above do when facts of this app change; they register in `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django_stubs_ext import StrPromise

    from profiles.models import Customer, ProductFact

AfterImport = Callable[[datetime], object]

_after_import: dict[str, AfterImport] = {}


def after_import(name: str, step: AfterImport) -> None:
    """Have `step(now)` called when an import of orders ended; it must be safe to run twice."""
    _after_import[name] = step


def run_after_import(now: datetime) -> list[str]:
    """Run every registered step in the order of its name and return the names."""
    for name in sorted(_after_import):
        _after_import[name](now)
    return sorted(_after_import)


# Sections of the customer's page ------------------------------------------------------------

Facts = Callable[["Customer", datetime], dict[str, Any]]

_panels: dict[str, tuple[str, Facts]] = {}


def customer_panel(name: str, template: str, facts: Facts) -> None:
    """Show `template`, filled by `facts(customer, now)`, on the page of each customer."""
    _panels[name] = (template, facts)


def customer_panels() -> list[tuple[str, Facts]]:
    """The registered sections in the order of their names."""
    return [_panels[name] for name in sorted(_panels)]


# Who uses a segment --------------------------------------------------------------------------

SegmentUsers = Callable[["Collection[int]"], Iterable[str]]

_segment_users: dict[str, SegmentUsers] = {}


def uses_segments(name: str, users: SegmentUsers) -> None:
    """Keep segments of which `users(segments)` names anything from being deleted."""
    _segment_users[name] = users


def users_of_segments(segments: Collection[int]) -> list[str]:
    """What uses any of these segments, by name."""
    return sorted({user for users in _segment_users.values() for user in users(segments)})


# What stands on the timeline of a customer --------------------------------------------------


@dataclass(frozen=True)
class Told:
    """An entry of the timeline in words of the language that is active."""

    title: str
    detail: str = ""
    url: str = ""


@dataclass(frozen=True)
class TimelineRows:
    """Rows of one kind: whose they are, by which column they stand in time, how each is told."""

    label: StrPromise
    rows: Callable[[Customer], QuerySet[Any]]
    moment: str
    tell: Callable[[Any], Told]


_timeline: dict[str, TimelineRows] = {}


def tell_timeline(kind: str, rows: TimelineRows) -> None:
    """Have these rows told among the others on the timeline of each customer."""
    _timeline[kind] = rows


def timeline() -> dict[str, TimelineRows]:
    """The registered kinds of rows in the order of their names."""
    return dict(sorted(_timeline.items()))


# What the catalogue knows of products -------------------------------------------------------

ProductsOf = Callable[[str], Iterable[str]]
BrandsOf = Callable[[Iterable[str]], Mapping[str, str]]

_brands: list[tuple[ProductsOf, BrandsOf]] = []


def tell_brands(products_of: ProductsOf, brands_of: BrandsOf) -> None:
    """Have one tell the product ids of a brand (a query will do), the other each id's brand."""
    _brands[:] = [(products_of, brands_of)]


def products_of(brand: str) -> Iterable[str]:
    """The ids of a brand's products, to stand in a query; none without a catalogue."""
    return _brands[0][0](brand) if _brands else []


def brands_of(product_ids: Iterable[str]) -> Mapping[str, str]:
    return _brands[0][1](product_ids) if _brands else {}


CategoriesIn = Callable[[str], Mapping[str, str]]
TitlesIn = Callable[[str, Iterable[str]], Mapping[str, str]]

_words: list[tuple[CategoriesIn, TitlesIn]] = []


def tell_words(categories_in: CategoriesIn, titles_in: TitlesIn) -> None:
    """Have one tell what categories are called in a language, the other products by their ids."""
    _words[:] = [(categories_in, titles_in)]


def categories_in(language: str) -> Mapping[str, str]:
    """What the catalogue calls categories in a language; those it has no word for are missing."""
    return _words[0][0](language) if _words else {}


def titles_in(language: str, product_ids: Iterable[str]) -> Mapping[str, str]:
    """What the catalogue calls products in a language; those it has no word for are missing."""
    return _words[0][1](language, product_ids) if _words else {}


# Facts of products --------------------------------------------------------------------------

ProductFacts = Callable[[], "Iterable[ProductFact]"]

_product_facts: list[ProductFacts] = []


def product_facts_from(facts: ProductFacts) -> None:
    """Have traits of brands and devices made with what `facts()` says of each product."""
    _product_facts[:] = [facts]


def product_facts() -> list[ProductFact]:
    """What the registered catalogue says of its products; nothing where there is none."""
    return [fact for facts in _product_facts for fact in facts()]


# Rows of customers who are made one ----------------------------------------------------------

OnMerge = Callable[[int, int], dict[str, list[int]]]

_on_merge: dict[str, OnMerge] = {}


def on_merge(name: str, step: OnMerge) -> None:
    """Have `step(survivor, absorbed)` move rows from one customer to the other, by their keys.

    It returns the keys of what it moved by model label; what it leaves is deleted with the
    absorbed customer. It runs in the merge's transaction.
    """
    _on_merge[name] = step


def run_on_merge(survivor: int, absorbed: int) -> dict[str, list[int]]:
    """Run every registered step in the order of its name and return what was moved."""
    moved: dict[str, list[int]] = {}
    for name in sorted(_on_merge):
        moved |= _on_merge[name](survivor, absorbed)
    return moved
