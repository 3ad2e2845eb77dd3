"""The catalogue as a Merchant feed: of the shop, or of a country and in a language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from privacy.models import Shop
from profiles.money import exponent, from_minor
from recommendations.models import Availability, Offer, Product

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH: Final = 1_000
COLUMNS: Final = (
    "id", "title", "description", "link", "image_link", "additional_image_link", "availability",
    "price", "sale_price", "brand", "gtin", "mpn", "condition", "product_type", "item_group_id",
    "quantity", "accessory_for", "fits_products", "tags", "bought_again", "product_detail",
)  # fmt: skip
HEAD: Final = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">
<channel>
<title>{title}</title>
"""
TAIL: Final = "</channel>\n</rss>\n"

Values = Mapping[str, list[str]]


def tsv(*, country: str = "", language: str = "") -> Iterator[str]:
    """Yield the lines of a table with tabs; no cell holds a tab or a line end."""
    yield "\t".join(COLUMNS) + "\n"
    for values in _products(country, language):
        cells = (",".join(values.get(name, [])) for name in COLUMNS)
        yield "\t".join(map(_cell, cells)) + "\n"


def rss(*, country: str = "", language: str = "") -> Iterator[str]:
    """Yield the parts of an RSS 2.0 document, an item each."""
    yield HEAD.format(title=_text(Shop.current().name))
    for values in _products(country, language):
        yield f"<item>{''.join(_elements(values))}</item>\n"
    yield TAIL


def _cell(value: str) -> str:
    plain = " ".join(value.split())
    # Only what begins and ends with a quote is read as quoted.
    is_quoted = len(plain) > 1 and plain.startswith('"') and plain.endswith('"')
    return '"' + plain.replace('"', '""') + '"' if is_quoted else plain


def _elements(values: Values) -> Iterator[str]:
    for name, several in values.items():
        for value in several:
            if name == "product_detail":
                _section, spec, told = value.split(":", 2)
                parts = {"section_name": "", "attribute_name": spec, "attribute_value": told}
                inside = "".join(
                    f"<g:{part}>{_text(one)}</g:{part}>" for part, one in parts.items()
                )
            else:
                inside = _text(value)
            yield f"<g:{name}>{inside}</g:{name}>"


def _text(value: str) -> str:
    """Escaped, without what XML cannot hold."""
    return escape("".join(sign if sign >= " " or sign in "\t\n" else " " for sign in value))


def _products(country: str, language: str) -> Iterator[Values]:
    """The products on sale that the shop told of, oldest first; of a country those offered there."""
    currency = Shop.current().currency
    sold = Product.objects.filter(is_active=True, from_orders=False)
    if country:
        sold = sold.filter(offers__country=country)
    last = 0
    while batch := list(sold.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        offers: dict[int, Offer] = {}
        if country:
            found = Offer.objects.filter(country=country, product__in=batch)
            offers = {offer.product_id: offer for offer in found}
        for product in batch:
            offer = offers.get(product.pk)
            yield _values(product, offer, offer.currency if offer else currency, language)


def _values(product: Product, offer: Offer | None, currency: str, language: str) -> Values:
    sold = offer or product
    price, reduced = sold.price_minor, None
    if sold.list_price_minor is not None:
        price, reduced = sold.list_price_minor, sold.price_minor
    texts = product.translations.get(language, {}) if language else {}
    told: dict[str, Sequence[str]] = {
        "id": [product.product_id],
        "title": [product.title_in(language)],
        "description": [str(texts.get("description") or product.description)],
        "link": [(offer and offer.link) or product.link],
        "image_link": [product.image_url],
        "additional_image_link": product.images,
        "availability": [_availability(sold)],
        "price": [_amount(price, currency)],
        "sale_price": [_amount(reduced, currency)],
        "brand": [product.brand],
        "gtin": [product.gtin],
        "mpn": [product.mpn],
        "condition": [product.condition],
        "product_type": [product.category],
        "item_group_id": [product.family],
        "quantity": ["" if sold.stock is None else str(sold.stock)],
        "accessory_for": product.accessory_for,
        "fits_products": product.fits_products,
        "tags": product.tags,
        "bought_again": ["yes" if product.is_consumable else ""],
        "product_detail": [f":{name}:{_spec(value)}" for name, value in product.specs.items()],
    }
    return {name: [one for one in values if one] for name, values in told.items()}


def _availability(sold: Product | Offer) -> str:
    if sold.availability:
        return sold.availability
    return Availability.OUT_OF_STOCK if sold.stock == 0 else Availability.IN_STOCK


def _amount(minor: int | None, currency: str) -> str:
    if minor is None:
        return ""
    return f"{from_minor(minor, currency):.{exponent(currency)}f} {currency}"


def _spec(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
