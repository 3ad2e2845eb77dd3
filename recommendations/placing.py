"""Placements: a scenario's candidates, its rules, and what fills the rest, step by step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from django.core.cache import cache
from django.db.models import Count, F, Max, Q, Sum
from django.utils import translation

from profiles.models import Cart, CartLine, OrderLine
from recommendations import offers, product_rules, serving
from recommendations.compatibility.rules import Answer
from recommendations.explaining import Reason
from recommendations.fitting import Around, Fitting, diverse
from recommendations.lists import Entry
from recommendations.models import Product, Scenario, TrainingRun
from recommendations.product_rules import Ruling, parsed
from recommendations.serving import N_RECENT, Recommended

if TYPE_CHECKING:
    from recommendations.compatibility.specs import Specs

POOL: Final = 200
N_DEVICES: Final = 50
RULED_BY: Final = ("accessory_for", "fits_products", *product_rules.COLUMNS)
LATELY: Final = timedelta(days=7)
BEFORE: Final = timedelta(days=28)
LEAST_SOLD: Final = 3
TRENDING_SECONDS: Final = 900
TRENDING: Final = "recommendations.trending"
PINS, OWN, FOR_YOU, POPULAR, NEWEST = "pins", "scenario", "for_you", "popular", "new"


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
    by product id why a candidate is not shown, `ruled_out` by which rule, counted from 0.
    """

    items: list[Recommended]
    filled_with: tuple[str, ...]
    left_out: dict[str, str]
    run: TrainingRun | None
    placement: str
    ruled_out: dict[str, int] = field(default_factory=dict)


class Had(NamedTuple):
    """A product of a customer's orders."""

    product_id: str
    n_kept: int
    last_at: datetime


@dataclass(frozen=True)
class _Scene:
    """Whom one list is for and beside what; nothing personal of who refuses profiling."""

    customer_pk: int | None
    history: tuple[Had, ...]
    beside: tuple[str, ...]
    recent: tuple[str, ...]

    @property
    def owned(self) -> list[str]:
        return [had.product_id for had in self.history if had.n_kept > 0]

    @property
    def devices(self) -> tuple[str, ...]:
        """What an accessory is looked for, what is on the page first."""
        return (*self.beside, *self.owned)[:N_RECENT]

    def basis(self, kind: str) -> tuple[str, ...]:
        """The products whose neighbours are a kind's candidates."""
        if kind in (Scenario.Kind.SIMILAR, Scenario.Kind.TOGETHER, Scenario.Kind.CART):
            return self.beside
        return self.devices if kind == Scenario.Kind.ACCESSORIES else ()


class _Stock:
    """What all lists of one call draw on: each part is read once for all, when first needed."""

    def __init__(
        self, kind: str, scenes: Sequence[_Scene], now: datetime, country: str = ""
    ) -> None:
        self.run = TrainingRun.objects.at_work()
        self.shelf: dict[str, Product] = {}
        self.specs: dict[str, Specs] = {}
        self._kind, self._scenes, self._now, self._country = kind, scenes, now, country
        self._looked_for: set[str] = set()

    def put(self, entries: Iterable[Entry]) -> None:
        """Bring the products of entries, and what these are based on, onto the shelf."""
        wanted = [
            entry
            for entry in entries
            if not self._looked_for.issuperset((entry.product_id, *entry.based_on))
        ]
        if wanted:
            found = serving.on_shelf(wanted, *RULED_BY)
            offers.stock(found.values(), self._country)
            self.shelf |= found
            for entry in wanted:
                self._looked_for.update((entry.product_id, *entry.based_on))

    @cached_property
    def own(self) -> dict[int, list[Entry]]:
        known = [scene.customer_pk for scene in self._scenes if scene.customer_pk is not None]
        return serving.own_lists(self.run, known)

    @cached_property
    def near(self) -> dict[str, list[Entry]]:
        """The neighbours of what was looked at, and of what the kind starts from."""
        ids = {id_ for scene in self._scenes for id_ in (*scene.basis(self._kind), *scene.recent)}
        return serving.neighbours_of(self.run, ids)

    @cached_property
    def popular(self) -> list[Entry]:
        return serving.popular_entries()[:POOL]

    @cached_property
    def newest(self) -> list[Entry]:
        newest = Product.objects.filter(is_active=True).order_by("-created_at", "-pk")
        return _listed(newest.values_list("product_id", flat=True)[:POOL], Reason.NEW)

    @cached_property
    def risen(self) -> list[Entry]:
        """What sold more in the last 7 days than its 28 days before let one expect."""
        found: list[str] | None = cache.get(TRENDING)
        if found is None:
            found = _risen(self._now)
            cache.set(TRENDING, found, TRENDING_SECONDS)
        return _listed(found, Reason.TRENDING)

    @cached_property
    def category(self) -> dict[str, str]:
        """The categories of what is beside a list, and of its neighbours."""
        ids = {id_ for scene in self._scenes for id_ in scene.beside}
        ids |= {entry.product_id for id_ in ids for entry in self.near.get(id_, ())}
        known = Product.objects.filter(product_id__in=ids)
        return dict(known.values_list("product_id", "category"))

    @cached_property
    def used_up(self) -> set[str]:
        ids = {id_ for scene in self._scenes for id_ in scene.owned}
        known = Product.objects.filter(product_id__in=ids, is_consumable=True)
        return set(known.values_list("product_id", flat=True))


