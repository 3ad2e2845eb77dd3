from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privacy.problems import DomainError
from profiles import segmentation
from profiles.features.vocabulary import Kind
from profiles.models import ClusteringRun, Customer, CustomerTraits, Persona, Segment
from profiles.segments import evaluate
from profiles.segments.rules import parse
from profiles.segments.vocabulary import FIELDS, Field, Source
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

CITIES = ("", "Paris", "Rome", "北京", "O'Hare", "100%_")
PRODUCTS = ("tv", "mic", "lens")
CATEGORIES = ("", "Audio", "Video")
CONSENTS = ("campaign.email:email", "campaign.sms:sms")


def all_of(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"combinator": "and", "not": False, "rules": list(rules)} | more


def rule(field: str, operator: str, value: object = None, **more: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value} | more


def traits(of: Customer, **columns: Any) -> CustomerTraits:
    numbers = {
        name: columns.pop(name, 0)
        for name, field in FIELDS.items()
        if field.source == Source.TRAIT and field.kind != Kind.TEXT
    }
    return CustomerTraits.objects.create(customer=of, as_of=NOW, **numbers, **columns)


def external_ids(tree: dict[str, Any]) -> set[str]:
    return set(segmentation.members(tree, NOW).values_list("external_id", flat=True))


# Two evaluators -----------------------------------------------------------------------------


@pytest.fixture
def people() -> dict[str, evaluate.Person]:
    """Sixty random customers in the database, and the same people in memory."""
    dice = random.Random(20260302)
    run = ClusteringRun.objects.create(
        as_of=NOW, created_at=NOW, currency="EUR", n_customers=9, n_clusters=2
    )
    personas = [
        Persona.objects.create(run=run, number=n, n_customers=9, share=0.5, revenue_share=0.5)
        for n in (1, 2)
    ]
    return dict(person(dice, f"c{n}", personas) for n in range(60))


def person(dice: random.Random, name: str, personas: list[Persona]) -> tuple[str, evaluate.Person]:
    columns: dict[str, Any] = {
        "city": dice.choice(CITIES),
        "country": dice.choice(CITIES),
        "locale": dice.choice(["", "en", "zh-Hans"]),
        "gender": dice.choice(["", "female", "male", "other"]),
        "occupation": dice.choice(["", "nurse"]),
    }
    birth_year = dice.choice([None, 1800, 1961, 1990, 2001, 2008, 2030])
    customer = make.customer(name, birth_year=birth_year, **columns)
    if dice.random() < 0.8:
        columns |= random_traits(dice, customer, personas)
    purchases = [purchase(dice, customer, n) for n in range(dice.randrange(3))]
    consents = frozenset(text for text in CONSENTS if dice.random() < 0.4)
    for text in consents:
        purpose, channel = text.split(":")
        make.consent(customer, purpose, channel)
    return name, evaluate.Person(columns, birth_year, [p for p in purchases if p], consents)


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
    return values | {"persona": persona.number if persona else None}


def random_value(dice: random.Random, field: Field) -> object:
    if field.kind == Kind.TEXT:
        return dice.choice(CATEGORIES)
    return dice.choice([0.0, 0.25, 1.0]) if field.kind == Kind.SHARE else dice.randrange(4)


def purchase(dice: random.Random, customer: Customer, n: int) -> evaluate.Purchase | None:
    product, category = dice.choice(PRODUCTS), dice.choice(CATEGORIES)
    days_ago, status = dice.choice([-1, 0, 1, 30, 30.5, 400]), dice.choice(["paid", "cancelled"])
    number = f"{customer.external_id}-{n}"
    make.order(
        customer, (product, category, 1, 100), days_ago=days_ago, status=status, number=number
    )
    if status == "cancelled":
        return None
    return evaluate.Purchase(product, category, NOW - timedelta(days=days_ago))


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
}
AMOUNTS = st.integers(0, 3) | st.sampled_from([-(2**53), -1, 2**31, 2**53])


