"""A rule in SQL and the same rule in memory mean the same people: random trees, random data.

SEGMENT_TREES=10000 asks for as many trees; the default keeps the suite short.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiles import segment_person, segment_rules, segmentation
from profiles.features.vocabulary import Kind
from profiles.models import (
    ClusteringRun,
    Customer,
    CustomerTraits,
    CustomTrait,
    CustomTraitValue,
    Event,
    Persona,
    Segment,
    StaticList,
    StaticListMember,
)
from profiles.models.quality import NOT_COUNTED, Quality
from profiles.segment_sql import compiled, these
from profiles.segments import evaluate
from profiles.segments.vocabulary import FIELDS, Field, Source
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

ZONE = ZoneInfo("Pacific/Auckland")  # where days begin far from those of UTC
N_TREES = int(os.environ.get("SEGMENT_TREES", "400"))
CITIES = ("", "Paris", "Rome", "北京", "O'Hare", "100%_")
PRODUCTS = ("tv", "mic", "lens")
BRANDS = {"tv": "Sonic", "mic": "Sonic", "lens": "Vista"}
CATEGORIES = ("", "Audio", "Video")
CONSENTS = ("campaign.email:email", "campaign.sms:sms")
EVENTS = ("Product Viewed", "Product Added", "Order Completed")
TOLD: tuple[Any, ...] = (
    "Audio", "5", "true", "null", 5, 5.0, 0.25, True, False, None, ["Audio"], {"a": 1}, [], {}, [5],
    -3, 19.99, 0.1, 0.2, 1e-7, 10**9, 10**9 + 1, 1e300, 10**30,
)  # fmt: skip
SUMS = (0, 5, 5.25, 19.99, 0.3, 0.1 + 0.2, 1e9, -3, 16.990000000001, 2**53)
EMAILS = ("ann@example.com", "bo+shop@example.com", "cy@example.com")
LISTS = ("11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-222222222222")
OWN = {"custom_number": "points", "custom_text": "plan"}
PHONES = ("+4366012345678", "+8613800138000")
MARKS = ("", "", "", "", *filter(None, Quality.values))


def all_of(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"combinator": "and", "not": False, "rules": list(rules)} | more


def rule(field: str, operator: str, value: object = None, **more: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value} | more


def external_ids(tree: dict[str, Any]) -> set[str]:
    return set(segmentation.members(tree, NOW).values_list("external_id", flat=True))


NAMED = {
    "22222222-2222-4222-8222-111111111111": all_of(rule("city", "=", "Rome")),
    "22222222-2222-4222-8222-222222222222": all_of(
        rule("segment", "=", "22222222-2222-4222-8222-111111111111"),
        rule("bought_times", ">=", 1),
        combinator="or",
    ),
    "22222222-2222-4222-8222-333333333333": all_of(),
}


class People(dict[str, evaluate.Person]):
    """Customers by their id, in few words where a failing tree is shown."""

    def __repr__(self) -> str:
        return f"<{len(self)} people>"


@pytest.fixture
def people() -> People:
    """Sixty random customers in the database, and the same people in memory."""
    dice = random.Random(20260302)
    make.shop(time_zone=ZONE.key)
    run = ClusteringRun.objects.create(
        as_of=NOW, created_at=NOW, currency="EUR", n_customers=9, n_clusters=2
    )
    personas = [
        Persona.objects.create(
            run=run, number=3 - n, key=n, n_customers=9, share=0.5, revenue_share=0.5
        )
        for n in (1, 2)
    ]
    for product_id, brand in BRANDS.items():
        make.product(product_id, brand=brand)
    for uuid in LISTS:
        StaticList.objects.create(uuid=uuid, name=uuid, created_at=NOW)
    for field, name in OWN.items():
        CustomTrait.objects.create(
            name=name, label=name, kind=field.removeprefix("custom_"), event="E",
            aggregate="last", property_path="p", created_at=NOW,
        )  # fmt: skip
    for uuid, tree in NAMED.items():
        Segment.objects.create(
            uuid=uuid, name=uuid, rule=segment_rules.stored(tree), created_at=NOW
        )
    return People(person(dice, f"c{n}", personas) for n in range(60))


def person(dice: random.Random, name: str, personas: list[Persona]) -> tuple[str, evaluate.Person]:
    columns: dict[str, Any] = {
        "city": dice.choice(CITIES),
        "country": dice.choice(CITIES),
        "locale": dice.choice(["", "en", "zh-Hans"]),
        "gender": dice.choice(["", "female", "male", "other"]),
        "occupation": dice.choice(["", "nurse"]),
    }
    birth_year = dice.choice([None, 1800, 1961, 1990, 2001, 2008, 2030])
    email = dice.choice(["", "", *EMAILS]) if name in {"c1", "c2", "c3", "c4"} else ""
    email = "" if Customer.objects.filter(email=email or "x@x.de").exists() else email
    phone = dice.choice([None, *PHONES])
    customer = make.customer(
        name, birth_year=birth_year, email=email or None, phone=phone, **columns
    )
    if dice.random() < 0.8:
        columns |= random_traits(dice, customer, personas)
    purchases = [line for n in range(dice.randrange(4)) for line in purchased(dice, customer, n)]
    consents = frozenset(text for text in CONSENTS if dice.random() < 0.4)
    for text in consents:
        purpose, channel = text.split(":")
        make.consent(customer, purpose, channel)
    lists = frozenset(uuid for uuid in LISTS if dice.random() < 0.3)
    StaticListMember.objects.bulk_create(
        StaticListMember(
            static_list=StaticList.objects.get(uuid=uuid), customer=customer, added_at=NOW
        )
        for uuid in lists
    )
    return name, evaluate.Person(
        columns,
        birth_year,
        purchases,
        consents,
        events=list(happened(dice, customer)),
        tags=tags(customer),
        lists=lists,
        custom=own(dice, customer),
    )


def own(dice: random.Random, customer: Customer) -> dict[str, float | str]:
    """Values of the shop's own traits: one a number, one a text, some of neither."""
    found: dict[str, float | str] = {}
    if dice.random() < 0.6:
        found["points"] = dice.choice([0.0, 0.5, 3.0])
    if dice.random() < 0.6:
        found["plan"] = dice.choice(["Audio", "Video", "nurse"])
    for name, value in found.items():
        CustomTraitValue.objects.create(
            trait=CustomTrait.objects.get(name=name),
            customer=customer,
            text=value if isinstance(value, str) else "",
            number=None if isinstance(value, str) else value,
        )
    return found


