"""Filling the demo shop by the same verbs a real shop's data goes through."""

from __future__ import annotations

import datetime as dt
import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from django.db import transaction

from config.demo import catalogue, fitting, people, visits, year
from privacy import consent
from privacy.models import Channel, ConsentEntry, Shop, Source, Staff
from profiles.events import merging, staging
from profiles.events.wire import Message
from profiles.importing import samples
from profiles.importing.customer_rows import CustomerRow, insert
from profiles.models import Customer
from profiles.orders import carts, ordering
from profiles.orders.ordering import LineState, OrderState, RefundState
from recommendations import catalogue as shelves

SEED = 2026
BATCH = 1_000
CONSENT_SHARE = 0.78
CURRENCY = "EUR"
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """Everything that is made up before a row is written."""

    now: datetime
    products: list[catalogue.DemoProduct]
    people: list[people.DemoCustomer]
    year: year.Year


def imagine(now: datetime, *, n_customers: int, seed: int = SEED) -> World:
    products = catalogue.products(seed)
    everybody = people.customers(seed, n_customers, year=now.year)
    return World(now, products, everybody, year.live(seed, everybody, products, until=now))


def batched(rows: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    rest = iter(rows)
    while batch := list(islice(rest, size)):
        yield batch


def open_shop(now: datetime) -> None:
    Shop.objects.update_or_create(
        pk=1,
        defaults={
            "name": "Lumen & Volt",
            "currency": CURRENCY,
            "time_zone": "Europe/London",
            "tax_rate": "0.2000",
            "margin_rate": "0.2500",
            "sender_name": "Lumen & Volt",
            "sender_email": "hello@example.com",
            "legal_footer": "Lumen & Volt, 1 Example Street, London",
            "set_up_at": now,
        },
    )


def owner(password: str) -> Staff:
    """The account of the demo, with a password that is printed and kept nowhere."""
    account, _created = Staff.objects.get_or_create(
        username="demo",
        defaults={"role": Staff.Role.ADMINISTRATOR, "email": "demo@example.com"},
    )
    account.set_password(password)
    account.save()
    return account


def source(now: datetime) -> Source:
    return Source.objects.get_or_create(
        name="Demo shop", defaults={"kind": Source.Kind.SERVER, "created_at": now}
    )[0]


def fill_shelves(world: World) -> None:
    phones = [one for one in world.products if one.category.key == "phones"]
    shelves.upsert((_facts(one, phones) for one in world.products), now=world.now)
    fitting.make_placements()


def _facts(
    product: catalogue.DemoProduct, phones: list[catalogue.DemoProduct]
) -> shelves.ProductFacts:
    chinese = {
        "title": product.title_zh,
        "description": product.description_zh,
        "category": product.category.name_zh,
    }
    return shelves.ProductFacts(
        product_id=product.product_id,
        title=product.title,
        category=product.category.name,
        brand=product.brand,
        description=product.description,
        translations={"zh-hans": chinese},
        specs=fitting.specs_of(product, phones),
        accessory_for=fitting.accessory_for(product),
        price_minor=product.price_minor,
        cost_minor=product.cost_minor,
        is_consumable=product.category.repeat_days > 0,
    )


def register_people(world: World) -> None:
    chance = random.Random(SEED)  # noqa: S311 -- invented people
    rows = [_person(n, person, chance, world.now.date()) for n, person in enumerate(world.people)]
    for batch in batched(rows):
        insert(batch, now=world.now)
    _give_consents(rows, world.now, chance)


def _person(
    number: int, person: people.DemoCustomer, chance: random.Random, today: dt.date
) -> CustomerRow:
    is_chinese = person.locale.startswith("zh")
    full_name, local = samples.name(person.gender, is_chinese=is_chinese, chance=chance)
    born = dt.date(person.birth_year, chance.randint(1, 12), chance.randint(1, 28))
    return CustomerRow(
        external_id=person.external_id,
        full_name=full_name,
        email=f"{local}.{number}@example.com",
        phone=samples.phone(person.country, chance) if chance.random() < CONSENT_SHARE else "",
        locale=person.locale,
        country=person.country,
        time_zone="Asia/Shanghai" if is_chinese else "Europe/London",
        city=person.city,
        birth_date=min(born, today - dt.timedelta(days=366 * 16)),
        gender=person.gender,
        occupation=person.occupation,
    )


def _give_consents(rows: Sequence[CustomerRow], now: datetime, chance: random.Random) -> None:
    subjects = dict(Customer.objects.values_list("external_id", "subject__uuid"))
    given = [
        consent.Declaration(
            subject=subjects[row.external_id],
            purpose="campaign.email",
            channel=Channel.EMAIL,
            state=ConsentEntry.State.GIVEN,
            wording=samples.WORDING["zh" if row.locale.startswith("zh") else "en"],
            source="checkout",
            happened_at=now - timedelta(days=year.DAYS - chance.randint(0, 60)),
        )
        for row in rows
        if chance.random() < CONSENT_SHARE
    ]
    for batch in batched(given):
        consent.record_many(batch, now=now)


def tell_events(world: World) -> None:
    """Stage and merge every look of the year, as if each had come through the API.

    Of the last weeks each day comes in on its own, and carts that rest are looked for meanwhile.
    """
    visitors = visits.Visitors(world.people, SEED)
    names = [person.external_id for person in world.people]
    looks = [*world.year.looks, *visits.of_the_last_hour(world.year.looks, world.now)]
    told = 0
    for day in visits.days(world.now):
        until = bisect_left(looks, day, lo=told, key=attrgetter("at"))
        numbered = enumerate(looks[told:until], start=told)
        _tell((_message(n, look, world, visitors.context(look)) for n, look in numbered), day)
        told = until
        visits.close_bought(world.year.purchases, names, day)
        carts.sweep(day)


def _tell(messages: Iterable[Message], now: datetime) -> None:
    shop = source(now)
    for batch in batched(messages, 20_000):
        with transaction.atomic():
            staging.write(batch, source_id=shop.pk, is_confirmed=True, received_at=now)
    while merging.merge(now, limit=50_000):
        pass


def _message(number: int, look: year.Look, world: World, context: dict[str, Any]) -> Message:
    product = world.products[look.product]
    properties = {"category": product.category.name, "price": product.price_minor / 100}
    if cart := visits.cart_of(look, world.now):
        properties |= {"cart_id": cart, "product_id": product.product_id, "name": product.title}
    return Message(
        kind="track",
        message_id=f"demo-{number}",
        name=look.name,
        user_id=world.people[look.customer].external_id,
        anonymous_id="",
        previous_id="",
        product_id=product.product_id,
        properties=properties,
        context=context,
        happened_at=look.at,
    )


def take_orders(world: World, purchases: Iterable[year.Purchase], prefix: str = "") -> None:
    shop = source(world.now)
    states = (_order(f"{prefix}{n + 100_001}", one, world) for n, one in enumerate(purchases))
    for batch in batched(states):
        ordering.upsert(batch, source_id=shop.pk, now=world.now)


def _order(number: str, purchase: year.Purchase, world: World) -> OrderState:
    person = world.people[purchase.customer]
    return OrderState(
        number=number,
        stated_at=purchase.at,
        placed_at=purchase.at,
        currency=CURRENCY,
        customer_id=person.external_id,
        country=person.country,
        coupon="SALE15" if any(line.discount_rate for line in purchase.lines) else "",
        lines=tuple(_line(line, world) for line in purchase.lines),
        refunds=tuple(
            RefundState(
                key=f"R{number}-{place}",
                refunded_at=purchase.at + timedelta(days=line.refunded_after_days),
                product_id=world.products[line.product].product_id,
            )
            for place, line in enumerate(purchase.lines)
            if line.refunded_after_days
            and purchase.at + timedelta(days=line.refunded_after_days) < world.now
        ),
    )


def _line(line: year.Line, world: World) -> LineState:
    product = world.products[line.product]
    return LineState(
        product_id=product.product_id,
        quantity=line.quantity,
        unit_price_minor=product.price_minor,
        discount_minor=round(product.price_minor * line.quantity * line.discount_rate),
        title=product.title,
        category=product.category.name,
    )
