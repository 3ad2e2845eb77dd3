"""Marks of customers whose orders or events changed, for the next build of traits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profiles.models import CustomerChange

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

WRITTEN_AT_ONCE = 2_000


def mark(customer_ids: Iterable[int]) -> None:
    """Mark customers by key, in the transaction that changes what they did."""
    marks = [CustomerChange(customer_id=pk) for pk in sorted(customer_ids)]
    CustomerChange.objects.bulk_create(marks, batch_size=WRITTEN_AT_ONCE)


def mark_found(
    cursor: CursorWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()
) -> None:
    """Mark whom a SELECT of `customer_id` finds; it may name nobody (NULL) and repeat."""
    cursor.execute(
        f"INSERT INTO profiles_customerchange (customer_id) SELECT DISTINCT found.customer_id"  # noqa: S608 -- statements of our own  # nosec B608
        f" FROM ({sql}) AS found WHERE found.customer_id IS NOT NULL",
        params,
    )
