"""What traits and owned devices need to know of the catalogue's products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from profiles.models import ProductFact
from recommendations.models import Product

WARRANTY = "warranty_months"  # the specification that tells it, in whole months
MOST_MONTHS = 600


def of_catalogue() -> Iterator[ProductFact]:
    """Yield the facts of every product.

    A device to own is a product the shop's catalogue describes and that is not bought again
    and again; of what is known from order lines alone nobody has said what it is.
    """
    columns = ("product_id", "title", "category", "brand", "specs", "is_consumable", "from_orders")
    for row in Product.objects.order_by("pk").values(*columns).iterator():
        yield ProductFact(
            product_id=row["product_id"],
            title=row["title"],
            category=row["category"],
            brand=row["brand"],
            is_device=not row["is_consumable"] and not row["from_orders"],
            warranty_months=_months(row["specs"]),
        )


def _months(specs: Any) -> int | None:
    months = specs.get(WARRANTY) if isinstance(specs, dict) else None
    if isinstance(months, bool) or not isinstance(months, int):
        return None
    return months if 0 < months <= MOST_MONTHS else None