class _Making:
    """One list in the making: step by step its places are taken."""

    def __init__(
        self, scenario: Scenario, scene: _Scene, stock: _Stock, ruling: Ruling, n: int
    ) -> None:
        self.scene = scene
        self.filled: list[str] = []
        self._stock, self._n = stock, n
        self._fitting = Fitting(scenario, _around(scene, stock.shelf), ruling, specs=stock.specs)
        self._taken: list[Product] = []
        self._chosen: dict[str, Entry] = {}

    @property
    def n_free(self) -> int:
        return self._n - len(self._taken)

    def take(self, step: str, entries: Iterable[Entry]) -> None:
        """Give free places to the best of the entries that the rules let through."""
        shelf, is_own = self._stock.shelf, step == OWN
        fresh: dict[str, Entry] = {}
        for entry in entries:
            if entry.product_id in shelf and entry.product_id not in self._chosen:
                fresh.setdefault(entry.product_id, entry)
        if step != PINS and self._fitting.ruling.lifts:
            fresh = _lifted(self._fitting.ruling, fresh, shelf)
        most = None if is_own else self.n_free
        kept = self._fitting.keep((shelf[id_] for id_ in fresh), self._taken, most)
        if is_own and self._fitting.scenario.kind == Scenario.Kind.ACCESSORIES:
            kept, fresh = _accessories(self._fitting, kept, fresh)
        spread = self._fitting.scenario.diversity if is_own else 0.0
        added = diverse(kept, self.n_free, spread)
        self._chosen |= {one.product_id: fresh[one.product_id] for one in added}
        self._taken += added
        if added and step not in (PINS, OWN):
            self.filled.append(step)

    def done(self, language: str) -> Placed:
        with translation.override(language):
            items = [
                serving.dressed(self._chosen[one.product_id], self._stock.shelf, language)
                for one in self._taken
            ]
        made = self._fitting
        return Placed(
            items,
            filled_with=tuple(self.filled),
            left_out=made.left_out,
            run=self._stock.run,
            placement=made.scenario.placement,
            ruled_out=made.ruled_out,
        )


def place(scenario: Scenario, asked: Asked, *, now: datetime, country: str = "") -> Placed:
    """Return up to `n` products for a placement."""
    return place_many(scenario, [asked], now=now, country=country)[0]


def place_many(
    scenario: Scenario, asked: Sequence[Asked], *, now: datetime, country: str = ""
) -> list[Placed]:
    """Return the same for each of some hundreds, e.g. the messages of a batch.

    Pins come first, then the scenario's own candidates, spread out by `diversity`; what is
    left free is filled with the customer's own list, popular and new products, each under
    the same rules; with a `country` what is out of stock there is left out. The number of queries does not depend on how many lists are asked for.
    """
    scenes = _scenes(scenario, asked)
    stock = _Stock(scenario.kind, scenes, now, country)
    source = SOURCES[Scenario.Kind(scenario.kind)]
    own = [source(stock, scene) for scene in scenes]
    pins = [Entry(id_, 0.0, Reason.PINNED.value, ()) for id_ in scenario.pinned]
    devices = {id_ for scene in scenes for id_ in (*scene.beside, *scene.owned[:N_DEVICES])}
    stock.put(chain(pins, (Entry(id_, 0.0, "", ()) for id_ in sorted(devices)), *own))
    ruling = Ruling(parsed(scenario.rules), now)
    makings = [
        _Making(scenario, scene, stock, ruling, one.n)
        for scene, one in zip(scenes, asked, strict=True)
    ]
    for making, entries in zip(makings, own, strict=True):
        making.take(PINS, pins)
        making.take(OWN, entries)
    for step, filling in FILLING.items() if scenario.fills_up else ():
        short = [making for making in makings if making.n_free > 0]
        found = [filling(stock, making.scene) for making in short]
        stock.put(chain.from_iterable(found))
        for making, entries in zip(short, found, strict=True):
            making.take(step, entries)
    return [making.done(one.language) for making, one in zip(makings, asked, strict=True)]


def _lifted(
    ruling: Ruling, entries: dict[str, Entry], shelf: dict[str, Product]
) -> dict[str, Entry]:
    """The entries by score times factor, best first.

    Of a list made of two parts, each with scores of its own, what stands behind counts as no
    better than what stands before it, so that the factors alone change the order.
    """
    least, worth, told = float("inf"), {}, {}
    for id_, entry in entries.items():
        factor = ruling.factor(shelf[id_])
        least = min(least, entry.score)
        worth[id_] = _times(least, factor)
        told[id_] = entry._replace(score=_times(entry.score, factor))
    return {id_: told[id_] for id_ in sorted(told, key=lambda id_: -worth[id_])}


def _times(score: float, factor: float) -> float:
    return score * factor if score >= 0 else score / factor


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


