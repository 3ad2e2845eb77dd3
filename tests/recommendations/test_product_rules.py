"""Rules over products: what each field means, what is refused, and what filters and boosts do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from profiles.segments.rules import RuleError
from recommendations import product_rules, rule_words, serving
from recommendations.lists import Entry
from recommendations.models import Availability, Product
from recommendations.placing import RULED_BY
from recommendations.product_rules import FIELDS, Ruling, parsed
from tests import make
from tests.make import NOW

TV = {
    "product_id": "tv", "title": "TV", "brand": "Sony", "category": "TVs", "family": "bravia",
    "tags": ["Sale", "gift"], "condition": "new", "price_minor": 75_00, "list_price_minor": 100_00,
    "cost_minor": 60_00, "stock": 3, "specs": {"watts": "65 W", "ports": ["HDMI", "USB-C"], "smart": True, "inches": 55},
    "created_at": NOW - timedelta(days=30),
}  # fmt: skip
BARE = {"product_id": "x", "title": "X", "created_at": NOW}


def tree(field: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    condition = {"field": field, "operator": operator, "value": value, **more}
    return {"combinator": "and", "not": False, "rules": [condition]}


def rule(effect: str, field: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    factor = {"factor": more.pop("factor")} if "factor" in more else {}
    return {"effect": effect, "when": tree(field, operator, value, **more), **factor}


def holds(when: dict[str, Any], **columns: Any) -> bool:
    ruling = Ruling(parsed([{"effect": "drop", "when": when}]), NOW)
    return ruling.holds_for(Product(**columns)) == [True]


@pytest.mark.parametrize(
    ("field", "operator", "value", "more"),
    [
        ("brand", "=", "sony", {}),
        ("brand", "!=", "Apple", {}),
        ("brand", "in", "Apple, Sony", {}),
        ("category", "notIn", ["Phones"], {}),
        ("product", "=", "tv", {}),
        ("family", "notNull", None, {}),
        ("tag", "=", "sale", {}),
        ("tag", "in", ["gift", "new"], {}),
        ("tag", "!=", "clearance", {}),
        ("condition", "=", "new", {}),
        ("price", "between", [7_000, 8_000], {}),
        ("list_price", ">=", 10_000, {}),
        ("discount", "=", 0.25, {}),
        ("margin", "=", 0.2, {}),
        ("stock", "<", 5, {}),
        ("availability", "=", "in_stock", {}),
        ("age_days", "=", 30, {}),
        ("spec_number", ">=", 60, {"spec": "watts"}),
        ("spec_number", "=", 55, {"spec": "inches"}),
        ("spec_text", "=", "hdmi", {"spec": "ports"}),
        ("spec_text", "=", "yes", {"spec": "smart"}),
        ("spec_text", "null", None, {"spec": "colour"}),
    ],
)
def test_a_condition_holds_of_what_a_product_is(
    field: str, operator: str, value: Any, more: dict[str, str]
) -> None:
    assert holds(tree(field, operator, value, **more), **TV)


@pytest.mark.parametrize("field", sorted(FIELDS.keys() - {"age_days", "product"}))
@pytest.mark.parametrize("operator", ["=", "!=", "null", "notNull"])
def test_what_is_not_known_is_neither_equal_nor_different(field: str, operator: str) -> None:
    of = FIELDS[field]
    if operator not in of.operators:
        return
    value = of.choices[0] if of.choices else ("1" if of.kind != "text" else "word")
    more = {"spec": "watts"} if of.keys else {}

    known = holds(tree(field, operator, value, **more), **BARE)

    has_none_of_its_tags = field == "tag" and operator == "!="
    assert known == (operator == "null" or has_none_of_its_tags)


def test_conditions_combine_by_and_or_and_not() -> None:
    sony, cheap = ({"field": "brand", "operator": "=", "value": "Sony"}), {
        "field": "price", "operator": "<", "value": 100,
    }  # fmt: skip
    both = {"combinator": "and", "rules": [sony, cheap]}

    assert not holds(both, **TV)
    assert holds({**both, "combinator": "or"}, **TV)
    assert holds({**both, "not": True}, **TV)
    assert holds({"combinator": "and", "rules": [sony, {**both, "not": True}]}, **TV)


@pytest.mark.parametrize(
    ("told", "pointer"),
    [
        ({}, ""),
        ([rule("drop", "brand", "=", "x")] * 21, ""),
        (["x"], "/0"),
        ([{"effect": "drop", "when": tree("brand", "=", "x"), "more": 1}], "/0"),
        ([rule("hide", "brand", "=", "x")], "/0/effect"),
        ([{"effect": "keep", "when": {"combinator": "and", "rules": []}}], "/0/when/rules"),
        ([rule("keep", "colour", "=", "x")], "/0/when/rules/0/field"),
        ([rule("keep", "bought_times", "=", 1)], "/0/when/rules/0/field"),
        ([rule("keep", "price", "in", [1])], "/0/when/rules/0/operator"),
        ([rule("keep", "price", "<", "cheap")], "/0/when/rules/0/value"),
        ([rule("keep", "spec_number", "<", 1)], "/0/when/rules/0/spec"),
        ([rule("keep", "brand", "=", "")], "/0/when/rules/0/value"),
        ([rule("boost", "brand", "=", "x")], "/0/factor"),
        ([rule("boost", "brand", "=", "x", factor="NaN")], "/0/factor"),
        ([rule("boost", "brand", "=", "x", factor=True)], "/0/factor"),
        ([rule("boost", "brand", "=", "x", factor=0)], "/0/factor"),
        ([rule("boost", "brand", "=", "x", factor=10.5)], "/0/factor"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(told: object, pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        parsed(told)

    assert refused.value.pointer == pointer


def test_filters_take_away_and_boosts_multiply_within_bounds() -> None:
    rules = [
        rule("keep", "category", "=", "TVs"),
        rule("drop", "brand", "=", "Sony"),
        rule("boost", "stock", ">", 0, factor=4),
        rule("boost", "tag", "=", "sale", factor=5),
    ]
    ruling = Ruling(parsed(rules), NOW)
    phone = Product(product_id="p", category="Phones", stock=1, created_at=NOW)
    other = Product(product_id="o", category="TVs", created_at=NOW)

    assert [ruling.takes_away(one) for one in (phone, Product(**TV), other)] == [0, 1, None]
    assert [ruling.factor(one) for one in (phone, Product(**TV), other)] == [4, 10, 1]


@given(st.lists(st.floats(0.1, 10), max_size=6))
def test_boosts_together_stay_within_the_bounds_of_one(factors: list[float]) -> None:
    rules = parsed([rule("boost", "brand", "=", "Sony", factor=one) for one in factors])

    assert 0.1 <= Ruling(rules, NOW).factor(Product(**TV)) <= 10


@pytest.mark.django_db
def test_what_rules_read_stands_on_the_shelf_with_one_query() -> None:
    make.product("tv")
    every = [
        rule("drop", name, "null", **({"spec": "watts"} if of.keys else {}))
        if "null" in of.operators
        else rule("drop", name, "=", "x")
        for name, of in FIELDS.items()
    ]

    with CaptureQueriesContext(connection) as queries:
        shelf = serving.on_shelf([Entry("tv", 1.0, "", ())], *RULED_BY)
        Ruling(parsed(every), NOW).holds_for(shelf["tv"])

    assert len(queries) == 1


def test_choices_are_those_of_the_catalogue() -> None:
    assert set(product_rules.CONDITIONS) == set(Product.Condition.values)
    assert set(product_rules.AVAILABILITIES) == set(Availability.values)


def test_every_field_stands_in_one_group_of_the_form() -> None:
    assert [card.name for card in rule_words.fields("en")] == list(FIELDS)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Takes away products of which this holds: brand is Sony."),
        ("zh-hans", "去除符合此条件的商品：品牌是Sony。"),
    ],
)
def test_a_rule_reads_back_in_both_languages(language: str, said: str) -> None:
    (one,) = parsed([rule("drop", "brand", "=", "Sony")])

    assert rule_words.describe(one, language, currency="EUR") == said


def test_a_boost_reads_back_with_its_amounts() -> None:
    (one,) = parsed([rule("boost", "spec_number", "<=", 65, spec="watts", factor=1.5)])
    (money,) = parsed([rule("keep", "price", "<", 5_000)])

    assert rule_words.describe(one, "en", currency="EUR") == (
        "Multiplies by 1.5 the score of products of which this holds:"
        " specification “watts” is at most 65.0."
    )
    assert "price is below €50.00" in rule_words.describe(money, "en", currency="EUR")
