"""The catalogue: products as the shop tells them, or as its order lines show them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Count, Max
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from profiles.models import OrderLine
from profiles.models.quality import counted
from recommendations.catalogue_writing import merge
from recommendations.models import Product
from recommendations.titles import cleaned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime


@dataclass(frozen=True)
class ProductFacts:
    """A product as the shop tells it; money in minor units of the shop's currency.

    `price_minor` is what is paid now, `list_price_minor` the price it is reduced from.
    `translations` holds title, description and category by language, e.g. {"zh-hans": {"title": "…"}}.
    """

    product_id: str
    title: str
    category: str = ""
    brand: str = ""
    description: str = ""
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    specs: dict[str, Any] = field(default_factory=dict)
    price_minor: int | None = None
    cost_minor: int | None = None
    list_price_minor: int | None = None
    stock: int | None = None
    availability: str = ""
    gtin: str = ""
    mpn: str = ""
    condition: str = ""
    family: str = ""
    accessory_for: list[str] = field(default_factory=list)
    fits_products: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    image_url: str = ""
    images: list[str] = field(default_factory=list)
    link: str = ""
    is_active: bool = True
    is_consumable: bool = False


TOLD = tuple(one.name for one in fields(ProductFacts) if one.name != "product_id")


class Upserted(NamedTuple):
    n_created: int
    n_updated: int


def upsert(products: Iterable[ProductFacts], *, now: datetime) -> Upserted:
    """Add or change products by id in few statements; of repeated ids the last one counts.

    From then on these products no longer follow the order lines. Titles are cleaned.
    """
    told = {facts.product_id: facts for facts in products}
    done = merge(
        {
            id_: {name: getattr(facts, name) for name in TOLD}
            | {"title": cleaned(facts.title), "from_orders": False}
            for id_, facts in told.items()
        },
        now=now,
    )
    return Upserted(done.n_created, done.n_changed)


def refresh(now: datetime) -> Upserted:
    """Take title, category and price of products from the order lines, tests and programs' left out.

    The title and category most lines carry are taken (one line may say "damaged?"), and the
    latest price above 0. Products that the shop told of itself are left alone.
    """
    told = set(Product.objects.filter(from_orders=False).values_list("product_id", flat=True))
    seen = {id_: facts for id_, facts in _seen() if id_ not in told}
    done = merge(seen, now=now)
    return Upserted(done.n_created, done.n_changed)


def _seen() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the products of the order lines, in the order of their ids."""
    groups = (
        OrderLine.objects.filter(counted("order__"))
        .exclude(product_id="")
        .values_list("product_id", "title", "category", "unit_price_minor")
        .annotate(n=Count("pk"), last=Max("order__placed_at"))
        .order_by()
    )
    titles: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    categories: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    prices: dict[str, tuple[datetime, int]] = {}
    for product, title, category, price, n, last in groups.iterator(20_000):
        titles[product][cleaned(title)] += n
        categories[product][category] += n
        if price > 0:
            prices[product] = max(prices.get(product, (last, price)), (last, price))
    for product in sorted(titles):
        facts = {
            "title": _most_common(titles[product]) or product,
            "category": _most_common(categories[product]),
            "price_minor": prices[product][1] if product in prices else None,
            "from_orders": True,
        }
        yield product, facts


def _most_common(counts: dict[str, int]) -> str:
    """Return the text of most lines, "" only if there is no other; ties by code point."""
    return min(counts, key=lambda text: (not text, -counts[text], text))


def products_of(brand: str) -> Iterable[str]:
    """The ids of a brand's products, as a query that can stand in another."""
    return Product.objects.filter(brand=brand).values_list("product_id", flat=True)


def categories_in(language: str) -> dict[str, str]:
    """What categories are called in that language, by their names in the catalogue."""
    told = Product.objects.exclude(category="").annotate(word=_word("category", language))
    pairs = told.order_by("category", "word").values_list("category", "word").distinct()
    return {category: word for category, word in pairs if word}


def titles_in(language: str, product_ids: Iterable[str]) -> dict[str, str]:
    """What products are called in that language, by their ids; those without a word are missing."""
    told = Product.objects.filter(product_id__in=set(product_ids))
    pairs = told.annotate(word=_word("title", language)).values_list("product_id", "word")
    return {product: word for product, word in pairs if word}


def _word(name: str, language: str) -> KeyTextTransform:
    return KeyTextTransform(name, KeyTransform(language.lower(), "translations"))


def brands_of(product_ids: Iterable[str]) -> dict[str, str]:
    """The brand of each of the products that has one."""
    known = Product.objects.filter(product_id__in=set(product_ids)).exclude(brand="")
    return dict(known.values_list("product_id", "brand"))
