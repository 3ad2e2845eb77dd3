"""Why something is recommended: a stored list with what each engine and each purchase added."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count
from django.utils import translation

from privacy import audit
from privacy.purposes import purpose
from profiles.models import Customer, OrderLine
from recommendations import lists, serving
from recommendations.explaining import Reason
from recommendations.models import CustomerListing, ProductListing, TrainingRun
from recommendations.models.run import engine_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recommendations.lists import Entry

N_SHOWN: Final = 10
PURPOSE: Final = "recommend"


@dataclass(frozen=True)
class Added:
    """What an engine or a purchase adds to a score."""

    name: str
    value: float


@dataclass(frozen=True)
class Place:
    """A place of a list. `parts` add up to the score; `bases` are its greatest personal shares.

    `other` is the place of the same product in the list beside it, 0 if it has none.
    """

    place: int
    product_id: str
    title: str
    category: str
    score: float
    reason: str
    parts: tuple[Added, ...] = ()
    bases: tuple[Added, ...] = ()
    n_people: int | None = None
    other: int = 0


@dataclass(frozen=True)
class Listed:
    """One run's list; `n_common` products are in the other run's list too."""

    run: TrainingRun
    places: list[Place]
    n_common: int = 0


def with_lists() -> list[TrainingRun]:
    """Return the runs whose lists are kept, the one that serves first."""
    kept = ProductListing.objects.exclude(product_id="").values("run")
    return list(
        TrainingRun.objects.filter(pk__in=kept).order_by("-is_active", "-created_at", "-pk")
    )


def of_customer(
    customer: Customer, runs: Sequence[TrainingRun], *, language: str, actor: str, now: datetime
) -> list[Listed] | None:
    """Return what each run lists for a customer, with the evidence the run itself kept.

    None for a customer whom recommendations may not use. Opens the purpose of recommendations
    and writes down who looked at whom.
    """
    with purpose(PURPOSE, actor=actor, now=now):
        _note_look(customer, actor, now)
        if not serving.may_profile([customer.pk]):
            return None
        found = [_of_customer(customer.pk, run, language) for run in runs]
    return _side_by_side(found)


def look_at(customer: Customer, *, actor: str, now: datetime) -> None:
    """Write down, under the purpose of recommendations, who looks at what a customer is shown."""
    with purpose(PURPOSE, actor=actor, now=now):
        _note_look(customer, actor, now)


def _note_look(customer: Customer, actor: str, now: datetime) -> None:
    audit.append(
        "recommendations.inspected",
        actor=actor,
        at=now,
        purpose=PURPOSE,
        subjects=[customer.subject_id.bytes],
        fields=["recommendations"],
    )


def of_product(product_id: str, runs: Sequence[TrainingRun], *, language: str) -> list[Listed]:
    """Return what each run says is bought with a product, and by how many people it was."""
    found = []
    for run in runs:
        entries = serving.neighbours(run, [product_id], reason=Reason.TOGETHER.value)[:N_SHOWN]
        told = _dressed(entries, language)
        bought = _bought_both(product_id, [one.product_id for one in told])
        places = [replace(one, n_people=bought.get(one.product_id, 0)) for one in told]
        found.append(Listed(run, places))
    return _side_by_side(found)


def _of_customer(pk: int, run: TrainingRun, language: str) -> Listed:
    entries = serving.own_lists(run, [pk]).get(pk, [])[:N_SHOWN]
    kept = CustomerListing.objects.filter(run=run, customer=pk).values_list("evidence", flat=True)
    evidence: list[Any] = kept.first() or []
    names = [
        engine_in_words(part["engine"]) for part in run.parameters.get("parts", [run.parameters])
    ]
    ids = {id_ for _parts, bases in evidence for id_, _value in bases}
    shelf = serving.on_shelf([*entries, *(lists.Entry(id_, 0, "", ()) for id_ in ids)])
    places = _dressed(entries, language)
    for at, (parts, bases) in enumerate(evidence[: len(places)]):
        places[at] = replace(
            places[at],
            parts=tuple(map(Added, names, parts)),
            bases=tuple(
                Added(shelf[id_].title_in(language) if id_ in shelf else id_, value)
                for id_, value in bases
            ),
        )
    return Listed(run, places)


def _dressed(entries: Sequence[Entry], language: str) -> list[Place]:
    shelf = serving.on_shelf(entries)
    with translation.override(language):
        shown = [
            (entry, serving.dressed(entry, shelf, language))
            for entry in entries
            if entry.product_id in shelf
        ]
    return [
        Place(
            at,
            entry.product_id,
            one.title,
            shelf[entry.product_id].category_in(language),
            entry.score,
            one.reason_text,
        )
        for at, (entry, one) in enumerate(shown, start=1)
    ]


def _bought_both(product_id: str, others: Sequence[str]) -> dict[str, int]:
    """Return how many customers who bought the product bought each of the others too."""
    allowed = Customer.objects.for_purpose(PURPOSE)
    lines = OrderLine.objects.countable().filter(order__customer__in=allowed)
    buyers = lines.filter(product_id=product_id).values("order__customer")
    both = lines.filter(product_id__in=others, order__customer__in=buyers).order_by()
    counts = both.values_list("product_id").annotate(n=Count("order__customer", distinct=True))
    return dict(counts)


def _side_by_side(found: list[Listed]) -> list[Listed]:
    if len(found) < 2:  # noqa: PLR2004 -- a list alone has none beside it
        return found
    told = []
    for one, other in zip(found, reversed(found), strict=True):
        place_of = {place.product_id: place.place for place in other.places}
        places = [replace(place, other=place_of.get(place.product_id, 0)) for place in one.places]
        n_common = sum(place.other > 0 for place in places)
        told.append(replace(one, places=places, n_common=n_common))
    return told