def tags(customer: Customer) -> dict[str, str]:
    known = {
        "email": customer.email_suppression_tag,
        "phone": customer.phone_suppression_tag,
    }
    return {name: f"tag:{bytes(tag).hex()}" for name, tag in known.items() if tag is not None}


def happened(dice: random.Random, customer: Customer) -> Iterator[evaluate.Happening]:
    """Things tracked; some a whole number of hours or days before another, some no person's."""
    for n in range(dice.randrange(6)):
        mark = dice.choice(MARKS)
        told = tracked(dice, customer, n, quality=mark)
        if mark not in NOT_COUNTED:
            yield told


def tracked(dice: random.Random, customer: Customer, n: int, *, quality: str) -> evaluate.Happening:
    at = NOW - timedelta(hours=dice.choice([-1, 0, 1, 2, 24, 25, 48, 720, 9_600]))
    properties = {name: dice.choice(TOLD) for name in ("kind", "n") if dice.random() < 0.6}
    event = Event.objects.create(
        source=make.source(),
        message_id=f"{customer.external_id}-{n}",
        kind=dice.choice(["track", "track", "page"]),
        name=dice.choice(EVENTS),
        customer=customer,
        properties=properties,
        quality=quality,
        happened_at=at,
        received_at=NOW,
    )
    name = event.name if event.kind == "track" else f"page {event.name}"
    return evaluate.Happening(name, at, properties)


def random_traits(
    dice: random.Random, customer: Customer, personas: list[Persona]
) -> dict[str, Any]:
    values: dict[str, Any] = {
        field.name: random_value(dice, field)
        for field in FIELDS.values()
        if field.source == Source.TRAIT
    }
    values["order_gap_days"] = dice.choice([None, 0.5, 3.0])
    persona = dice.choice([None, *personas])
    CustomerTraits.objects.create(customer=customer, as_of=NOW, persona=persona, **values)
    return values | {"persona": persona.key if persona else None}


def random_value(dice: random.Random, field: Field) -> object:
    if field.kind == Kind.TEXT:
        return dice.choice(CATEGORIES)
    return dice.choice([0.0, 0.25, 1.0]) if field.kind == Kind.SHARE else dice.randrange(4)


def purchased(dice: random.Random, customer: Customer, n: int) -> list[evaluate.Purchase]:
    days_ago = dice.choice([-1, 0, 1, 1, 2, 30, 30.5, 400])
    status, currency = dice.choice(["paid", "paid", "cancelled"]), dice.choice(["EUR", "USD"])
    items = [
        (dice.choice(PRODUCTS), dice.choice(CATEGORIES), dice.randrange(1, 3), dice.randrange(3))
        for _line in range(dice.randrange(1, 4))
    ]
    number = f"{customer.external_id}-{n}"
    mark = dice.choice(MARKS)
    make.order(
        customer, *items, days_ago=days_ago, status=status, number=number, currency=currency,
        quality=mark,
    )  # fmt: skip
    if status == "cancelled" or mark in NOT_COUNTED:
        return []
    return [
        evaluate.Purchase(
            product_id=product,
            category=category,
            placed_at=NOW - timedelta(days=days_ago),
            order=number,
            brand=BRANDS[product],
            quantity=quantity,
            total_minor=quantity * price,
            currency=currency,
        )
        for product, category, quantity, price in items
    ]


VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.sampled_from([*filter(None, CITIES), "en", "nurse", "Audio", "Video"]),
    Kind.PRODUCT: st.sampled_from(PRODUCTS),
    Kind.CATEGORY: st.sampled_from(CATEGORIES[1:]),
    Kind.CONSENT: st.sampled_from([*CONSENTS, "campaign.email:sms"]),
    Kind.SHARE: st.sampled_from([0, 0.2, 0.25, 1]),
    Kind.DECIMAL: st.sampled_from([-1, 0.5, 0.75, 3, 1e12]),
    Kind.HOUR: st.integers(0, 3),
    Kind.WEEKDAY: st.integers(0, 3),
    Kind.PERSONA: st.integers(1, 3),
    Kind.BRAND: st.sampled_from(["Sonic", "Vista", "None"]),
    Kind.DAYS: st.integers(0, 31) | st.sampled_from([-1, 365, 400, 401, 2**53]),
    Kind.EVENT: st.sampled_from(EVENTS),
    Kind.SEGMENT: st.sampled_from(list(NAMED)),
    Kind.LIST: st.sampled_from(LISTS),
}
SEALED_VALUES = {
    "email": st.sampled_from([*EMAILS, "bo@example.com", "nobody@example.com"]),
    "phone": st.sampled_from([*PHONES, "+4366099999999"]),
}
# About the days on which people of the fixture bought and did things, in the shop's time zone.
DATES = st.sampled_from(
    [(NOW - timedelta(days=days)).date().isoformat() for days in (401, 400, 30, 2, 1, 0, -1)]
)
AMOUNTS = st.integers(0, 3) | st.sampled_from([-(2**53), -1, 2**31, 2**53])


def values_of(field: Field) -> st.SearchStrategy[Any]:
    if field.name in SEALED_VALUES:
        return SEALED_VALUES[field.name]
    if field.choices:
        return st.sampled_from(field.choices)
    if field.name == "event_sum":
        return st.sampled_from(SUMS)
    return VALUES.get(field.kind, AMOUNTS)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(list(FIELDS.values())))
    operator = draw(st.sampled_from(field.operators))
    value: Any = draw(values_of(field))
    if operator in {"in", "notIn"}:
        value = [value, draw(values_of(field))]
    if operator in {"between", "notBetween"}:
        value = sorted([value, draw(values_of(field))])
    window = draw(windows()) if field.takes_window else {}
    return rule(field.name, operator, value, **window, **draw(further(field)))


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    """Nothing, days back, dates, or both; some hold no moment at all."""
    late, early = draw(st.sampled_from([(None, None), (1, None), (30, 1), (365, 30), (None, 2)]))
    first, last = sorted(draw(st.tuples(DATES, DATES)))
    dates = draw(st.sampled_from([{}, {}, {"from_date": first}, {"to_date": last}]))
    both = draw(st.booleans())
    if dates and both:
        dates = {"from_date": first, "to_date": last}
    return {"within_days": late, "before_days": early, **dates}


def _is_filter(value: object) -> bool:
    return type(value) in {int, float} and abs(float(str(value))) < 2**53


def further(field: Field) -> st.SearchStrategy[dict[str, Any]]:
    """The keys that narrow a condition or time it."""
    if field.source == Source.ORDERS:
        return st.fixed_dictionaries(
            {},
            optional={
                "product": st.sampled_from(PRODUCTS),
                "category": st.sampled_from(CATEGORIES[1:]),
                "brand": st.sampled_from(["Sonic", "Vista", "None"]),
            },
        )
    if field.source == Source.CUSTOM:
        return st.just({"trait": OWN[field.name]})
    if field.source not in {Source.EVENTS, Source.SEQUENCE}:
        return st.just({})
    told = st.sampled_from([one for one in TOLD if isinstance(one, str) or _is_filter(one)])
    filtered: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.fixed_dictionaries(
        {"property": st.sampled_from(["kind", "n", "absent"]), "equals": told}
    )
    fixed: dict[str, st.SearchStrategy[Any]] = {"event": st.sampled_from(EVENTS)}
    if field.name == "event_sum":
        fixed["summed"] = st.sampled_from(["kind", "n", "absent"])
    if field.source == Source.SEQUENCE:
        fixed["within_hours"] = st.sampled_from([1, 2, 23, 24, 48])
    return st.tuples(st.fixed_dictionaries(fixed), filtered).map(lambda two: two[0] | two[1])


