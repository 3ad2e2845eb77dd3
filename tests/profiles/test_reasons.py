"""Why somebody is in a segment or not, in words of both languages and without a plain address."""

from __future__ import annotations

from typing import Any

import pytest

from profiles import membership, reasons, segmentation
from profiles.models import Customer, Segment
from profiles.reasons import Reason
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def all_of(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"combinator": "and", "not": False, "rules": list(rules)} | more


def rule(field: str, operator: str, value: object = None, **more: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value} | more


def segment_of(*rules: dict[str, Any], name: str = "S", **more: object) -> Segment:
    return segmentation.create(name, all_of(*rules, **more), now=NOW)


def told(segment: Segment, customer: Customer, language: str = "en") -> Reason:
    found = reasons.why(segment, customer.pk, now=NOW, language=language).reason
    assert found is not None
    return found


def test_each_condition_says_whether_it_holds_and_with_which_value() -> None:
    make.shop()
    ann = make.customer("ann", city="Rome")
    make.order(ann, ("mic", "Audio", 2, 1050), days_ago=10)
    segment = segment_of(
        rule("city", "=", "Paris"),
        rule("bought_money", ">=", 2000, within_days=30),
        rule("bought_category", "=", "Audio"),
        rule("gender", "=", "female"),
    )

    found = reasons.why(segment, ann.pk, now=NOW, language="en")

    assert not found.is_in
    assert found.reason is not None
    assert [(part.holds, part.known) for part in found.reason.parts] == [
        (False, "Rome"),
        (True, "€21.00"),
        (True, "once, on February 20, 2026"),
        (False, "not known"),
    ]
    assert found.reason.parts[0].text == "city is Paris"


def test_the_words_are_those_of_the_language_asked_for() -> None:
    make.shop()
    ann = make.customer("ann")
    segment = segment_of(rule("bought_category", "=", "Audio"), rule("city", "=", "Rome"))

    reason = told(segment, ann, "zh-hans")

    assert reason.text == "以下全部"
    assert [part.known for part in reason.parts] == ["从未", "未知"]


def test_an_address_is_shown_masked() -> None:
    ann = make.customer("ann", email="ann.lee@example.com")
    segment = segment_of(rule("email", "=", "ann.lee@example.com"))

    reason = told(segment, ann)

    assert reason.holds
    assert reason.known == str(ann.email)
    assert "ann.lee" not in repr(reason)


def test_a_named_segment_shows_its_own_conditions() -> None:
    ann = make.customer("ann", city="Rome")
    inner = segment_of(rule("city", "=", "Rome"), rule("city", "=", "Paris"), combinator="or")
    outer = segment_of(rule("segment", "=", str(inner.uuid)), name="Outer")

    reason = told(outer, ann)

    assert (reason.text, reason.holds) == ("in segment “S”", True)
    assert [part.holds for part in reason.parts[0].parts] == [True, False]


def test_a_group_turned_round_holds_where_its_part_does_not() -> None:
    ann = make.customer("ann")
    segment = segmentation.create("S", all_of(rule("city", "=", "Rome")) | {"not": True}, now=NOW)

    reason = told(segment, ann)

    assert (reason.text, reason.holds) == ("not this", True)
    assert not reason.parts[0].holds


def test_whoever_may_not_be_profiled_is_in_no_segment_and_nothing_is_told() -> None:
    ann = make.customer("ann", of=make.subject(restricted=True))
    segment = segment_of()

    found = reasons.why(segment, ann.pk, now=NOW)

    assert (found.is_in, found.reason) == (False, None)


def test_the_last_stay_is_told() -> None:
    ann = make.customer("ann", city="Rome")
    segment = segment_of(rule("city", "=", "Rome"))
    membership.refresh(segment, now=NOW)

    found = reasons.why(segment, ann.pk, now=NOW)

    assert (found.entered_at, found.left_at) == (NOW, None)
