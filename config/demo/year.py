"""A year in the demo shop: visits, products looked at, carts, orders, refunds.

Seasons (a June and a November sale), weekday and hour habits by taste, brand loyalty,
accessories that follow a purchase, and consumables that are bought again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from config.demo.catalogue import DemoProduct
from config.demo.people import DemoCustomer

DAYS = 365
BUY_RATE = 0.16
CART_RATE = 0.2
REFUND_RATE = 0.04
SALE_DISCOUNT = 0.15
SALES = (((6, 1), (6, 18)), ((11, 8), (11, 29)))


@dataclass(frozen=True)
class Look:
    """A page or cart event of one visit; `cart` where it goes on with an earlier one."""

    at: datetime
    customer: int
    name: str
    product: int
    cart: str = ""


@dataclass(frozen=True)
class Line:
    product: int
    quantity: int
    discount_rate: float
    refunded_after_days: int | None


@dataclass(frozen=True)
class Purchase:
    at: datetime
    customer: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Year:
    looks: list[Look]
    purchases: list[Purchase]


def is_sale(day: datetime) -> bool:
    date = (day.month, day.day)
    return any(first <= date <= last for first, last in SALES)


def season(day: datetime) -> float:
    """How busy a day is, 1.0 being an ordinary one."""
    weekend = 1.15 if day.weekday() >= 5 else 1.0  # noqa: PLR2004 -- Saturday, Sunday
    december = 1.5 if day.month == 12 and day.day <= 22 else 1.0  # noqa: PLR2004
    return weekend * december * (2.2 if is_sale(day) else 1.0)


class Shopper:
    """One customer's way through the catalogue."""

    def __init__(self, person: DemoCustomer, shelf: Shelf, chance: np.random.Generator) -> None:
        self.person, self.shelf, self.chance = person, shelf, chance
        self.brand = str(chance.choice(shelf.brands))
        self.weights = shelf.weights(person, self.brand)
        self.owned: set[int] = set()

    def wishes(self, n: int) -> np.ndarray:
        """`n` products this person looks at, by taste, price level, brand, what is owned."""
        weights = self.weights.copy()
        for product in self.owned:
            weights += self.shelf.pull[product] * self.weights.mean() * 3
            if not self.shelf.repeats[product]:
                weights[product] = 0
        return self.chance.choice(len(weights), size=n, p=weights / weights.sum())

    def buys(self, at: datetime) -> bool:
        eager = 1 + self.person.taste.thrift if is_sale(at) else 1 - self.person.taste.thrift / 4
        return bool(self.chance.random() < BUY_RATE * eager)


class Shelf:
    """The catalogue as arrays: which product pulls which, and what a taste likes."""

    def __init__(self, products: list[DemoProduct]) -> None:
        self.products = products
        self.brands = sorted({product.brand for product in products})
        self.repeats = np.array([product.category.repeat_days > 0 for product in products])
        keys = [product.category.key for product in products]
        self.pull = np.array(
            [[float(other in product.category.goes_with) for other in keys] for product in products]
        )

    def weights(self, person: DemoCustomer, brand: str) -> np.ndarray:
        likes = person.taste.likes
        return np.array(
            [
                (likes.get(product.category.key, 0.06))
                * np.exp(-6 * abs(product.level - person.taste.level))
                * (3.0 if product.brand == brand else 1.0)
                for product in self.products
            ]
        )


def live(
    seed: int, people: list[DemoCustomer], products: list[DemoProduct], *, until: datetime
) -> Year:
    """Everything that happened in the 365 days before `until`, in order of time."""
    chance = np.random.default_rng(seed)
    shelf = Shelf(products)
    first = until.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    days = [first + timedelta(days=n) for n in range(DAYS)]
    busy = np.array([season(day) for day in days])
    year = Year([], [])
    for number, person in enumerate(people):
        shopper = Shopper(person, shelf, chance)
        n_visits = int(chance.poisson(person.visits))
        for day in np.sort(chance.choice(DAYS, size=n_visits, p=busy / busy.sum())):
            _visit(shopper, number, days[int(day)], year)
    year.looks.sort(key=lambda look: look.at)
    year.purchases.sort(key=lambda purchase: purchase.at)
    return year


def _visit(shopper: Shopper, number: int, day: datetime, year: Year) -> None:
    chance = shopper.chance
    hour = int(chance.choice(shopper.person.taste.hours))
    at = day + timedelta(hours=hour, minutes=int(chance.integers(60)))
    cart: list[int] = []
    for product in shopper.wishes(1 + int(chance.poisson(2.6))):
        at += timedelta(seconds=int(chance.integers(15, 240)))
        year.looks.append(Look(at, number, "Product Viewed", int(product)))
        if chance.random() < CART_RATE:
            year.looks.append(Look(at, number, "Product Added", int(product)))
            cart.append(int(product))
    if shopper.buys(at):
        bought = cart or [int(shopper.wishes(1)[0])]
        at += timedelta(seconds=int(chance.integers(60, 600)))
        year.purchases.append(purchase(shopper, number, bought, at))


def purchase(shopper: Shopper, number: int, products: list[int], at: datetime) -> Purchase:
    chance, shelf = shopper.chance, shopper.shelf
    chosen = dict.fromkeys(products)
    if chance.random() < 0.5 and (pulled := shelf.pull[products[0]]).sum():  # noqa: PLR2004
        near = pulled * shopper.weights
        chosen[int(chance.choice(len(near), p=near / near.sum()))] = None
    on_sale = is_sale(at) or chance.random() < shopper.person.taste.thrift / 8
    lines = tuple(
        Line(
            product=product,
            quantity=2 if shelf.repeats[product] and chance.random() < 0.2 else 1,  # noqa: PLR2004
            discount_rate=SALE_DISCOUNT if on_sale else 0.0,
            refunded_after_days=int(chance.integers(4, 20))
            if chance.random() < REFUND_RATE
            else None,
        )
        for product in chosen
    )
    shopper.owned.update(chosen)
    return Purchase(at, number, lines)
