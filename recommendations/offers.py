"""What products cost in a country, whether they are to be had there, and where."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from django.db.models import Q

from recommendations.models import Availability, Offer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from recommendations.models import Product
    from recommendations.serving import Recommended


def stock(products: Iterable[Product], country: str) -> None:
    """Let products have the stock they have in a country; without an offer there, their own.

    Nothing is saved. Prices stay the shop's, so that rules compare amounts of one currency.
    """
    by_key = {product.pk: product for product in products}
    if not country or not by_key:
        return
    for offer in Offer.objects.filter(country=country, product__in=list(by_key)):
        product = by_key[offer.product_id]
        if offer.availability or offer.stock is not None:
            product.availability, product.stock = offer.availability, offer.stock


def with_own_stock(countries: Iterable[str]) -> set[str]:
    """Return those of the countries for which the shop told what is to be had there."""
    told = Offer.objects.filter(country__in=set(countries) - {""})
    told = told.filter(~Q(availability="") | Q(stock__isnull=False))
    return set(told.order_by().values_list("country", flat=True).distinct())


def priced(items: Sequence[Recommended], country: str) -> list[Recommended]:
    """The items with the price and the link of a country, where the shop told any."""
    return priced_each({0: items}, {0: country})[0]


def priced_each(
    lists: Mapping[int, Sequence[Recommended]], country_of: Mapping[int, str]
) -> dict[int, list[Recommended]]:
    """The same for lists that are of a country each; one query for all of them."""
    countries = {country for at in lists if (country := country_of.get(at))}
    ids = {item.product_id for at, items in lists.items() if country_of.get(at) for item in items}
    if not countries or not ids:
        return {at: list(items) for at, items in lists.items()}
    rows = Offer.objects.filter(country__in=countries, product__product_id__in=ids)
    there = {
        (offer.country, offer.product.product_id): offer for offer in rows.select_related("product")
    }
    return {
        at: [
            _priced(item, offer)
            if (offer := there.get((country_of.get(at, ""), item.product_id)))
            else item
            for item in items
        ]
        for at, items in lists.items()
    }


def _priced(item: Recommended, offer: Offer) -> Recommended:
    told = replace(item, link=offer.link or item.link)
    if offer.price_minor is None:
        return told
    return replace(told, price_minor=offer.price_minor, currency=offer.currency)


def is_out(product: Product) -> bool:
    return product.stock == 0 or product.availability == Availability.OUT_OF_STOCK
