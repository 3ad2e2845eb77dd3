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
from recommendations import explaining, lists
from recommendations.explaining import Reason
from recommendations.lists import Entry
from recommendations.models import CustomerListing, Product, ProductListing, TrainingRun

N_RECENT = 20
SPARE_POPULAR = 50


@dataclass(frozen=True)
class Recommended:
    """A product to show and why; money in minor units of the shop's currency."""

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
    run = TrainingRun.objects.active()
    pks = list(customer_pks)
    allowed = may_profile(pks)
    own = own_lists(run, allowed)
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
    run = TrainingRun.objects.active()
    allowed = may_profile([] if customer_pk is None else [customer_pk])
    entries: list[Entry] = []
    if customer_pk is None or customer_pk in allowed:
        recent = list(dict.fromkeys(recent_product_ids))[:N_RECENT]
        stored = own_lists(run, allowed).get(customer_pk or 0, [])
        entries = summed([*stored, *neighbours(run, recent)], without=recent)
    key = customer_pk or 0
    items, fallback = _serve({key: entries}, allowed, n=n, language=language)[key]
    return Served(items, fallback, run)


def of_customer(customer: Customer, _now: datetime) -> dict[str, Any]:
    """Return what the customer's page shows: five products in the reader's language."""
    language = translation.get_language() or "en"
    return {"served": for_customer(customer.pk, n=5, language=language)}


def similar(product_id: str, *, n: int, language: str) -> Served:
    """Return `n` products that are often bought together with one."""
    run = TrainingRun.objects.active()
    entries = neighbours(run, [product_id], reason=Reason.TOGETHER)
    items, fallback = _serve({0: entries}, (), n=n, language=language, without=product_id)[0]
    return Served(items, fallback, run)


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
    own: dict[int, list[Entry]],
    allowed: Collection[int],
    *,
    n: int,
    language: str,
    without: str = "",
) -> dict[int, tuple[list[Recommended], bool]]:
    """Fill each list up to `n` with what is popular and dress its entries as products."""
    popular = popular_entries()[: n + SPARE_POPULAR]
    everything = [*popular, *(entry for entries in own.values() for entry in entries)]
    shelf = on_shelf(everything)
    owned = _owned({entry.product_id for entry in everything}, allowed, shelf)
    served = {}
    with translation.override(language):
        for pk, entries in own.items():
            hidden = owned.get(pk, set()) | {without}
            first = _shown(entries, shelf, hidden)[:n]
            shown = {entry.product_id for entry in first}
            filling = _shown(popular, shelf, hidden | shown)[: n - len(first)]
            items = [dressed(entry, shelf, language) for entry in (*first, *filling)]
            served[pk] = (items, len(first) < n)
    return served


def on_shelf(entries: Iterable[Entry], *more_columns: str) -> dict[str, Product]:
    """Return the products of the entries and of what these are based on, by id."""
    ids = {id_ for entry in entries for id_ in (entry.product_id, *entry.based_on)}
    columns = ("product_id", "title", "category", "price_minor", "image_url", "link")
    shown = ("translations", "is_active", "is_consumable")
    products = Product.objects.filter(product_id__in=ids).only(*columns, *shown, *more_columns)
    return {product.product_id: product for product in products}


def _owned(
    product_ids: Collection[str], customers: Collection[int], shelf: dict[str, Product]
) -> dict[int, set[str]]:
    """Return which of the products each customer has and does not buy again."""
    once = [id_ for id_ in product_ids if id_ in shelf and not shelf[id_].is_consumable]
    owned: dict[int, set[str]] = {}
    if not customers:
        return owned
    bought = OrderLine.objects.countable().filter(
        order__customer_id__in=customers,
        product_id__in=once,
        quantity__gt=F("refunded_quantity"),
    )
    for customer, product in bought.values_list("order__customer_id", "product_id").distinct():
        owned.setdefault(customer or 0, set()).add(product)
    return owned


def _shown(
    entries: Iterable[Entry], shelf: dict[str, Product], hidden: Collection[str]
) -> list[Entry]:
    return [
        entry
        for entry in entries
        if entry.product_id not in hidden
        and entry.product_id in shelf
        and shelf[entry.product_id].is_active
    ]


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