def groups(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            "combinator": st.sampled_from(["and", "or"]),
            "not": st.booleans(),
            "rules": st.lists(parts, min_size=1, max_size=4),
        }
    )


trees = st.recursive(groups(conditions()), lambda inner: groups(inner | conditions()), max_leaves=8)


@settings(
    max_examples=N_TREES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tree=trees)
def test_sql_and_memory_agree_on_random_trees(tree: dict[str, Any], people: People) -> None:
    assert external_ids(tree) == in_memory(tree, people)


def in_memory(tree: dict[str, Any], people: People) -> set[str]:
    one = segment_rules.parsed(tree)
    rules = {uuid: segment_rules.parsed(inner) for uuid, inner in NAMED.items()}
    return {
        name
        for name, person in people.items()
        if evaluate.matches(one, person, NOW, rules=rules, currency="EUR", zone=ZONE)
    }


EXAMPLES: dict[Kind, tuple[Any, Any]] = {
    Kind.TEXT: ("Audio", "北京"),
    Kind.PRODUCT: ("tv", "mic"),
    Kind.CATEGORY: ("Audio", "Video"),
    Kind.CONSENT: CONSENTS,
    Kind.SHARE: (0.25, 1),
    Kind.BRAND: ("Sonic", "Vista"),
    Kind.EVENT: EVENTS[:2],
    Kind.SEALED: EMAILS[:2],
    Kind.SEGMENT: (next(iter(NAMED)), list(NAMED)[1]),
    Kind.LIST: LISTS,
}


def values_for(field: Field, operator: str) -> list[Any]:
    first, second = field.choices[:2] or EXAMPLES.get(field.kind, (1, 2))
    match operator:
        case "null" | "notNull":
            return [None]
        case "in" | "notIn" | "between" | "notBetween":
            return [[first, second]]
        case _:
            return [first, second]


def needed(field: Field) -> dict[str, Any]:
    """The keys without which the field says nothing."""
    keys = {
        "event": "Product Viewed",
        "within_hours": 24,
        "summed": "n",
        "trait": OWN.get(field.name),
    }
    return {key: keys[key] for key in field.keys if key in keys}


def singles() -> list[dict[str, Any]]:
    """Every operator of every field, each alone in a tree."""
    return [
        all_of(rule(field.name, operator, value, **needed(field)))
        for field in FIELDS.values()
        for operator in field.operators
        for value in values_for(field, operator)
        if field.name != "phone"
    ]


def differing(people: People) -> list[Any]:
    return [one["rules"] for one in singles() if external_ids(one) != in_memory(one, people)]


def test_sql_and_memory_agree_on_every_operator_of_every_field(people: People) -> None:
    assert differing(people) == []


def test_sql_and_the_customers_as_reasons_read_them_agree_on_every_operator(
    people: People,
) -> None:
    rules = [segment_rules.parsed(tree) for tree in [*singles(), *NAMED.values()]]
    customers = Customer.objects.in_bulk(people, field_name="external_id")

    read = People((name, segment_person.person(one, rules, NOW)) for name, one in customers.items())

    assert differing(read) == []


def test_a_rule_asked_of_some_means_those_of_them_whom_it_means(people: People) -> None:
    names = set(list(people)[::3])
    asked = Customer.objects.filter(external_id__in=names)
    some = list(asked.values_list("pk", flat=True))

    def among(tree: dict[str, Any]) -> set[str]:
        rule = segment_rules.checked(tree)
        found = Customer.objects.filter(compiled(rule, NOW, among=these(some)))
        return set(found.values_list("external_id", flat=True))

    wrong = [tree["rules"] for tree in singles() if among(tree) != external_ids(tree) & names]

    assert wrong == []


def test_of_a_few_those_are_told_who_are_members(people: People) -> None:
    names = set(list(people)[::3])
    asked = Customer.objects.filter(external_id__in=names)
    some = list(asked.values_list("pk", flat=True))
    rules = [tree["rules"][0] for tree in singles()]
    pairs = [
        {"combinator": combinator, "not": is_none, "rules": [one, other]}
        for one, other in zip(rules[::5], rules[7::5] + rules[:7:5], strict=False)
        for combinator, is_none in (("and", False), ("or", False), ("and", True))
    ]

    wrong = [
        tree["rules"]
        for tree in [*singles(), *pairs]
        if set(segmentation.of_these(some, tree, NOW))
        != {*segmentation.members(tree, NOW).values_list("pk", flat=True)} & {*some}
    ]

    assert wrong == []
