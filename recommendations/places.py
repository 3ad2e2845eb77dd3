"""Places of stored lists by the catalogue's keys: summed and cut before a product is looked up.

A visitor's twenty products have a thousand neighbours, of which ten are shown; only the best
are read from the catalogue.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import nlargest
from typing import Final, NamedTuple

from django.db.models import Q

from profiles.models import Customer
from recommendations import explaining, lists
from recommendations.explaining import Reason
from recommendations.models import CustomerListing, Product, ProductListing, TrainingRun

LOOKED: Final = lists.NUMBER_OF[Reason.LOOKED.value]
TOLD: Final = (
    "pk", "product_id", "title", "category", "price_minor", "image_url", "link", "translations",
    "is_active", "is_consumable",
)  # fmt: skip


class Place(NamedTuple):
    """A product by its key; `reason` is a number, `bases` are keys or ids of products."""

    key: int
    score: float
    reason: int
    bases: tuple[int | str, ...]


class Told(NamedTuple):
    """A product of the catalogue as it is shown."""

    pk: int
    product_id: str
    title: str
    category: str
    price_minor: int | None
    image_url: str
    link: str
    translations: dict[str, dict[str, str]]
    is_active: bool
    is_consumable: bool

    def title_in(self, language: str) -> str:
        if not self.translations:
            return self.title
        return str(self.translations.get(language.lower(), {}).get("title") or self.title)


Shelf = Mapping[int | str, Told]


def of_customers(run: TrainingRun | None, pks: Collection[int]) -> dict[int, list[Place]]:
    if run is None or not pks:
        return {}
    rows = CustomerListing.objects.filter(run=run, customer_id__in=pks)
    return {pk: _read(*row) for pk, *row in rows.values_list("customer_id", *lists.COLUMNS)}


def of_customer(run: TrainingRun | None, pk: int) -> list[Place]:
    """A customer's own list, empty for whoever refuses profiling; one query."""
    if run is None:
        return []
    allowed = Customer.objects.for_purpose("recommend").filter(pk=pk).values("pk")
    row = CustomerListing.objects.filter(run=run, customer__in=allowed)
    found = row.values_list(*lists.COLUMNS).first()
    return _read(*found) if found else []


def near(run: TrainingRun | None, product_id: str) -> list[Place]:
    """What is bought with a product."""
    if run is None:
        return []
    row = ProductListing.objects.filter(run=run, product_id=product_id)
    found = row.values_list(*lists.COLUMNS).first()
    return _read(*found) if found else []


def popular() -> list[Place]:
    """What was popular when a training last finished, whichever run serves."""
    newest = ProductListing.objects.filter(product_id="").order_by("-run__created_at", "-run_id")
    row = newest.values_list(*lists.COLUMNS).first()
    return _read(*row) if row else []


def moved(
    own: Sequence[Place], run: TrainingRun | None, looked: Sequence[str], n: int
) -> list[Place]:
    """Return the `n` best of an own list and the neighbours of what was looked at, summed.

    The greatest part of a score gives the reason.
    """
    total = {place.key: place.score for place in own}
    main = {place.key: place for place in own}
    if run is not None and looked:
        most: dict[int, tuple[float, str]] = {}
        rows = ProductListing.objects.filter(run=run, product_id__in=looked)
        told = sorted(rows.values_list("product_id", "products", "scores"))
        for product, keys, scores in told:
            for key, score in zip(keys, scores, strict=True):
                total[key] = total.get(key, 0) + score
                if key not in most or score > most[key][0]:
                    most[key] = score, product
        for key, (score, product) in most.items():
            if key not in main or score > main[key].score:
                main[key] = Place(key, score, LOOKED, (product,))
    best = nlargest(n, total, key=lambda key: (total[key], -key))
    return [main[key]._replace(score=total[key]) for key in best]


def shelf_of(places: Iterable[Place]) -> Shelf:
    """Return the products of places, and of what these are based on, by key and by id."""
    wanted = {one for place in places for one in (place.key, *place.bases)} - {0}
    keys = [one for one in wanted if isinstance(one, int)]
    ids = [one for one in wanted if isinstance(one, str)]
    which = Q(pk__in=keys) | Q(product_id__in=ids) if ids else Q(pk__in=keys)
    shelf: dict[int | str, Told] = {}
    for row in Product.objects.filter(which).values_list(*TOLD) if wanted else ():
        told = Told(*row)
        shelf[told.pk] = shelf[told.product_id] = told
    return shelf


def words(place: Place, shelf: Shelf, language: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the reason's code, its words in the active language, and the ids it is based on."""
    bases = [shelf[one] for one in place.bases if one in shelf]
    code = lists.REASONS[place.reason].value
    titles = [base.title_in(language) for base in bases]
    return code, explaining.words(code, titles), tuple(base.product_id for base in bases)


def _read(
    products: Sequence[int], scores: Sequence[float], reasons: Sequence[int], bases: Sequence[int]
) -> list[Place]:
    width = lists.N_BASES
    return [
        Place(key, scores[at], reasons[at], tuple(bases[at * width : (at + 1) * width]))
        for at, key in enumerate(products)
    ]
