"""Serving: stored lists and neighbours to products with reasons; always a full strip.

The number of queries does not depend on the number of customers. Nothing numeric is
imported: what a visitor needs is in the lists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import translation

from profiles.models import Customer, OrderLine
from recommendations import explaining, lists, places
from recommendations.explaining import Reason
from recommendations.lists import Entry
from recommendations.models import CustomerListing, Product, ProductListing, TrainingRun
from recommendations.places import Place

N_RECENT = 20
SPARE, SPARE_POPULAR = 20, 50


@dataclass(frozen=True)
class Recommended:
    """A product to show and why; money in minor units of `currency`, the shop's if it is empty."""

    product_id: str
    title: str
    category: str
    price_minor: int | None
    image_url: str
    link: str
    score: float
    reason_code: str
    reason_text: str
    based_on: tuple[str, ...]
    currency: str = ""


@dataclass(frozen=True)
class Served:
    """What is shown; `fallback` says that popular products fill at least one place."""

    items: list[Recommended]
    fallback: bool
    run: TrainingRun | None


def for_customers(
    customer_pks: Iterable[int], *, n: int, language: str
) -> dict[int, list[Recommended]]:
    """Return `n` products for each customer, e.g. for the messages of a batch.

    Customers without a list of their own, and those who refuse profiling, get what is
    popular. Meant for up to some thousand customers a call.
    """
    served = for_many(customer_pks, n=n, language=language)
    return {pk: one.items for pk, one in served.items()}


def for_many(customer_pks: Iterable[int], *, n: int, language: str) -> dict[int, Served]:
    """Return the same with what fills each list; 0 is somebody nobody knows."""
    run = TrainingRun.objects.at_work()
    pks = list(customer_pks)
    allowed = may_profile(pks)
    own = places.of_customers(run, allowed)
    served = _serve({pk: own.get(pk, []) for pk in pks}, allowed, n=n, language=language)
    return {pk: Served(items, fallback, run) for pk, (items, fallback) in served.items()}


def for_customer(
    customer_pk: int | None,
    *,
    n: int,
    language: str,
    recent_product_ids: Sequence[str] = (),
) -> Served:
    """Return `n` products for a customer, or for a visitor nobody knows.

    `recent_product_ids` (newest first, 20 count) are what the visitor just looked at: the
    neighbours of each add to the scores, so a new visitor gets a personal list after the
    first event. They are ignored for a customer who refuses profiling.
    """
    run = TrainingRun.objects.at_work()
    key, looked = customer_pk or 0, list(dict.fromkeys(recent_product_ids))[:N_RECENT]
    ranked: list[Place] = []
    allowed: set[int] = set()
    if customer_pk is not None:
        ranked = places.of_customer(run, customer_pk)
        # Who has a list to be shown may be profiled; of others it is asked.
        allowed = {customer_pk} if ranked else may_profile([customer_pk])
    if looked and (customer_pk is None or allowed):
        ranked = places.moved(ranked, run, looked, n + N_RECENT + SPARE)
    else:
        looked = []
    served = _serve({key: ranked}, allowed, n=n, language=language, without=looked)
    return Served(*served[key], run)


def of_customer(customer: Customer, _now: datetime) -> dict[str, Any]:
    """Return what the customer's page shows: five products in the reader's language."""
    language = translation.get_language() or "en"
    return {"served": for_customer(customer.pk, n=5, language=language)}


def similar(product_id: str, *, n: int, language: str) -> Served:
    """Return `n` products that are often bought together with one."""
    run = TrainingRun.objects.at_work()
    near = {0: places.near(run, product_id)}
    served = _serve(near, (), n=n, language=language, without={product_id})
    return Served(*served[0], run)


def may_profile(pks: Sequence[int]) -> set[int]:
    if not pks:
        return set()
    allowed = Customer.objects.for_purpose("recommend").filter(pk__in=pks)
    return set(allowed.values_list("pk", flat=True))


def own_lists(run: TrainingRun | None, pks: Collection[int]) -> dict[int, list[Entry]]:
    if run is None or not pks:
        return {}
    there = CustomerListing.objects.filter(run=run, customer_id__in=pks)
    rows = list(there.values_list("customer_id", *lists.COLUMNS))
    found = lists.read([row[1:] for row in rows])
    return {row[0]: entries for row, entries in zip(rows, found, strict=True)}


def neighbours(
    run: TrainingRun | None, product_ids: Sequence[str], *, reason: str = Reason.LOOKED.value
) -> list[Entry]:
    found = neighbours_of(run, product_ids)
    return [entry._replace(reason=str(reason)) for id_ in sorted(found) for entry in found[id_]]


def neighbours_of(run: TrainingRun | None, product_ids: Collection[str]) -> dict[str, list[Entry]]:
    """Return what is bought with each of the products."""
    if run is None or not product_ids:
        return {}
    there = ProductListing.objects.filter(run=run, product_id__in=product_ids)
    rows = list(there.values_list("product_id", *lists.COLUMNS))
    found = lists.read([row[1:] for row in rows])
    return {row[0]: entries for row, entries in zip(rows, found, strict=True)}


