"""Marks of customers who changed, for the next build of traits and the next refresh of segments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from privacy import purposes
from profiles.bulk import insert_rows
from profiles.models import Customer, CustomerChange, Segment

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

    from profiles.models import CustomerQuerySet

Stage = CustomerChange.Stage


def mark(customer_ids: Iterable[int], stage: int = Stage.NEW) -> None:
    """Mark customers by key, in the transaction that changes what they did."""
    if rows := [(pk, stage) for pk in sorted(customer_ids)]:
        insert_rows(CustomerChange, ["customer_id", "stage"], rows)


def mark_told(customer_ids: Iterable[int]) -> None:
    """Mark for segments alone whose own facts changed, such as place, age, address and lists.

    No trait is made of these, so that no build has to come in between.
    """
    mark(customer_ids, Stage.BUILT)


def mark_subjects(subjects: Collection[UUID]) -> None:
    """Mark for segments alone the customers of subjects whose consents changed."""
    mark_told(Customer.objects.filter(subject__uuid__in=subjects).values_list("pk", flat=True))


def mark_found(
    cursor: CursorWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()
) -> None:
    """Mark whom a SELECT of `customer_id` finds; it may name nobody (NULL) and repeat."""
    cursor.execute(
        f"INSERT INTO profiles_customerchange (customer_id) SELECT DISTINCT found.customer_id"  # noqa: S608 -- statements of our own  # nosec B608
        f" FROM ({sql}) AS found WHERE found.customer_id IS NOT NULL",
        params,
    )


def mark_all() -> None:
    """Have the next refresh of every segment look at everybody, as a full build asks for."""
    Segment.objects.update(is_open_to_all=True)


def take_for_segments() -> None:
    """Take the marks that builds of traits left; what such a build leaves from now on stays."""
    CustomerChange.objects.filter(stage=Stage.BUILT).update(stage=Stage.TAKEN)


def for_segments() -> set[int]:
    """Return who may be in other segments than before: the marked, and whom a purpose lost.

    Marks without traits made yet are looked at by each refresh until they are.
    """
    marked = CustomerChange.objects.filter(stage__in=[Stage.NEW, Stage.TAKEN])
    found = set(marked.values_list("customer", flat=True))
    return found | set(_held_back().values_list("pk", flat=True))


def done_for_segments() -> None:
    """Let go of the marks that were taken, and look again at those who may not be profiled now."""
    CustomerChange.objects.filter(stage=Stage.TAKEN).delete()
    mark(_held_back().values_list("pk", flat=True), Stage.BUILT)


def _held_back() -> CustomerQuerySet:
    """Who may not be profiled and is not forgotten by traits yet.

    Whoever may be again before traits are built was out of all segments for as long; without
    traits the build makes them, which leaves a mark.
    """
    return Customer.objects.filter(~purposes.may_use("profile.build"), traits__isnull=False)
