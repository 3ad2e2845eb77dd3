"""The demo's world: believable, large enough, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from config.demo import catalogue, fitting, people, year
from recommendations.compatibility.judging import judge
from recommendations.compatibility.specs import read

UNTIL = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> tuple[list[catalogue.DemoProduct], list[people.DemoCustomer], year.Year]:
    products = catalogue.products(7)
    customers = people.customers(7, 400, year=2026)
    return products, customers, year.live(7, customers, products, until=UNTIL)


World = tuple[list[catalogue.DemoProduct], list[people.DemoCustomer], year.Year]


def test_every_product_sells_above_its_cost_and_speaks_two_languages() -> None:
    products = catalogue.products(7)
    assert len(products) >= 300
    assert len({product.product_id for product in products}) == len(products)
    assert all(0 < product.cost_minor < product.price_minor for product in products)
    assert all(product.title_zh != product.title for product in products)


def test_a_dearer_step_has_no_worse_specifications() -> None:
    speakers = [p for p in catalogue.products(7) if p.category.key == "speakers"]
    by_watts = sorted(speakers, key=lambda product: int(str(product.specs["watts"])))
    assert by_watts[0].price_minor < by_watts[-1].price_minor


def test_the_same_seed_makes_the_same_year(world: World) -> None:
    products, customers, made = world
    again = year.live(7, customers, products, until=UNTIL)
    assert (again.looks, again.purchases) == (made.looks, made.purchases)


def test_nothing_happens_outside_the_year_before(world: World) -> None:
    _products, _customers, made = world
    moments = [look.at for look in made.looks] + [order.at for order in made.purchases]
    assert max(moments) < UNTIL
    assert (UNTIL - min(moments)).days <= year.DAYS


def test_people_buy_what_their_taste_likes(world: World) -> None:
    products, customers, made = world
    bought = Counter(
        products[line.product].category.key
        for order in made.purchases
        if customers[order.customer].taste.key == "photographer"
        for line in order.lines
    )
    favourites = {key for key, _n in bought.most_common(2)}
    assert favourites <= {"cameras", "lenses", "cards", "storage"}


def test_the_sales_are_the_busiest_days(world: World) -> None:
    made = world[2]
    days = Counter(order.at.date() for order in made.purchases)
    sale = [
        n
        for day, n in days.items()
        if year.is_sale(datetime(day.year, day.month, day.day, tzinfo=UTC))
    ]
    rest = [
        n
        for day, n in days.items()
        if not year.is_sale(datetime(day.year, day.month, day.day, tzinfo=UTC))
    ]
    assert sum(sale) / len(sale) > 1.5 * sum(rest) / len(rest)


def test_accessories_of_the_shop_fit_some_of_its_devices_and_not_others() -> None:
    wares = catalogue.products(1)
    phones = [one for one in wares if one.category.key == "phones"]
    told = {one.product_id: read(fitting.specs_of(one, phones)) for one in wares}
    answers: dict[tuple[str, str], set[str]] = {}
    for accessory in wares:
        for device in wares:
            if device.category.name in fitting.accessory_for(accessory):
                pair = (accessory.category.key, device.category.key)
                verdict = judge(told[device.product_id].specs, told[accessory.product_id].specs)
                answers.setdefault(pair, set()).add(verdict.answer.value)

    assert [faults for _, faults in told.values() if faults] == []
    assert answers[("chargers", "laptops")] == {"yes", "no"}
    assert answers[("chargers", "phones")] == {"yes"}
    assert answers[("cases", "phones")] == {"yes", "no"}
    assert "unknown" not in set().union(*answers.values())