def popular_entries() -> list[Entry]:
    """Return what was popular when a training last finished, whichever run serves."""
    newest = ProductListing.objects.filter(product_id="").order_by("-run__created_at", "-run_id")
    row = newest.values_list(*lists.COLUMNS).first()
    return lists.read([row])[0] if row else []


def summed(entries: Iterable[Entry], *, without: Collection[str]) -> list[Entry]:
    """Add up the scores of each product; the greatest part gives the reason. Best first."""
    total: dict[str, float] = {}
    main: dict[str, Entry] = {}
    for entry in entries:
        if entry.product_id in without:
            continue
        total[entry.product_id] = total.get(entry.product_id, 0) + entry.score
        if entry.score > main.setdefault(entry.product_id, entry).score:
            main[entry.product_id] = entry
    order = sorted(total, key=lambda product: (-total[product], product))
    return [main[product]._replace(score=total[product]) for product in order]


def _serve(
    ranked: dict[int, list[Place]],
    allowed: Collection[int],
    *,
    n: int,
    language: str,
    without: Collection[str] = (),
) -> dict[int, tuple[list[Recommended], bool]]:
    """Fill each list up to `n` with what is popular and dress its places as products.

    What is popular is read only if a list falls short.
    """
    shelf = dict(places.shelf_of(place for listed in ranked.values() for place in listed))
    owned = _owned(shelf, allowed)
    first = {
        pk: _shown(listed, shelf, owned.get(pk, set()) | set(without))[:n]
        for pk, listed in ranked.items()
    }
    filling: list[Place] = []
    if any(len(shown) < n for shown in first.values()):
        filling = places.popular()[: n + SPARE_POPULAR]
        shelf |= (more := places.shelf_of(filling))
        for pk, had in _owned(more, allowed).items():
            owned.setdefault(pk, set()).update(had)
    served = {}
    with translation.override(language):
        for pk, shown in first.items():
            hidden = {shelf[place.key].product_id for place in shown} | set(without)
            hidden |= owned.get(pk, set())
            more_of_it = _shown(filling, shelf, hidden)[: n - len(shown)]
            items = [_dressed(place, shelf, language) for place in (*shown, *more_of_it)]
            served[pk] = (items, len(shown) < n)
    return served


def on_shelf(entries: Iterable[Entry], *more_columns: str) -> dict[str, Product]:
    """Return the products of the entries and of what these are based on, by id."""
    ids = {id_ for entry in entries for id_ in (entry.product_id, *entry.based_on)}
    columns = ("product_id", "title", "category", "price_minor", "image_url", "link")
    shown = ("translations", "is_active", "is_consumable")
    products = Product.objects.filter(product_id__in=ids).only(*columns, *shown, *more_columns)
    return {product.product_id: product for product in products}


def _owned(shelf: places.Shelf, customers: Collection[int]) -> dict[int, set[str]]:
    """Return which of the products each customer has and does not buy again."""
    once = {told.product_id for told in shelf.values() if not told.is_consumable}
    owned: dict[int, set[str]] = {}
    if not customers or not once:
        return owned
    bought = OrderLine.objects.countable().filter(
        order__customer_id__in=customers,
        product_id__in=once,
        quantity__gt=F("refunded_quantity"),
    )
    for customer, product in bought.values_list("order__customer_id", "product_id").distinct():
        owned.setdefault(customer or 0, set()).add(product)
    return owned


def _shown(listed: Sequence[Place], shelf: places.Shelf, hidden: Collection[str]) -> list[Place]:
    return [
        place
        for place in listed
        if place.key in shelf
        and shelf[place.key].is_active
        and shelf[place.key].product_id not in hidden
    ]


def _dressed(place: Place, shelf: places.Shelf, language: str) -> Recommended:
    product = shelf[place.key]
    reason_code, reason_text, based_on = places.words(place, shelf, language)
    return Recommended(
        product_id=product.product_id,
        title=product.title_in(language),
        category=product.category,
        price_minor=product.price_minor,
        image_url=product.image_url,
        link=product.link,
        score=place.score,
        reason_code=reason_code,
        reason_text=reason_text,
        based_on=based_on,
    )


def dressed(entry: Entry, shelf: dict[str, Product], language: str) -> Recommended:
    product = shelf[entry.product_id]
    bases = [shelf[id_].title_in(language) for id_ in entry.based_on if id_ in shelf]
    return Recommended(
        product_id=product.product_id,
        title=product.title_in(language),
        category=product.category,
        price_minor=product.price_minor,
        image_url=product.image_url,
        link=product.link,
        score=entry.score,
        reason_code=entry.reason,
        reason_text=explaining.words(entry.reason, bases),
        based_on=entry.based_on,
    )
