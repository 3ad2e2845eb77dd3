"""Other trackers' commerce events in the names and properties of Segment's, which we know.

GA4's dataLayer events (`view_item`, …, with `items`) and Shopify's customer events
(`product_viewed`, …, with the payload of its web pixels). What an event carries beside the
properties we read is kept as it came. Pure: knows no database.

Sources: Google Analytics 4 "Recommended events"; Shopify "Web pixels API, standard events".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Facts = dict[str, Any]

GA4: Final = {
    "view_item": "Product Viewed",
    "view_item_list": "Product List Viewed",
    "select_item": "Product Clicked",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "add_to_wishlist": "Product Added to Wishlist",
    "view_cart": "Cart Viewed",
    "begin_checkout": "Checkout Started",
    "add_payment_info": "Payment Info Entered",
    "purchase": "Order Completed",
    "refund": "Order Refunded",
    "search": "Products Searched",
    "view_search_results": "Products Searched",
}
SHOPIFY: Final = {
    "product_viewed": "Product Viewed",
    "collection_viewed": "Product List Viewed",
    "product_added_to_cart": "Product Added",
    "product_removed_from_cart": "Product Removed",
    "cart_viewed": "Cart Viewed",
    "checkout_started": "Checkout Started",
    "payment_info_submitted": "Payment Info Entered",
    "checkout_completed": "Order Completed",
    "search_submitted": "Products Searched",
}
OF_ONE_PRODUCT: Final = frozenset({
    "Product Viewed", "Product Clicked", "Product Added", "Product Removed",
    "Product Added to Wishlist",
})  # fmt: skip
ITEM: Final = {
    "item_id": "product_id",
    "item_name": "name",
    "item_brand": "brand",
    "item_category": "category",
    "item_variant": "variant",
}


def known(name: str, properties: Facts) -> tuple[str, Facts]:
    """Return the event's name and properties as we know them; most are returned as they are."""
    if name in GA4 and _is_ga4(properties):
        return GA4[name], _from_ga4(GA4[name], properties)
    if name in SHOPIFY and _is_shopify(properties):
        return SHOPIFY[name], _from_shopify(SHOPIFY[name], properties)
    return name, properties


def _is_ga4(properties: Facts) -> bool:
    return isinstance(properties.get("items"), list) or "search_term" in properties


def _from_ga4(name: str, properties: Facts) -> Facts:
    facts = {key: value for key, value in properties.items() if key != "items"}
    products = [_ga4_item(item) for item in properties.get("items") or [] if _is_node(item)]
    renamed = {"transaction_id": "order_id", "search_term": "query", "item_list_id": "list_id"}
    for theirs, ours in renamed.items():
        if theirs in facts:
            facts[ours] = facts.pop(theirs)
    if "value" in facts and name in {"Order Completed", "Order Refunded"}:
        facts["total"] = facts.pop("value")
    return _with_products(name, facts, products)


def _ga4_item(item: Facts) -> Facts:
    return {ITEM.get(key, key): value for key, value in item.items()}


def _is_shopify(properties: Facts) -> bool:
    return bool({"productVariant", "cartLine", "cart", "checkout", "collection", "searchResult"}
                & properties.keys())  # fmt: skip


def _from_shopify(name: str, properties: Facts) -> Facts:
    facts, products = _shopify_facts(properties)
    return _with_products(name, facts, products)


def _shopify_facts(properties: Facts) -> tuple[Facts, list[Facts]]:
    for part, read in SHOPIFY_PARTS.items():
        if isinstance(node := properties.get(part), dict):
            return read(node)
    return {}, []


def _of_variant(variant: Facts) -> tuple[Facts, list[Facts]]:
    return {}, [_product(variant, quantity=None)]


def _of_line(line: Facts) -> tuple[Facts, list[Facts]]:
    return {}, [_product(_node(line, "merchandise"), quantity=line.get("quantity"))]


def _of_cart(cart: Facts) -> tuple[Facts, list[Facts]]:
    lines = [line for line in cart.get("lines") or [] if _is_node(line)]
    facts = {"cart_id": cart.get("id")}
    return _told(facts), [product for line in lines for product in _of_line(line)[1]]


def _of_checkout(checkout: Facts) -> tuple[Facts, list[Facts]]:
    facts = {
        "order_id": _node(checkout, "order").get("id"),
        "checkout_id": checkout.get("token"),
        "currency": checkout.get("currencyCode"),
        "total": _node(checkout, "totalPrice").get("amount"),
        "tax": _node(checkout, "totalTax").get("amount"),
        "shipping": _node(_node(checkout, "shippingLine"), "price").get("amount"),
    }
    lines = [line for line in checkout.get("lineItems") or [] if _is_node(line)]
    return _told(facts), [
        _product(_node(line, "variant"), quantity=line.get("quantity")) for line in lines
    ]


def _of_collection(collection: Facts) -> tuple[Facts, list[Facts]]:
    variants = [one for one in collection.get("productVariants") or [] if _is_node(one)]
    facts = {"list_id": collection.get("id"), "category": collection.get("title")}
    return _told(facts), [_product(one, quantity=None) for one in variants]


def _of_search(result: Facts) -> tuple[Facts, list[Facts]]:
    return _told({"query": result.get("query")}), []


SHOPIFY_PARTS: Final[Mapping[str, Callable[[Facts], tuple[Facts, list[Facts]]]]] = {
    "productVariant": _of_variant,
    "cartLine": _of_line,
    "cart": _of_cart,
    "checkout": _of_checkout,
    "collection": _of_collection,
    "searchResult": _of_search,
}


def _product(variant: Facts, *, quantity: Any) -> Facts:
    product = _node(variant, "product")
    price = _node(variant, "price")
    return _told({
        "product_id": product.get("id") or variant.get("id"),
        "variant": variant.get("id"),
        "sku": variant.get("sku"),
        "name": product.get("title") or variant.get("title"),
        "brand": product.get("vendor"),
        "category": product.get("type"),
        "price": price.get("amount"),
        "currency": price.get("currencyCode"),
        "quantity": quantity,
    })  # fmt: skip


def _with_products(name: str, facts: Facts, products: list[Facts]) -> Facts:
    if name in OF_ONE_PRODUCT and products:
        return products[0] | facts
    return facts | {"products": products} if products else facts


def _node(node: Facts, name: str) -> Facts:
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def _is_node(value: Any) -> bool:
    return isinstance(value, dict)


def _told(facts: Facts) -> Facts:
    return {name: value for name, value in facts.items() if value is not None and value != ""}
