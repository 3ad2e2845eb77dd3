"""Stored lists: entries become arrays of the catalogue's keys and back.

A run's lists are a generation under its number: all are written before the run is activated,
and readers ask for those of the active run, so nobody sees half a change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from recommendations.explaining import Reason
from recommendations.models import CustomerListing, Product, ProductListing, TrainingRun

COLUMNS: Final = ("products", "scores", "reasons", "bases")
N_BASES: Final = 2
# Numbers are stored: a new reason goes to the end.
REASONS: Final = (
    Reason.BOUGHT, Reason.LOOKED, Reason.TOGETHER, Reason.POPULAR_NOW, Reason.POPULAR,
    Reason.FITS, Reason.AGAIN, Reason.VIEWED, Reason.TRENDING, Reason.NEW, Reason.PINNED,
)  # fmt: skip
NUMBER_OF: Final = {reason.value: number for number, reason in enumerate(REASONS)}

Arrays = tuple[Sequence[int], Sequence[float], Sequence[int], Sequence[int]]


class Entry(NamedTuple):
    """A place of a list; `reason` is a code of `Reason`."""

    product_id: str
    score: float
    reason: str
    based_on: tuple[str, ...]


class OfCustomer(NamedTuple):
    """A customer's list, and of its first places the evidence that `CustomerListing` keeps."""

    customer: int
    entries: Sequence[Entry]
    evidence: Sequence[Any] = ()


def keys_of(product_ids: Collection[str]) -> dict[str, int]:
    """Return the catalogue's keys; a product that it does not know cannot be listed."""
    known = Product.objects.filter(product_id__in=product_ids)
    return dict(known.values_list("product_id", "pk"))


def write_customers(run: TrainingRun, lists: Iterable[OfCustomer], keys: Mapping[str, int]) -> None:
    CustomerListing.objects.bulk_create(
        CustomerListing(
            run=run,
            customer_id=customer,
            evidence=list(evidence),
            **_arrays(entries, keys),
        )
        for customer, entries, evidence in lists
    )


def write_products(
    run: TrainingRun, lists: Iterable[tuple[str, Sequence[Entry]]], keys: Mapping[str, int]
) -> None:
    ProductListing.objects.bulk_create(
        ProductListing(run=run, product_id=product, **_arrays(entries, keys))
        for product, entries in lists
    )


def read(rows: Sequence[Arrays]) -> list[list[Entry]]:
    """Return the entries of rows of `COLUMNS`, in their order; one query for all of them."""
    keys = {key for products, _, _, bases in rows for key in (*products, *bases)} - {0}
    known = Product.objects.filter(pk__in=keys).values_list("pk", "product_id")
    id_of = dict(known) if keys else {}
    return [_entries(row, id_of) for row in rows]


def _entries(row: Arrays, id_of: Mapping[int, str]) -> list[Entry]:
    products, scores, reasons, bases = row
    return [
        Entry(
            id_of[key],
            scores[at],
            REASONS[reasons[at]].value,
            tuple(
                id_of[base] for base in bases[at * N_BASES : (at + 1) * N_BASES] if base in id_of
            ),
        )
        for at, key in enumerate(products)
        if key in id_of
    ]


def _arrays(entries: Sequence[Entry], keys: Mapping[str, int]) -> dict[str, list[Any]]:
    known = [entry for entry in entries if entry.product_id in keys]
    bases = []
    for entry in known:
        there = [keys[id_] for id_ in entry.based_on if id_ in keys][:N_BASES]
        bases += [*there, *(0 for _ in range(N_BASES - len(there)))]
    return {
        "products": [keys[entry.product_id] for entry in known],
        "scores": [float(entry.score) for entry in known],
        "reasons": [NUMBER_OF[entry.reason] for entry in known],
        "bases": bases,
    }
