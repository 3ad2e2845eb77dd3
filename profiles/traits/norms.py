"""What traits are measured against: facts of products, and what is usual in a category."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Sum

from profiles import changes, registry
from profiles.models import CategoryNorm, OrderLine, ProductFact
from profiles.traits.sources import devices
from profiles.traits.sources.dialect import DIALECTS

WRITTEN_AT_ONCE = 2_000
APART_DAYS = 30
ENOUGH_REPLACED = 20  # below it a category has no usual gap yet
COMPARED = ("title", "category", "brand", "is_device", "warranty_months")


def refresh_facts() -> int:
    """Copy what the catalogue says of products; marks the buyers of those that changed."""
    known = {fact.product_id: fact for fact in ProductFact.objects.all()}
    told = {fact.product_id: fact for fact in registry.product_facts()}
    changed = [
        fact for key, fact in told.items() if key not in known or _told(fact) != _told(known[key])
    ]
    gone = list(known.keys() - told.keys())
    ProductFact.objects.bulk_create(
        changed,
        batch_size=WRITTEN_AT_ONCE,
        update_conflicts=True,
        unique_fields=["product_id"],
        update_fields=COMPARED,
    )
    for keys in _some([*gone, *(fact.product_id for fact in changed)]):
        buyers = OrderLine.objects.filter(product_id__in=keys, order__customer__isnull=False)
        changes.mark(set(buyers.values_list("order__customer", flat=True)))
    for keys in _some(gone):
        ProductFact.objects.filter(pk__in=keys).delete()
    return len(changed) + len(gone)


def _told(fact: ProductFact) -> tuple[Any, ...]:
    return tuple(getattr(fact, name) for name in COMPARED)


def _some(keys: list[str]) -> list[list[str]]:
    return [keys[n : n + WRITTEN_AT_ONCE] for n in range(0, len(keys), WRITTEN_AT_ONCE)]


def refresh_norms(as_of: datetime, currency: str) -> int:
    """Compute every category's norm from all orders before `as_of`; returns how many there are."""
    sold = OrderLine.objects.countable().filter(
        order__placed_at__lt=as_of, order__currency=currency, quantity__gt=0, category__gt=""
    )
    replaced = _replaced(as_of)
    by_category = sold.values("category").annotate(money=Sum("total_minor"), n=Sum("quantity"))
    norms = [
        CategoryNorm(
            category=row["category"],
            price_minor=row["money"] // row["n"],
            **replaced.get(row["category"], {}),
        )
        for row in by_category
    ]
    CategoryNorm.objects.all().delete()
    CategoryNorm.objects.bulk_create(norms, batch_size=WRITTEN_AT_ONCE)
    return len(norms)


def _replaced(as_of: datetime) -> dict[str, dict[str, int]]:
    """The median days until a device of a category is replaced, where enough were."""
    values = {
        "as_of": connection.ops.adapt_datetimefield_value(as_of),
        "apart": APART_DAYS,
    }
    with connection.cursor() as cursor:
        cursor.execute(devices.replacements(DIALECTS[connection.vendor]), values)
        return {
            category: {"replaced_days": days, "n_replaced": n}
            for category, days, n in cursor.fetchall()
            if n >= ENOUGH_REPLACED
        }