def _scenes(scenario: Scenario, asked: Sequence[Asked]) -> list[_Scene]:
    known = {one.customer_pk for one in asked if one.customer_pk is not None}
    allowed = serving.may_profile(list(known))
    history = _history(allowed)
    carts = {}
    if scenario.kind == Scenario.Kind.CART:
        bare = {one.customer_pk for one in asked if not one.product_ids}
        carts = _carts_of(pk for pk in bare if pk in allowed)

    def scene(one: Asked) -> _Scene:
        is_refused = one.customer_pk is not None and one.customer_pk not in allowed
        pk = None if is_refused else one.customer_pk
        beside = one.product_ids or carts.get(pk or 0, ())
        return _Scene(
            customer_pk=pk,
            history=history.get(pk or 0, ()),
            beside=tuple(dict.fromkeys(beside))[:N_RECENT],
            recent=() if is_refused else tuple(dict.fromkeys(one.recent_product_ids))[:N_RECENT],
        )

    return [scene(one) for one in asked]


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


def _carts_of(customers: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """What is in each customer's newest open cart."""
    open_carts = Cart.objects.filter(customer__in=list(customers), state=Cart.State.OPEN)
    oldest_first = open_carts.order_by("changed_at", "pk")
    owner = {pk: who for who, pk in dict(oldest_first.values_list("customer", "pk")).items()}
    held: dict[int, list[str]] = {}
    lines = CartLine.objects.filter(cart__in=list(owner)).order_by("pk")
    for cart, product in lines.values_list("cart_id", "product_id"):
        held.setdefault(owner[cart] or 0, []).append(product)
    return {who: tuple(ids[:N_RECENT]) for who, ids in held.items()}


def _history(customers: Collection[int]) -> dict[int, tuple[Had, ...]]:
    """What each customer bought, newest first."""
    if not customers:
        return {}
    lines = OrderLine.objects.countable().filter(order__customer__in=customers)
    rows = (
        lines.exclude(product_id="")
        .values_list("order__customer", "product_id")
        .annotate(n=Sum(F("quantity") - F("refunded_quantity")), last=Max("order__placed_at"))
        .order_by("-last", "product_id")
    )
    found: dict[int, list[Had]] = {}
    for who, *had in rows:
        found.setdefault(who or 0, []).append(Had(*had))
    return {who: tuple(all_of) for who, all_of in found.items()}


def _for_you(stock: _Stock, scene: _Scene) -> list[Entry]:
    own = [] if scene.customer_pk is None else stock.own.get(scene.customer_pk, [])
    near = _near(stock, scene.recent, Reason.LOOKED)
    return serving.summed([*own, *near], without=scene.recent)


def _together(stock: _Stock, scene: _Scene) -> list[Entry]:
    near = _near(stock, scene.beside, Reason.TOGETHER)
    return serving.summed(near, without=scene.beside)


def _similar(stock: _Stock, scene: _Scene) -> list[Entry]:
    """Of the products near those beside, the ones of the same category."""
    category = stock.category
    wanted = {category.get(id_) for id_ in scene.beside} - {None, ""}
    near = _together(stock, scene)
    return [entry for entry in near if category.get(entry.product_id) in wanted]


def _for_devices(stock: _Stock, scene: _Scene) -> list[Entry]:
    """What is bought with the devices that are here, then what is popular."""
    near = _near(stock, scene.devices, Reason.TOGETHER)
    return [*serving.summed(near, without=scene.devices), *stock.popular]


def _near(stock: _Stock, product_ids: Sequence[str], reason: Reason) -> Iterator[Entry]:
    for id_ in product_ids:
        for entry in stock.near.get(id_, ()):
            yield entry._replace(reason=reason.value)


def _again(stock: _Stock, scene: _Scene) -> list[Entry]:
    """What is used up, longest ago first: it is likeliest to be due."""
    kept = [had for had in scene.history if had.n_kept > 0]
    due = sorted(kept, key=lambda had: (had.last_at, had.product_id))
    used_up = [had.product_id for had in due if had.product_id in stock.used_up]
    return _listed(used_up, Reason.AGAIN)


def _viewed(_stock: _Stock, scene: _Scene) -> list[Entry]:
    return _listed(scene.recent, Reason.VIEWED)


def _trending(stock: _Stock, _scene: _Scene) -> list[Entry]:
    return stock.risen


def _popular(stock: _Stock, _scene: _Scene) -> list[Entry]:
    return stock.popular


def _new(stock: _Stock, _scene: _Scene) -> list[Entry]:
    return stock.newest


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


def _listed(product_ids: Iterable[str], reason: Reason) -> list[Entry]:
    """Entries whose score falls with the place."""
    ids: Sequence[str] = list(product_ids)
    return [Entry(id_, 1 - at / len(ids), reason.value, ()) for at, id_ in enumerate(ids)]


Source = Callable[[_Stock, _Scene], list[Entry]]

FILLING: Final[dict[str, Source]] = {FOR_YOU: _for_you, POPULAR: _popular, NEWEST: _new}
SOURCES: Final[dict[Scenario.Kind, Source]] = {
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
