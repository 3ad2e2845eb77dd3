"""Stored lists as a training writes them, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiles.models import Customer
from recommendations import lists
from recommendations.lists import Entry, OfCustomer
from recommendations.models import CustomerListing, ProductListing, TrainingRun

# [product id, score, reason, [product ids it is based on]]
Told = Sequence[Sequence[Any]]


def customer(run: TrainingRun, of: Customer, items: Told, evidence: Sequence[Any] = ()) -> None:
    CustomerListing.objects.filter(run=run, customer=of).delete()
    entries = _entries(items)
    lists.write_customers(run, [OfCustomer(of.pk, entries, evidence)], _keys(entries))


def product(run: TrainingRun, of: str, items: Told) -> None:
    entries = _entries(items)
    lists.write_products(run, [(of, entries)], _keys(entries))


def entries(listing: CustomerListing | ProductListing) -> list[Entry]:
    row = (listing.products, listing.scores, listing.reasons, listing.bases)
    return lists.read([row])[0]


def _entries(items: Told) -> list[Entry]:
    return [Entry(id_, score, str(reason), tuple(bases)) for id_, score, reason, bases in items]


def _keys(entries: Sequence[Entry]) -> dict[str, int]:
    return lists.keys_of({id_ for one in entries for id_ in (one.product_id, *one.based_on)})
