"""Personas keep their number from run to run; runs are compared, and drift is told."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import numpy as np
import pytest
from django.test import Client

from profiles import (
    persona_identity,
    persona_products,
    persona_runs,
    personas,
    profiling,
    segmentation,
)
from profiles.clustering import choosing
from profiles.clustering.model import Model
from profiles.clustering.scaling import Column, Scale
from profiles.models import ClusteringRun, Customer, CustomerTraits, Persona
from profiles.traits import featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
N = 70
LATER = NOW + timedelta(days=30)


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


def people(n: int = N) -> list[Customer]:
    return [make.customer(f"c{number}") for number in range(n)]


def column(spends: list[float]) -> persona_identity.Columns:
    values = np.array(spends, dtype=np.float64)
    return lambda names: [Column(name, values) for name in names]


def stored(
    customers: list[Customer], labels: list[int], spends: list[float], as_of: datetime = NOW
) -> ClusteringRun:
    """Keep a run of one column, as the build does."""
    columns, found = column(spends), np.array(labels, dtype=np.intp)
    before = ClusteringRun.objects.filter(is_current=True).first()
    keys = [one.pk for one in customers]
    identity = persona_identity.identify(keys, found, columns, before)
    drift = persona_identity.watch(columns, as_of)
    ClusteringRun.objects.update(is_current=False)
    scales = (Scale("spends", is_skewed=False, middle=0.0, spread=100.0),)
    matrix = np.clip(np.array(spends).reshape(-1, 1) / 100, -3, 3)
    run = ClusteringRun.objects.create(
        as_of=as_of, created_at=as_of, currency="EUR", n_customers=len(labels),
        n_clusters=max(labels), is_current=True, next_key=identity.next_key,
        compared=identity.compared, drift=drift,
        model=Model.of(scales, matrix, found, identity.keys).as_json(),
    )  # fmt: skip
    for number, key in enumerate(identity.keys, start=1):
        members = [one for one, label in zip(customers, labels, strict=True) if label == number]
        persona = Persona.objects.create(
            run=run, number=number, key=key, n_customers=len(members),
            share=len(members) / len(labels), revenue_share=0.5,
        )  # fmt: skip
        for one in members:
            CustomerTraits.objects.update_or_create(
                customer=one, defaults={"as_of": as_of, "persona": persona}
            )
    return run


def keys_of(run: ClusteringRun) -> dict[int, int | None]:
    return dict(run.personas.values_list("number", "key"))


def in_persona(key: int) -> dict[str, object]:
    rule = {"field": "persona", "operator": "=", "value": key}
    return {"combinator": "and", "not": False, "rules": [rule]}


def test_the_first_run_gives_each_persona_its_number() -> None:
    assert keys_of(stored(people(), [1, 2] * (N // 2), [0.0, 200.0] * (N // 2))) == {1: 1, 2: 2}


def test_a_persona_that_changes_its_rank_keeps_its_key_and_a_rule_its_meaning() -> None:
    customers, half = people(), N // 2
    stored(customers, [1] * half + [2] * half, [200.0] * half + [0.0] * half)
    rule = in_persona(2)
    before = set(segmentation.members(rule, NOW))

    run = stored(customers, [2] * half + [1] * half, [200.0] * half + [0.0] * half, LATER)

    assert keys_of(run) == {1: 2, 2: 1}
    assert set(segmentation.members(rule, LATER)) == before
    assert (run.compared["n_moved"], run.compared["ari"]) == (0, 1)
    assert (run.compared["appeared"], run.compared["ended"]) == ([], [])


def test_a_group_split_off_is_new_and_the_larger_part_goes_on() -> None:
    customers = people()
    stored(customers, [1] * 50 + [2] * 20, [200.0] * 50 + [0.0] * 20)

    run = stored(
        customers, [1] * 15 + [2] * 35 + [3] * 20, [290.0] * 15 + [200.0] * 35 + [0.0] * 20, LATER
    )

    assert keys_of(run) == {1: 3, 2: 1, 3: 2}
    assert run.compared["appeared"] == [3]
    assert run.compared["moves"] == [[1, 3, 15]]
    assert run.next_key == 4


def test_a_key_is_never_given_again() -> None:
    customers = people()
    stored(customers, [1] * 30 + [2] * 25 + [3] * 15, [200.0] * 30 + [100.0] * 25 + [0.0] * 15)
    ended = stored(customers, [1] * 55 + [2] * 15, [200.0] * 55 + [0.0] * 15, LATER)

    run = stored(
        customers, [1] * 30 + [2] * 25 + [3] * 15, [200.0] * 30 + [100.0] * 25 + [0.0] * 15,
        LATER + timedelta(days=1),
    )  # fmt: skip

    assert ended.compared["ended"] == [2]
    assert sorted(key for key in keys_of(run).values() if key) == [1, 3, 4]


def test_with_other_people_what_a_persona_means_decides() -> None:
    stored(people(), [1] * 35 + [2] * 35, [200.0] * 35 + [0.0] * 35)
    CustomerTraits.objects.all().delete()
    Customer.objects.all().delete()

    run = stored(people(), [1] * 35 + [2] * 35, [0.0] * 35 + [200.0] * 35, LATER)

    assert keys_of(run) == {1: 2, 2: 1}
    assert (run.compared["n_common"], run.compared["ari"]) == (0, None)


def test_moves_of_few_customers_are_not_kept() -> None:
    customers = people()
    stored(customers, [1] * 35 + [2] * 35, [200.0] * 35 + [0.0] * 35)

    run = stored(customers, [1] * 30 + [2] * 40, [200.0] * 30 + [0.0] * 40, LATER)

    assert (run.compared["n_moved"], run.compared["moves"]) == (5, [])


def test_drift_looks_back_to_a_run_weeks_ago_and_warns_beyond_the_bound() -> None:
    customers = people()
    stored(customers, [1] * 35 + [2] * 35, [200.0] * 35 + [0.0] * 35)
    yesterday = LATER - timedelta(days=1)
    stored(customers, [1] * 10 + [2] * 60, [200.0] * 10 + [0.0] * 60, yesterday)

    run = stored(customers, [1] * 10 + [2] * 60, [200.0] * 10 + [0.0] * 60, LATER)

    drift = persona_runs.drift_of(run, "en")
    assert drift is not None
    assert drift.since == NOW
    assert [(one.then, one.now) for one in drift.shifts] == [(0.5, 1 / 7), (0.5, 6 / 7)]
    assert drift.has_moved
    assert "stability index 0.64" in persona_runs.warning(run)


def test_without_a_shift_nothing_is_warned_of() -> None:
    customers = people()
    stored(customers, [1] * 35 + [2] * 35, [200.0] * 35 + [0.0] * 35)
    run = stored(customers, [1] * 35 + [2] * 35, [200.0] * 35 + [0.0] * 35, LATER)

    assert run.drift["index"] == 0
    assert persona_runs.warning(run) == persona_runs.warning(None) == ""


def test_a_segment_of_a_persona_that_ended_is_pointed_out(client: Client) -> None:
    customers = people()
    stored(customers, [1] * 35 + [2] * 35, [200.0] * 35 + [0.0] * 35)
    segmentation.create("First", in_persona(1), now=NOW)
    gone = segmentation.create("Gone", in_persona(2), now=NOW)
    run = stored(customers, [1] * 70, [200.0] * 35 + [0.0] * 35, LATER)
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    shown = client.get("/admin/profiles/persona/runs/").content.decode()

    assert persona_runs.orphaned(run) == [gone]
    assert "Gone" in shown


def test_two_builds_of_the_same_customers_are_the_same_personas(client: Client) -> None:
    dice = random.Random(2)
    for number in range(80):
        customer = make.customer(f"b{number}")
        price = dice.randrange(40_000, 60_000) if number % 2 else dice.randrange(900, 2_000)
        for _n in range(3 if number % 2 else 1):
            make.order(customer, ("p", "Audio", 1, price), days_ago=dice.randrange(1, 200))
    featuring.build_traits(NOW)
    frame = profiling.load(NOW)
    first = profiling.save(frame, profiling.cluster(frame), NOW, now=NOW)
    clustered = profiling.cluster(frame)

    second = profiling.save(frame, clustered, NOW + timedelta(hours=1), now=NOW)

    assert keys_of(second) == keys_of(first)
    assert (second.compared["ari"], second.compared["n_moved"], second.drift["index"]) == (1, 0, 0)
    assert second.inertia == pytest.approx(first.inertia)
    assert len(second.model["centres"]) == second.n_clusters == personas.current_run().n_clusters  # type: ignore[union-attr]
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    shown = client.get("/admin/profiles/persona/runs/").content.decode()
    assert "Stability: bootstrap ARI" in shown
    assert "chosen" in shown or second.n_clusters == 1


def test_the_mark_of_the_chart_is_the_bound_by_which_the_number_is_chosen() -> None:
    assert persona_runs.MIN_STABILITY == choosing.MIN_STABILITY


# A persona's own page -------------------------------------------------------------------------


def test_top_products_are_those_with_the_most_money_of_ten_customers_or_more() -> None:
    customers = people(40)
    run = stored(customers, [1] * 20 + [2] * 20, [200.0] * 20 + [0.0] * 20, LATER)
    for number, customer in enumerate(customers):
        make.order(customer, ("cable", "", 1, 500), days_ago=1)
        if number < 15:
            make.order(customer, ("camera", "", 1, 90_000), days_ago=1)
        if number < 9:
            make.order(customer, ("drone", "", 1, 900_000), days_ago=1)

    first, second = (
        persona_products.top_products(run)[one.pk] for one in run.personas.order_by("number")
    )

    assert [(one["product_id"], one["n"]) for one in first] == [("camera", 15), ("cable", 20)]
    assert [(one["share"], one["everyone"]) for one in first] == [(0.75, 0.375), (1.0, 1.0)]
    assert [one["product_id"] for one in second] == ["cable"]
    assert first[1]["effect"] == 0


def test_the_page_shows_trend_products_and_masked_examples(client: Client) -> None:
    customers = [
        make.customer(f"c{n}", full_name="Ann Lee", email=f"c{n}@example.com") for n in range(N)
    ]
    stored(customers, [1] * 40 + [2] * 30, [200.0] * 40 + [0.0] * 30)
    run = stored(customers, [1] * 35 + [2] * 35, [200.0] * 35 + [0.0] * 35, LATER)
    persona = run.personas.get(number=1)
    persona.products = [
        {"product_id": "tv", "title": "TV", "n": 20, "share": 0.5, "everyone": 0.2, "effect": 0.64}
    ]
    persona.save()
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    shown = client.get(f"/admin/profiles/persona/{persona.pk}/change/")
    text = shown.content.decode()

    assert [n for _at, n, _share in shown.context["trend"]] == [40, 35]
    assert "50.0% / 20.0%" in text
    assert "A*** L***" in text
    assert "Ann Lee" not in text
    assert "c1@example.com" not in text


def test_whoever_may_not_see_customers_sees_no_examples(client: Client) -> None:
    run = stored(people(), [1] * 35 + [2] * 35, [200.0] * 35 + [0.0] * 35)
    client.force_login(make.staff("viewer"), backend="privacy.roles.RoleBackend")

    shown = client.get(f"/admin/profiles/persona/{run.personas.get(number=1).pk}/change/")

    may_see = make.staff("viewer", username="other").has_perm("profiles.view_customer")
    assert (shown.context["examples"] is None) is not may_see
