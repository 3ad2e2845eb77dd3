"""Placements: a scenario's candidates, its rules, and what fills the rest, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.core.cache import cache
from django.db.models import Count, F, Max, Q, Sum
from django.utils import translation

from profiles.models import Cart, CartLine, OrderLine
from recommendations import serving
from recommendations.compatibility.rules import Answer
from recommendations.explaining import Reason
from recommendations.fitting import Around, Fitting, diverse
from recommendations.lists import Entry
from recommendations.models import Product, Scenario, TrainingRun
from recommendations.serving import N_RECENT, Recommended

POOL: Final = 200
N_DEVICES: Final = 50
RULED_BY: Final = ("stock", "family", "brand", "accessory_for", "fits_products", "specs")
LATELY: Final = timedelta(days=7)
BEFORE: Final = timedelta(days=28)
LEAST_SOLD: Final = 3
TRENDING_SECONDS: Final = 900
TRENDING: Final = "recommendations.trending"
OWN, FOR_YOU, POPULAR, NEWEST = "scenario", "for_you", "popular", "new"


@dataclass(frozen=True)
class Asked:
    """For whom and beside what: `product_ids` are on the page or in the cart."""

    customer_pk: int | None = None
    product_ids: tuple[str, ...] = ()
    recent_product_ids: tuple[str, ...] = ()
    n: int = 10
    language: str = "en"


@dataclass(frozen=True)
class Placed:
    """What is shown, and how it came about.

    `filled_with` names the steps that filled places the scenario left free; `left_out` says
    by product id why a candidate is not shown.
    """

    items: list[Recommended]
    filled_with: tuple[str, ...]
    left_out: dict[str, str]
    run: TrainingRun | None


class Had(NamedTuple):
    """A product of a customer's orders."""

    product_id: str
    n_kept: int
    last_at: datetime


@dataclass(frozen=True)
class _Scene:
    """What the sources of candidates draw on; nothing personal of who refuses profiling."""

    run: TrainingRun | None
    now: datetime
    customer_pk: int | None
    history: tuple[Had, ...]
    beside: tuple[str, ...]
    recent: tuple[str, ...]

    @property
    def owned(self) -> list[str]:
        return [had.product_id for had in self.history if had.n_kept > 0]


def place(scenario: Scenario, asked: Asked, *, now: datetime) -> Placed:
    """Return up to `n` products for a placement; the number of queries is constant.

    Pins come first, then the scenario's own candidates, spread out by `diversity`; what is
    left free is filled with the customer's own list, popular and new products, each under
    the same rules.
    """
    scene = _scene(scenario, asked, now)
    steps = [(OWN, SOURCES[Scenario.Kind(scenario.kind)](scene))]
    if scenario.fills_up:
        steps += [(FOR_YOU, _for_you(scene)), (POPULAR, serving.popular_entries()[:POOL])]
        steps.append((NEWEST, _new(scene)))
    pins = [Entry(id_, 0.0, Reason.PINNED.value, ()) for id_ in scenario.pinned]
    devices = [Entry(id_, 0.0, "", ()) for id_ in (*scene.beside, *scene.owned[:N_DEVICES])]
    everything = [*pins, *devices, *(entry for _, entries in steps for entry in entries)]
    shelf = serving.on_shelf(everything, *RULED_BY)
    fitting = Fitting(scenario, _around(scene, shelf))
    taken, chosen, filled = _taken(fitting, shelf, pins, steps, asked.n)
    with translation.override(asked.language):
        items = [serving.dressed(chosen[one.product_id], shelf, asked.language) for one in taken]
    return Placed(items, tuple(filled), fitting.left_out, scene.run)


