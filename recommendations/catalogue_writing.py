"""Writing products and offers: only what changes, and a line of history where price or stock does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef

from privacy.models import Shop
from recommendations.models import Offer, Product, ProductChange

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

BATCH: Final = 1_000
KEPT_FOR: Final = timedelta(days=730)
WATCHED: Final = ("price_minor", "list_price_minor", "stock", "availability")
COLUMNS: Final = tuple(
    one.name for one in Product._meta.concrete_fields if one.name not in {"id", "product_id"}
)
OFFERED: Final = tuple(
    one.name for one in Offer._meta.concrete_fields if one.name not in {"id", "product", "country"}
)


class Merged(NamedTuple):
    n_created: int
    n_changed: int
    n_same: int


def merge(
    told: Mapping[str, Mapping[str, Any]], *, now: datetime, adding: Collection[str] = ()
) -> Merged:
    """Set the told columns of products by their ids, and add those that are not there.

    What is not told stays as it is. The members of columns named in `adding` are laid over those
    that are there. Few statements for many products.
    """
    ids = sorted(told)
    parts = [
        _merge({id_: told[id_] for id_ in ids[start : start + BATCH]}, adding, now)
        for start in range(0, len(ids), BATCH)
    ]
    return Merged(*(sum(counts) for counts in zip((0, 0, 0), *parts, strict=True)))


@transaction.atomic
def _merge(told: Mapping[str, Mapping[str, Any]], adding: Collection[str], now: datetime) -> Merged:
    found = Product.objects.select_for_update().filter(product_id__in=list(told))
    there = {product.product_id: product for product in found.order_by("product_id")}
    written: list[Product] = []
    moved: set[str] = set()
    for id_, facts in told.items():
        before = there.get(id_)
        after = {
            name: {**getattr(before, name), **value} if before and name in adding else value
            for name, value in facts.items()
        }
        if before and all(getattr(before, name) == value for name, value in after.items()):
            continue
        row = Product(product_id=id_, title=id_, created_at=now) if before is None else before
        watched = _watched(row)
        for name, value in after.items():
            setattr(row, name, value)
        if _watched(row) != watched:
            moved.add(id_)
        # Without its key: of two keys that are taken SQLite would look at the wrong one.
        written.append(Product(product_id=id_, **{name: getattr(row, name) for name in COLUMNS}))
    columns = {name for facts in told.values() for name in facts}
    Product.objects.bulk_create(
        written,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["product_id"],
        update_fields=sorted(columns),
    )
    _note_products(moved, now)
    n_created = len(told) - len(there)
    return Merged(n_created, len(written) - n_created, len(told) - len(written))


@transaction.atomic
def merge_offers(country: str, told: Mapping[str, Mapping[str, Any]], *, now: datetime) -> set[str]:
    """Set what products cost in a country; return the ids whose offer changed.

    Products that are not there are left out. What is not told stays as it is.
    """
    ids = dict(Product.objects.filter(product_id__in=list(told)).values_list("product_id", "pk"))
    found = Offer.objects.filter(country=country, product__in=list(ids.values()))
    there = {offer.product_id: offer for offer in found}
    written, moved, changed = [], [], set()
    for id_ in sorted(ids):
        before = there.get(ids[id_])
        row = before or Offer(product_id=ids[id_], country=country)
        if before and all(getattr(before, name) == told[id_][name] for name in told[id_]):
            continue
        watched = (_watched(row), row.currency)
        for name, value in told[id_].items():
            setattr(row, name, value)
        fresh = Offer(product_id=ids[id_], country=country, **{n: getattr(row, n) for n in OFFERED})
        written.append(fresh)
        changed.add(id_)
        if (_watched(row), row.currency) != watched:
            moved.append(_change(fresh, ids[id_], fresh.currency, now, country=country))
    Offer.objects.bulk_create(
        written,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["product", "country"],
        update_fields=list(OFFERED),
    )
    ProductChange.objects.bulk_create(moved, batch_size=BATCH)
    return changed


def note(product: Product, *, now: datetime) -> None:
    """Write down price and stock of one product if they differ from what was last written."""
    shop = Shop.current().currency
    history = ProductChange.objects.filter(product=product, country="")
    last = history.order_by("-changed_at", "-pk").first()
    if last is None or (_watched(last), last.currency) != (_watched(product), shop):
        _change(product, product.pk, shop, now).save()


def note_offer(offer: Offer, *, now: datetime) -> None:
    """The same of an offer in a country."""
    history = ProductChange.objects.filter(product=offer.product_id, country=offer.country)
    last = history.order_by("-changed_at", "-pk").first()
    if last is None or (_watched(last), last.currency) != (_watched(offer), offer.currency):
        _change(offer, offer.product_id, offer.currency, now, country=offer.country).save()


def forget_changes(now: datetime, *, kept_for: timedelta = KEPT_FOR) -> int:
    """Delete history older than two years and return how many lines went.

    What held when the kept history begins stays, so that its first day has a price.
    """
    old = ProductChange.objects.filter(changed_at__lt=now - kept_for)
    later = old.filter(
        product=OuterRef("product"), country=OuterRef("country"), pk__gt=OuterRef("pk")
    )
    n_gone = 0
    while pks := list(
        old.filter(Exists(later)).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        n_gone += ProductChange.objects.filter(pk__in=pks).delete()[0]
    return n_gone


def _watched(of: Product | Offer | ProductChange) -> tuple[Any, ...]:
    return tuple(getattr(of, name) for name in WATCHED)


def _note_products(ids: Iterable[str], now: datetime) -> None:
    currency = Shop.current().currency
    moved = Product.objects.filter(product_id__in=sorted(ids)).order_by("pk")
    rows: Iterator[ProductChange] = (
        _change(product, product.pk, currency, now) for product in moved.only("pk", *WATCHED)
    )
    ProductChange.objects.bulk_create(rows, batch_size=BATCH)


def _change(
    of: Product | Offer, product: int, currency: str, now: datetime, *, country: str = ""
) -> ProductChange:
    told = {name: getattr(of, name) for name in WATCHED}
    return ProductChange(
        product_id=product, country=country, currency=currency, changed_at=now, **told
    )
