import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.segments.rules import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    Condition,
    Group,
    RuleError,
    parse,
)


def rule(field: object, operator: str, value: object = None, **more: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value} | more


def group(*rules: object, **more: object) -> dict[str, Any]:
    return {"combinator": "and", "not": False, "rules": list(rules)} | more


def only(tree: dict[str, Any]) -> Condition:
    (part,) = parse(group(tree)).parts
    assert isinstance(part, Condition)
    return part


def test_a_nested_tree_becomes_frozen_groups_and_conditions() -> None:
    parsed = parse(
        group(
            rule("recency_days", ">=", 90),
            group(rule("city", "=", "Paris"), combinator="or", **{"not": True}),
        )
    )

    first, second = parsed.parts
    assert isinstance(first, Condition)
    assert isinstance(second, Group)
    assert (first.field.name, first.operator, first.value) == ("recency_days", ">=", 90)
    assert (second.combinator, second.negated) == ("or", True)


def test_the_builders_own_keys_and_textual_values_are_read() -> None:
    assert only(rule("n_orders", ">", "3", id="a", valueSource="value")).value == 3
    assert only(rule("n_orders", "between", "1, 4")).value == (1, 4)
    assert only(rule("city", "in", "Paris, Rome")).value == ("Paris", "Rome")
    assert only(rule("city", "null", "ignored")).value is None
    assert only(rule("bought_product", "=", "tv", within_days="30")).window.within_days == 30


@pytest.mark.parametrize(
    ("tree", "pointer", "message"),
    [
        ([], "", "an object"),
        ({"rules": 3}, "/rules", "a list"),
        (group(combinator="xor"), "/combinator", "'xor' is neither"),
        (group(**{"not": 1}), "/not", "true or false"),
        (group(group()), "/rules/0/rules", "empty"),
        (group("and"), "/rules/0", "an object"),
        (group(rule("recency_day", ">", 1)), "/rules/0/field", "did you mean recency_days"),
        (group(rule(["city"], ">", 1)), "/rules/0/field", "there is no field ['city']"),
        (group(rule("city", "~", "x")), "/rules/0/operator", "city takes =, !=, in"),
        (group(rule("city", "=", 7)), "/rules/0/value", "a text"),
        (group(rule("city", "=", "a\0b")), "/rules/0/value", "cannot be stored"),
        (group(rule("city", "=", "\ud800")), "/rules/0/value", "cannot be stored"),
        (group(rule("city", "=", "x" * 201)), "/rules/0/value", "200 characters"),
        (group(rule("city", "in", [])), "/rules/0/value", "at least one"),
        (group(rule("city", "in", ["a", None])), "/rules/0/value/1", "a text"),
        (group(rule("gender", "=", "f")), "/rules/0/value", "female, male, other"),
        (group(rule("n_orders", "=", 1.5)), "/rules/0/value", "whole number"),
        (group(rule("n_orders", "=", value=True)), "/rules/0/value", "a number"),
        (group(rule("n_orders", "=", "nan")), "/rules/0/value", "a number"),
        (group(rule("n_orders", "=", 10**30)), "/rules/0/value", "outside"),
        (group(rule("n_orders", "between", [4, 1])), "/rules/0/value", "empty: 4 is above 1"),
        (group(rule("n_orders", "between", [4])), "/rules/0/value", "two numbers"),
        (group(rule("refund_share", ">", 30)), "/rules/0/value", "outside 0 to 1"),
        (group(rule("consent", "=", "email")), "/rules/0/value", "purpose:channel"),
        (group(rule("city", "=", "x", within_days=3)), "/rules/0/within_days", "no window"),
        (group(rule("bought_product", "=", "x", within_days=0)), "/rules/0/within_days", "outside"),
        (group(rule("bought_product", "=", "x", witin_days=3)), "/rules/0", "mean within_days"),
        (group(rule("bought_times", "=", 1, from_date="March")), "/rules/0/from_date", "a date"),
        (group(rule("bought_times", "=", 1, to_date="20260331")), "/rules/0/to_date", "a date"),
        (group(rule("bought_times", "=", 1, to_date="9999-12-31")), "/rules/0/to_date", "years"),
        (
            group(rule("bought_times", "=", 1, from_date="2026-03-02", to_date="2026-03-01")),
            "/rules/0/to_date",
            "empty",
        ),
        (
            group(rule("bought_times", "=", 1, within_days=30, before_days="30")),
            "/rules/0/before_days",
            "empty",
        ),
        (group(rule("city", "=", "x", valueSource="field")), "/rules/0/valueSource", "value"),
    ],
)
def test_a_fault_is_named_with_its_place(tree: object, pointer: str, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(tree)

    assert caught.value.pointer == pointer
    assert message in caught.value.message


def test_depth_and_size_are_bounded() -> None:
    leaf = rule("n_orders", "=", 1)
    tree: Any = leaf
    for _level in range(MAX_DEPTH):
        tree = group(tree)
    parse(tree)

    with pytest.raises(RuleError, match="nested deeper"):
        parse(group(tree))
    with pytest.raises(RuleError, match="at most 200"):
        parse(group(*[leaf] * (MAX_CONDITIONS + 1)))
    with pytest.raises(RuleError, match="too many"):
        parse(group(*[group(*[leaf] * 101)] * 2))


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["combinator", "not", "rules", "field", "operator", "value", "x"]),
            inner | st.sampled_from(["and", "recency_days", "bought_product", "=", "in"]),
        )
    ),
)


@given(json)
def test_whatever_comes_in_is_a_rule_or_a_rule_error(tree: object) -> None:
    with contextlib.suppress(RuleError):
        assert isinstance(parse(tree), Group)