def _taken(
    fitting: Fitting,
    shelf: dict[str, Product],
    pins: list[Entry],
    steps: list[tuple[str, list[Entry]]],
    n: int,
) -> tuple[list[Product], dict[str, Entry], list[str]]:
    chosen: dict[str, Entry] = {}
    taken: list[Product] = []
    filled = []
    for step, entries in (("pins", pins), *steps):
        fresh: dict[str, Entry] = {}
        for entry in entries:
            if entry.product_id in shelf and entry.product_id not in chosen:
                fresh.setdefault(entry.product_id, entry)
        kept = fitting.keep([shelf[id_] for id_ in fresh], taken)
        if step == OWN and fitting.scenario.kind == Scenario.Kind.ACCESSORIES:
            kept, fresh = _accessories(fitting, kept, fresh)
        spread = fitting.scenario.diversity if step == OWN else 0.0
        added = diverse(kept, n - len(taken), spread)
        chosen |= {one.product_id: fresh[one.product_id] for one in added}
        taken += added
        if added and step not in ("pins", OWN):
            filled.append(step)
    return taken, chosen, filled


def _accessories(
    fitting: Fitting, kept: list[Product], entries: dict[str, Entry]
) -> tuple[list[Product], dict[str, Entry]]:
    """Those for a device that is here: what is known to fit first, and it says so."""
    known, likely, told = [], [], dict(entries)
    for product in kept:
        answer, device = fitting.answer(product)
        if answer is Answer.YES and device is not None:
            entry = entries[product.product_id]
            told[product.product_id] = entry._replace(
                reason=Reason.FITS.value, based_on=(device.product_id,)
            )
            known.append(product)
        elif answer is not None:
            likely.append(product)
    return [*known, *likely], told


def _scene(scenario: Scenario, asked: Asked, now: datetime) -> _Scene:
    known = asked.customer_pk
    is_refused = known is not None and not serving.may_profile([known])
    beside = asked.product_ids
    if scenario.kind == Scenario.Kind.CART and not beside and known is not None:
        beside = () if is_refused else _cart_of(known)
    return _Scene(
        run=TrainingRun.objects.active(),
        now=now,
        customer_pk=None if is_refused else known,
        history=() if is_refused or known is None else _history(known),
        beside=tuple(dict.fromkeys(beside))[:N_RECENT],
        recent=() if is_refused else tuple(dict.fromkeys(asked.recent_product_ids))[:N_RECENT],
    )


def _around(scene: _Scene, shelf: dict[str, Product]) -> Around:
    """What is on the page decides what must fit; without it, what the customer has."""
    beside = [shelf[id_] for id_ in scene.beside if id_ in shelf]
    owned = [shelf[id_] for id_ in scene.owned if id_ in shelf]
    shown = {product.category for product in beside}
    return Around(
        owned=frozenset(scene.owned),
        returned=frozenset(had.product_id for had in scene.history if had.n_kept <= 0),
        on_page=frozenset(scene.beside),
        devices=[*beside, *(one for one in owned if one.category not in shown)],
    )


def _cart_of(customer_pk: int) -> tuple[str, ...]:
    open_carts = Cart.objects.filter(customer=customer_pk, state=Cart.State.OPEN)
    newest = open_carts.order_by("-changed_at", "-pk").values("pk")[:1]
    held = CartLine.objects.filter(cart=newest).order_by("pk")
    return tuple(held.values_list("product_id", flat=True)[:N_RECENT])


def _history(customer_pk: int) -> tuple[Had, ...]:
    """What the customer bought, newest first."""
    lines = OrderLine.objects.countable().filter(order__customer=customer_pk)
    rows = (
        lines.exclude(product_id="")
        .values_list("product_id")
        .annotate(n=Sum(F("quantity") - F("refunded_quantity")), last=Max("order__placed_at"))
        .order_by("-last", "product_id")
    )
    return tuple(Had(*row) for row in rows)


def _for_you(scene: _Scene) -> list[Entry]:
    own: list[Entry] = []
    if scene.customer_pk is not None:
        found = serving.own_lists(scene.run, [scene.customer_pk])
        own = found.get(scene.customer_pk, [])
    near = serving.neighbours(scene.run, scene.recent)
    return serving.summed([*own, *near], without=scene.recent)


