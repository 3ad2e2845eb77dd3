"""Traits a shop makes of its own events: declared, tried, computed, compared, versioned, given up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy.models import Staff
from privacy.problems import DomainError
from profiles import asking, custom_traits, persona_words, segmentation
from profiles.features import attributes
from profiles.models import (
    Customer,
    CustomTrait,
    CustomTraitValue,
    CustomTraitVersion,
    Event,
    Segment,
)
from profiles.traits import custom, featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def event(
    by: Customer | None, days_ago: float = 1, name: str = "Points Earned", **properties: Any
) -> Event:
    return Event.objects.create(
        source=make.source(), message_id=f"m{Event.objects.count()}", kind="track", name=name,
        customer=by, properties=properties, happened_at=NOW - timedelta(days=days_ago),
        received_at=NOW,
    )  # fmt: skip


def declared(**facts: Any) -> CustomTrait:
    known = {"name": "points", "label": "Points", "event": "Points Earned", "aggregate": "sum",
             "property_path": "points"}  # fmt: skip
    return custom_traits.declare(known | facts, now=NOW)


def work_off(at: datetime = NOW) -> None:
    """Run what was asked for, in the order it was."""
    while job := Job.objects.filter(kind=asking.TRAIT, state=Job.State.QUEUED).first():
        done = running.run(job.pk, clock=lambda: at)
        assert done is not None
        assert done.state == Job.State.DONE, done.error_detail


def values(trait: CustomTrait) -> dict[str, float | str]:
    kept = CustomTraitValue.objects.filter(trait=trait)
    return {
        name: text if number is None else number
        for name, number, text in kept.values_list("customer__external_id", "number", "text")
    }


def rule(trait: str, operator: str, value: Any = None, *, kind: str = "number") -> dict[str, Any]:
    one = {"field": f"custom_{kind}", "trait": trait, "operator": operator, "value": value}
    return {"combinator": "and", "not": False, "rules": [one]}


def members(tree: dict[str, Any]) -> set[str]:
    return set(segmentation.members(tree, NOW).values_list("external_id", flat=True))


# What is computed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "value"),
    [
        ({"aggregate": "sum"}, 22.5),
        ({"aggregate": "avg"}, 7.5),
        ({"aggregate": "first"}, 10),
        ({"aggregate": "last"}, 2.5),
        ({"aggregate": "distinct"}, 4),
        ({"aggregate": "count"}, 4),
        ({"aggregate": "count", "property_path": ""}, 5),
        ({"aggregate": "sum", "window_days": 30}, 2.5),
        ({"aggregate": "last", "kind": "text"}, "lots"),
        ({"aggregate": "last", "kind": "text", "property_path": "shop.city"}, "Graz"),
    ],
)
def test_each_aggregate_reads_what_fits_its_kind(facts: dict[str, Any], value: float | str) -> None:
    ann = make.customer("ann")
    event(ann, 90, points=10, shop={"city": "Graz"})
    event(ann, 80, points=10, shop={"city": 7})
    event(ann, 70, points="lots")
    event(ann, 60, points=None)
    event(ann, 5, points=2.5)
    event(ann, 5, name="Other", points=1_000)
    event(ann, -5, points=1_000)
    # Of the same value twice, `distinct` counts one.
    expected = value if facts["aggregate"] != "distinct" else 3

    trait = declared(**facts)
    work_off()

    assert values(trait) == {"ann": expected}


def test_whoever_did_nothing_or_may_not_be_profiled_has_no_value() -> None:
    event(make.customer("ann"), points=3)
    make.customer("bob")
    event(make.customer("cyd", of=make.subject(no_profiling=True)), points=3)
    event(None, points=3)

    trait = declared()
    work_off()

    assert values(trait) == {"ann": 3}
    assert CustomTrait.objects.get().filled_version == 1


def test_what_cleaning_marked_does_not_count() -> None:
    ann = make.customer("ann")
    event(ann, points=3)
    Event.objects.filter(pk=event(ann, points=500).pk).update(quality="bot")

    trait = declared()
    work_off()

    assert values(trait) == {"ann": 3}


def test_a_build_makes_own_traits_anew_and_an_event_that_leaves_the_window_is_not_kept() -> None:
    make.shop()
    ann = make.customer("ann")
    event(ann, 29, points=3)
    event(ann, 1, points=4)
    trait = declared(window_days=30)
    featuring.build_traits(NOW)
    assert values(trait) == {"ann": 7}

    n_refreshed = featuring.build_traits(NOW + timedelta(days=2))

    assert values(trait) == {"ann": 4}
    assert n_refreshed == 1


def test_a_trait_declared_since_makes_the_next_build_a_full_one() -> None:
    make.shop()
    ann = make.customer("ann")
    event(ann, points=3)
    featuring.build_traits(NOW)

    trait = declared()
    featuring.build_traits(NOW + timedelta(hours=1))

    assert values(trait) == {"ann": 3}
    assert not custom.unfilled().exists()


def test_a_person_who_refuses_profiling_loses_the_values() -> None:
    make.shop()
    ann = make.customer("ann")
    event(ann, points=3)
    trait = declared()
    featuring.build_traits(NOW)
    ann.subject.no_profiling = True
    ann.subject.save()

    featuring.build_traits(NOW + timedelta(hours=1))

    assert values(trait) == {}


def test_a_build_asks_one_statement_for_a_trait_however_many_customers() -> None:
    make.shop()

    def queries(n: int) -> int:
        for number in range(n):
            event(make.customer(f"c{n}-{number}"), points=number)
        with CaptureQueriesContext(connections["default"]) as found:
            featuring.build_traits(NOW, everybody=True)
        return len(found)

    declared()
    few = queries(2)
    assert queries(30) == few
    declared(name="other", label="Other")
    assert queries(3) == few + 1


# Segments, pages, personas ------------------------------------------------------------------------


def test_segments_compare_numbers_and_texts_and_unknown_values_are_neither() -> None:
    ann, bob = make.customer("ann"), make.customer("bob")
    make.customer("cyd")
    event(ann, points=10, plan="gold")
    event(bob, points=3, plan="basic")
    declared()
    declared(name="plan", label="Plan", aggregate="last", kind="text", property_path="plan")
    work_off()

    assert members(rule("points", ">=", 5)) == {"ann"}
    assert members(rule("points", "!=", 3)) == {"ann"}
    assert members(rule("points", "null")) == {"cyd"}
    assert members(rule("points", "between", [3, 4])) == {"bob"}
    assert members(rule("plan", "in", ["gold", "x"], kind="text")) == {"ann"}
    assert members(rule("plan", "!=", "gold", kind="text")) == {"bob"}
    assert members({**rule("plan", "=", "gold", kind="text"), "not": True}) == {"bob", "cyd"}


def test_a_rule_reads_with_the_traits_label() -> None:
    declared()

    assert (
        segmentation.describe(rule("points", ">", 5), "en") == "Customers: “Points” is above 5.0."
    )


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (rule("nothing", ">", 5), "There is no own trait nothing"),
        (rule("points", "=", "x", kind="text"), "points is a number; compare it as custom_number"),
        ({"rules": [{"field": "custom_number", "operator": "=", "value": 1}]}, "the name of an own"),
        ({"rules": [{"field": "n_orders", "trait": "points", "operator": "=", "value": 1}]}, "takes none"),
    ],
)  # fmt: skip
def test_a_rule_on_a_trait_that_is_not_there_is_refused(tree: dict[str, Any], words: str) -> None:
    declared()

    with pytest.raises(DomainError, match=words) as refused:
        segmentation.count(tree, NOW)

    assert refused.value.pointer.startswith("/rule/rules/0")


def test_a_trait_that_a_segment_compares_cannot_be_given_up_nor_change_its_kind() -> None:
    trait = declared(aggregate="last")
    segment = segmentation.create("Collectors", rule("points", ">", 5), now=NOW)

    with pytest.raises(DomainError, match="Collectors") as refused:
        custom_traits.remove(trait)
    assert (refused.value.code, refused.value.status) == ("trait_in_use", 409)
    with pytest.raises(DomainError, match="Collectors"):
        custom_traits.change(trait, {"kind": "text"}, now=NOW)

    segment.delete()
    custom_traits.remove(trait)
    assert not CustomTrait.objects.exists()


def test_another_definition_is_another_version_and_another_label_is_none() -> None:
    ann = make.customer("ann")
    event(ann, 3, points=4)
    event(ann, 2, points=6)
    trait = declared()
    work_off()

    same = custom_traits.change(trait, {"label": "Loyalty"}, now=NOW)
    assert same.version == 1
    changed = custom_traits.change(trait, {"aggregate": "avg"}, now=NOW, actor="ann")
    assert (changed.version, changed.filled_version) == (2, 1)
    work_off()

    assert values(trait) == {"ann": 5}
    assert list(
        CustomTraitVersion.objects.order_by("number").values_list("number", "definition__aggregate")
    ) == [(1, "sum"), (2, "avg")]  # fmt: skip


def test_own_traits_are_evidence_of_personas_and_never_name_them() -> None:
    import pandas as pd

    people = pd.DataFrame({f"{attributes.OWN}Points": [1.0, 2, None, 100] * 20,
                           f"{attributes.OWN}Plan": ["gold", "", "basic", "gold"] * 20})  # fmt: skip

    found = {(one.code, one.value): one for one in attributes._own(people)}  # noqa: SLF001

    assert set(found) == {
        ("own_high", "Points"),
        ("own_value", "Plan: gold"),
        ("own_value", "Plan: basic"),
    }
    assert found["own_high", "Points"].known.sum() == 60
    assert found["own_value", "Plan: gold"].holds.sum() == 40
    assert persona_words.WORDS["own_high"].title == ""


# Clear errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"name": "Loyalty Points"}, "/name"),
        ({"name": "n_orders"}, "/name"),
        ({"label": " "}, "/label"),
        ({"kind": "date"}, "/kind"),
        ({"kind": "text"}, "/kind"),
        ({"event": ""}, "/event"),
        ({"property_path": ""}, "/property"),
        ({"property_path": "a b"}, "/property"),
        ({"property_path": "a.b.c.d"}, "/property"),
        ({"property_path": "x'; DROP TABLE"}, "/property"),
        ({"aggregate": "median"}, "/aggregate"),
        ({"window_days": 0}, "/windowDays"),
        ({"window_days": 9_999}, "/windowDays"),
        ({"data_class": "secrets"}, "/dataClass"),
    ],
)
def test_what_cannot_stand_is_refused_at_its_field(facts: dict[str, Any], pointer: str) -> None:
    with pytest.raises(DomainError) as refused:
        declared(**facts)

    assert refused.value.code == "invalid_trait"
    assert [fault.pointer for fault in refused.value.errors] == [pointer]
    assert not CustomTrait.objects.exists()


def test_a_name_or_label_is_given_once_and_there_is_an_end_of_traits() -> None:
    declared()
    with pytest.raises(DomainError, match="already"):
        declared(label="Other")
    with pytest.raises(DomainError, match="Another own trait"):
        declared(name="other")
    for n in range(custom_traits.MOST_TRAITS - 1):
        declared(name=f"t{n}", label=f"T{n}")
    with pytest.raises(DomainError, match="give one up first"):
        declared(name="last", label="Last")


# Trying it out ------------------------------------------------------------------------------------


def test_trying_tells_what_the_newest_events_carry_and_shows_masked_customers() -> None:
    ann = make.customer("ann", email="ann@example.com")
    event(ann, points=3)
    event(ann, points=4)
    event(ann, points="many")
    event(None)
    trait = CustomTrait(name="points", label="Points", event="Points Earned", aggregate="sum",
                        property_path="points")  # fmt: skip

    found = custom_traits.try_out(trait, NOW)

    assert (found.n_events, found.n_told, found.n_other) == (4, 2, 1)
    assert [(one.customer.external_id, one.value) for one in found.samples] == [("ann", 7)]
    assert "ann@" not in str(found.samples[0].customer.email)
    assert not CustomTraitValue.objects.exists()


def test_trying_a_name_that_never_came_tells_of_those_like_it() -> None:
    from profiles.models import EventName

    EventName.objects.create(kind="track", name="Points Earned", first_at=NOW, last_at=NOW)
    trait = CustomTrait(name="points", label="P", event="Point Earned", aggregate="count")

    assert custom_traits.try_out(trait, NOW).near == ("Points Earned",)


# The pages ----------------------------------------------------------------------------------------

Login = Callable[[str], Client]
FORM = {"name": "points", "label": "Points", "event": "Points Earned", "aggregate": "sum",
        "property_path": "points", "window_days": "90", "kind": "number", "unit": "pt",
        "data_class": "purchases"}  # fmt: skip


@pytest.fixture
def login(client: Client) -> Login:
    def as_role(role: str) -> Client:
        client.force_login(make.staff(role), backend="privacy.roles.RoleBackend")
        return client

    return as_role


def test_a_marketer_tries_declares_and_gives_up_a_trait(login: Login) -> None:
    ann = make.customer("ann", email="ann@example.com")
    event(ann, (NOW - timezone.now()).days + 300, points=1_234.5)
    client = login(Staff.Role.MARKETER)
    url = "/admin/profiles/customtrait/"

    tried = client.post(f"{url}add/", FORM | {"do": "preview", "window_days": ""})
    assert "Sum of points in “Points Earned”." in tried.content.decode()
    assert "1,234.5 pt" in tried.content.decode()
    assert not CustomTrait.objects.exists()

    assert client.post(f"{url}add/", FORM | {"do": "save"}).status_code == 302
    trait = CustomTrait.objects.get()
    work_off(timezone.now())
    assert "in the last 90 days" in client.get(url).content.decode()
    page = client.get(f"/admin/profiles/customer/{ann.pk}/change/").content.decode()
    assert "Own traits" in page

    segment = segmentation.create("Collectors", rule("points", ">", 5), now=NOW)
    refused = client.post(f"{url}{trait.pk}/change/", {"do": "remove"}, follow=True)
    assert "take it out of these segments first" in refused.content.decode()
    segment.delete()
    client.post(f"{url}{trait.pk}/change/", {"do": "remove"})
    assert not CustomTrait.objects.exists()


def test_a_fault_stands_at_its_field_in_the_form(login: Login) -> None:
    page = login(Staff.Role.MARKETER).post(
        "/admin/profiles/customtrait/add/", FORM | {"do": "save", "property_path": "a b"}
    )

    assert "A property is a name of letters" in page.content.decode()
    assert not CustomTrait.objects.exists()


def test_whoever_only_looks_may_not_declare(login: Login) -> None:
    trait = declared()
    client = login(Staff.Role.VIEWER)
    url = f"/admin/profiles/customtrait/{trait.pk}/change/"

    assert client.get("/admin/profiles/customtrait/add/").status_code == 403
    assert client.get(url).status_code == 200
    assert client.post(url, FORM | {"do": "save"}).status_code == 403


# The API ------------------------------------------------------------------------------------------


def test_the_api_declares_tries_changes_and_removes(client: Client) -> None:
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    facts = {"name": "points", "label": "Points", "event": "Points Earned", "aggregate": "sum",
             "property": "points", "windowDays": 90}  # fmt: skip
    event(make.customer("ann"), (NOW - timezone.now()).days + 300, points=5)

    def send(method: str, path: str, body: Any = None) -> Any:
        call = getattr(client, method)
        return call(path, body, content_type="application/json", headers=headers)

    tried = send("post", "/v1/traits/preview", facts | {"windowDays": None})
    assert tried.json()["samples"] == [{"customer": "ann", "value": 5.0}]
    made = send("post", "/v1/traits", facts)
    assert (made.status_code, made.json()["version"], made.json()["isFilled"]) == (200, 1, False)
    changed = send("put", "/v1/traits/points", facts | {"aggregate": "avg"})
    assert changed.json()["version"] == 2
    listed = client.get("/v1/traits", headers=headers).json()
    assert [one["name"] for one in listed["own"]] == ["points"]
    assert {"name", "kind", "unit", "meaning"} <= listed["builtIn"][0].keys()
    refused = send("post", "/v1/traits", facts | {"name": "x y", "label": "X"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_trait")
    assert refused.json()["errors"][0]["pointer"] == "/name"

    Segment.objects.create(name="Collectors", rule=rule("points", ">", 5), created_at=NOW)
    assert send("delete", "/v1/traits/points").json()["code"] == "trait_in_use"
    Segment.objects.all().delete()
    assert send("delete", "/v1/traits/points").json()["name"] == "points"
    assert client.get("/v1/traits/points", headers=headers).status_code == 404
    assert send("post", "/v1/traits", []).status_code == 400