def values_of(field: Field) -> st.SearchStrategy[Any]:
    if field.choices:
        return st.sampled_from(field.choices)
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
    days = draw(st.sampled_from([None, 1, 30, 365])) if field.takes_window else None
    return rule(field.name, operator, value, within_days=days)


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
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tree=trees)
def test_sql_and_memory_agree_on_random_trees(
    tree: dict[str, Any], people: dict[str, evaluate.Person]
) -> None:
    parsed = parse(tree)

    expected = {name for name, one in people.items() if evaluate.matches(parsed, one, NOW)}

    assert external_ids(tree) == expected


EXAMPLES: dict[Kind, tuple[Any, Any]] = {
    Kind.TEXT: ("Audio", "北京"),
    Kind.PRODUCT: ("tv", "mic"),
    Kind.CATEGORY: ("Audio", "Video"),
    Kind.CONSENT: CONSENTS,
    Kind.SHARE: (0.25, 1),
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


def test_sql_and_memory_agree_on_every_operator_of_every_field(
    people: dict[str, evaluate.Person],
) -> None:
    singles = [
        all_of(rule(field.name, operator, value))
        for field in FIELDS.values()
        for operator in field.operators
        for value in values_for(field, operator)
    ]

    differing = [
        tree["rules"]
        for tree in singles
        if external_ids(tree)
        != {name for name, one in people.items() if evaluate.matches(parse(tree), one, NOW)}
    ]

    assert differing == []


# Meaning -------------------------------------------------------------------------------------


def test_an_unknown_value_is_neither_equal_nor_different() -> None:
    make.customer("known", city="Rome")
    make.customer("unknown")

    assert external_ids(all_of(rule("city", "=", "Paris"))) == set()
    assert external_ids(all_of(rule("city", "!=", "Paris"))) == {"known"}
    assert external_ids(all_of(rule("city", "null"))) == {"unknown"}
    assert external_ids(all_of(rule("city", "=", "Rome"), **{"not": True})) == {"unknown"}
    assert external_ids(all_of(rule("recency_days", "<", 10), **{"not": True})) == {
        "known",
        "unknown",
    }


def test_a_rule_without_conditions_means_everybody_and_its_negation_nobody() -> None:
    make.customer("ann")

    assert external_ids(all_of()) == {"ann"}
    assert external_ids(all_of(combinator="or")) == {"ann"}
    assert external_ids(all_of(**{"not": True})) == set()


def test_lapsed_buyers_of_audio_who_agreed_to_mail() -> None:
    tree = all_of(
        rule("recency_days", ">=", 90),
        rule("bought_category", "=", "Audio"),
        rule("consent", "=", "campaign.email:email"),
    )
    for name, days, category, agreed in [
        ("right", 100, "Audio", True),
        ("too fresh", 20, "Audio", True),
        ("no audio", 100, "Video", True),
        ("no consent", 100, "Audio", False),
    ]:
        one = make.customer(name)
        traits(one, recency_days=days)
        make.order(one, ("x", category, 1, 100), days_ago=days)
        if agreed:
            make.consent(one)

    assert external_ids(tree) == {"right"}


@pytest.mark.parametrize(
    "flags", [{"restricted": True}, {"no_profiling": True}, {"erased_at": NOW}], ids=str
)
def test_who_may_not_be_profiled_is_in_no_segment(flags: dict[str, Any]) -> None:
    make.customer("ann", of=make.subject(**flags))

    assert external_ids(all_of()) == set()
    assert external_ids(all_of(rule("city", "=", "Paris"), **{"not": True})) == set()


def test_the_buyers_of_a_category_are_found_by_its_index() -> None:
    make.order(make.customer(), ("p1", "Audio", 1, 100), days_ago=1)
    bought = segmentation.members(all_of(rule("bought_category", "=", "Audio")), NOW)

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # so few rows need no index
        plan = bought.explain()

    assert "order_line_of_category" in plan


# Verbs ---------------------------------------------------------------------------------------


def test_a_segment_keeps_its_size_and_is_counted_anew() -> None:
    segment = segmentation.create("Romans", all_of(rule("city", "=", "Rome")), now=NOW)
    assert segment.n_customers == 0

    make.customer(city="Rome")
    later = NOW + timedelta(hours=1)

    assert segmentation.recount(segment, now=later) == 1
    segment.refresh_from_db()
    assert (segment.n_customers, segment.counted_at) == (1, later)


def test_a_segment_with_a_broken_rule_is_not_stored() -> None:
    with pytest.raises(DomainError, match="did you mean recency_days") as caught:
        segmentation.create("Broken", all_of(rule("recencydays", ">", 1)), now=NOW)

    assert (caught.value.code, caught.value.pointer) == ("invalid_rule", "/rule/rules/0/field")

    assert not Segment.objects.exists()


def test_a_stored_rule_that_is_read_no_more_says_so_and_holds_up_no_count() -> None:
    segment = Segment.objects.create(
        name="Old", rule=all_of(rule("shoe_size", ">", 40)), n_customers=7, created_at=NOW
    )

    said = segmentation.in_words(segment, "en", currency="EUR")

    assert said.startswith("This rule can no longer be read; put it together anew. /rule/rules/0")
    assert "shoe_size" in said
    assert "规则" in segmentation.in_words(segment, "zh-hans", currency="EUR")
    assert segmentation.recount(segment, now=NOW) is None


def test_starters_are_made_of_what_the_data_carry_and_only_once() -> None:
    assert [segment.name for segment in segmentation.create_starters(language="en", now=NOW)] == [
        "Lapsed customers",
        "Reachable by e-mail",
    ]
    for n in range(20):
        one = make.customer()
        make.order(one, ("mic", "Audio", 1, 1), days_ago=3)
        traits(one, revenue_minor=n)

    made = segmentation.create_starters(language="en", now=NOW)

    assert [(segment.name, segment.n_customers) for segment in made] == [
        ("High-value customers", 3),
        ("Bought from Audio", 20),
    ]


def test_a_rule_is_read_back_in_plain_words() -> None:
    tree = all_of(
        rule("recency_days", ">=", 90),
        all_of(
            rule("bought_category", "=", "Audio", within_days=30),
            rule("revenue_minor", "between", [10_000, 25_050]),
            combinator="or",
        ),
        all_of(rule("consent", "=", "campaign.email:email"), **{"not": True}),
    )

    assert segmentation.describe(tree, "en", currency="EUR") == (
        "Customers: days since last order is at least 90 and (bought from “Audio” in the last"
        " 30 days or net revenue is between €100.00 and €250.50) and not (agreed to E-mail"
        " campaigns)."
    )
    assert segmentation.describe(all_of(), "en") == "All customers."
    assert segmentation.describe(all_of(**{"not": True}), "en") == "Customers: not everybody."
    assert segmentation.describe(tree, "zh-hans", currency="EUR") == (
        "客户：距上次下单的天数不低于90，且（最近 30 天内购买过“Audio”类商品，或净收入介于"
        "€100.00和€250.50之间），且并非（同意邮件营销活动）。"
    )


def test_the_catalogue_offers_every_field_with_its_operators() -> None:
    cards = {card.name: card for card in segmentation.fields("en")}

    assert set(cards) == set(FIELDS)
    assert cards["gender"].choices[0] == ("female", "Female")
    assert cards["revenue_minor"].unit == "money"
    assert (">=", "is at least") in cards["n_orders"].operators
    assert cards["bought_product"].takes_window


def test_known_values_come_most_frequent_first() -> None:
    for city in ("Rome", "Rome", "Paris", ""):
        make.customer(city=city)

    assert segmentation.known_values("city") == ["Rome", "Paris"]
    assert segmentation.known_values("gender") == ["female", "male", "other"]