def _together(scene: _Scene) -> list[Entry]:
    near = serving.neighbours(scene.run, scene.beside, reason=Reason.TOGETHER.value)
    return serving.summed(near, without=scene.beside)


def _similar(scene: _Scene) -> list[Entry]:
    """Of the products near those beside, the ones of the same category first."""
    near = _together(scene)
    ids = [*scene.beside, *(entry.product_id for entry in near)]
    category = dict(
        Product.objects.filter(product_id__in=ids).values_list("product_id", "category")
    )
    wanted = {category.get(id_) for id_ in scene.beside} - {None, ""}
    return [entry for entry in near if category.get(entry.product_id) in wanted]


def _for_devices(scene: _Scene) -> list[Entry]:
    """What is bought with the devices that are here, then what is popular."""
    devices = (*scene.beside, *scene.owned)[:N_RECENT]
    near = serving.neighbours(scene.run, devices, reason=Reason.TOGETHER.value)
    return [*serving.summed(near, without=devices), *serving.popular_entries()[:POOL]]


def _again(scene: _Scene) -> list[Entry]:
    """What is used up, longest ago first: it is likeliest to be due."""
    kept = [had for had in scene.history if had.n_kept > 0]
    used_up = set(
        Product.objects.filter(
            product_id__in=[had.product_id for had in kept], is_consumable=True
        ).values_list("product_id", flat=True)
    )
    due = sorted(kept, key=lambda had: (had.last_at, had.product_id))
    return _listed((had.product_id for had in due if had.product_id in used_up), Reason.AGAIN)


def _viewed(scene: _Scene) -> list[Entry]:
    return _listed(scene.recent, Reason.VIEWED)


def _trending(scene: _Scene) -> list[Entry]:
    """What sold more in the last 7 days than its 28 days before let one expect."""
    found: list[str] | None = cache.get(TRENDING)
    if found is None:
        found = _risen(scene.now)
        cache.set(TRENDING, found, TRENDING_SECONDS)
    return _listed(found, Reason.TRENDING)


def _risen(now: datetime) -> list[str]:
    """By (orders of a week + 1) / (orders a week before + 4): few orders rise little."""
    lines = OrderLine.objects.countable().filter(
        order__placed_at__gte=now - LATELY - BEFORE, order__placed_at__lt=now
    )
    is_late = Q(order__placed_at__gte=now - LATELY)
    counts = (
        lines.exclude(product_id="")
        .values_list("product_id")
        .annotate(late=Count("pk", filter=is_late), early=Count("pk", filter=~is_late))
        .filter(late__gte=LEAST_SOLD)
        .order_by()
    )
    weeks = BEFORE / LATELY
    risen = {id_: (late + 1) / (early / weeks + 4) for id_, late, early in counts}
    return sorted(risen, key=lambda id_: (-risen[id_], id_))[:POOL]


def _new(_scene: _Scene) -> list[Entry]:
    newest = Product.objects.filter(is_active=True).order_by("-created_at", "-pk")
    return _listed(newest.values_list("product_id", flat=True)[:POOL], Reason.NEW)


def _listed(product_ids: Iterable[str], reason: Reason) -> list[Entry]:
    """Entries whose score falls with the place."""
    ids: Sequence[str] = list(product_ids)
    return [Entry(id_, 1 - at / len(ids), reason.value, ()) for at, id_ in enumerate(ids)]


SOURCES: Final[dict[Scenario.Kind, Callable[[_Scene], list[Entry]]]] = {
    Scenario.Kind.FOR_YOU: _for_you,
    Scenario.Kind.EMAIL: _for_you,
    Scenario.Kind.SIMILAR: _similar,
    Scenario.Kind.TOGETHER: _together,
    Scenario.Kind.ACCESSORIES: _for_devices,
    Scenario.Kind.AGAIN: _again,
    Scenario.Kind.VIEWED: _viewed,
    Scenario.Kind.TRENDING: _trending,
    Scenario.Kind.NEW: _new,
    Scenario.Kind.CART: _together,
}
