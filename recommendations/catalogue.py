"""The catalogue: products as the shop tells them, or as its order lines show them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Count, Max

from profiles.models import OrderLine
from recommendations.models import Product
from recommendations.titles import cleaned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

BATCH = 1_000


@dataclass(frozen=True)
class ProductFacts:
    """A product as the shop tells it; money in minor units of the shop's currency.

    `translations` holds title and description by language, e.g. {"zh-hans": {"title": "…"}}.
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
    stock: int | None = None
    family: str = ""
    accessory_for: list[str] = field(default_factory=list)
    image_url: str = ""
    link: str = ""
    is_active: bool = True
    is_consumable: bool = False


TOLD = tuple(one.name for one in fields(ProductFacts) if one.name != "product_id")
SEEN = ("title", "category", "price_minor")


class Upserted(NamedTuple):
    n_created: int
    n_updated: int


def upsert(products: Iterable[ProductFacts], *, now: datetime) -> Upserted:
    """Add or change products by id in few statements; of repeated ids the last one counts.

    From then on these products no longer follow the order lines. Titles are cleaned.
    """
    told = {facts.product_id: facts for facts in products}
    rows = [
        Product(
            **{name: getattr(facts, name) for name in ("product_id", *TOLD) if name != "title"},
            title=cleaned(facts.title),
            from_orders=False,
            created_at=now,
        )
        for _, facts in sorted(told.items())
    ]
    return _write(rows, (*TOLD, "from_orders"))


def refresh(now: datetime) -> Upserted:
    """Take title, category and price of products from the order lines.

    The title and category most lines carry are taken (one line may say "damaged?"), and the
    latest price above 0. Products that the shop told of itself are left alone.
    """
    told = set(Product.objects.filter(from_orders=False).values_list("product_id", flat=True))
    rows = [product for product in _seen(now) if product.product_id not in told]
    there = {
        product.product_id: tuple(getattr(product, name) for name in SEEN)
        for product in Product.objects.filter(from_orders=True).only("product_id", *SEEN)
    }
    changed = [
        row
        for row in rows
        if there.get(row.product_id) != tuple(getattr(row, name) for name in SEEN)
    ]
    return _write(changed, SEEN)


def _seen(now: datetime) -> Iterator[Product]:
    """Yield the products of the order lines, in the order of their ids."""
    groups = (
        OrderLine.objects.exclude(product_id="")
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
        yield Product(
            product_id=product,
            title=_most_common(titles[product]) or product,
            category=_most_common(categories[product]),
            price_minor=prices[product][1] if product in prices else None,
            from_orders=True,
            created_at=now,
        )


def _most_common(counts: dict[str, int]) -> str:
    """Return the text of most lines, "" only if there is no other; ties by code point."""
    return min(counts, key=lambda text: (not text, -counts[text], text))


def _write(rows: list[Product], columns: Iterable[str]) -> Upserted:
    ids = [row.product_id for row in rows]
    n_updated = Product.objects.filter(product_id__in=ids).count() if ids else 0
    Product.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["product_id"],
        update_fields=list(columns),
    )
    return Upserted(len(rows) - n_updated, n_updated)


def products_of(brand: str) -> Iterable[str]:
    """The ids of a brand's products, as a query that can stand in another."""
    return Product.objects.filter(brand=brand).values_list("product_id", flat=True)


def brands_of(product_ids: Iterable[str]) -> dict[str, str]:
    """The brand of each of the products that has one."""
    known = Product.objects.filter(product_id__in=set(product_ids)).exclude(brand="")
    return dict(known.values_list("product_id", "brand"))
