"""The inspector: evidence true to the model, two runs side by side, masked, purpose-bound, audited."""

from __future__ import annotations

import re

import numpy as np
import pytest
from django.test import Client

from privacy.models import AuditEntry, Staff, Subject
from profiles.models import Customer, OrderLine
from recommendations import inspecting
from recommendations.engines.base import Items
from recommendations.engines.blend import Blend
from recommendations.engines.item_based import ItemBased
from recommendations.engines.popular import ALL_TIME_DAYS, Popular
from recommendations.models import Product, Scenario, TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed, shops
from tests.recommendations.interactions import interactions

pytestmark = pytest.mark.django_db
PAGE = "/admin/recommendations/trainingrun/inspect/"


def browser() -> Client:
    client = Client()
    client.force_login(make.staff(Staff.Role.MARKETER))
    return client


def test_what_parts_of_a_blend_add_sums_up_to_its_scores() -> None:
    random = np.random.default_rng(2)
    data = interactions(
        [(int(u), int(i), t) for t, (u, i) in enumerate(random.integers(9, size=(40, 2)))],
        n_people=9,
        n_items=9,
    )
    engines = (
        (ItemBased(as_of=50, n_neighbours=5), 0.6),
        (Popular(as_of=50, window_days=ALL_TIME_DAYS), 0.3),
    )
    model = Blend(engines).fit(data, Items.plain([f"i{n}" for n in range(9)]))
    people = np.arange(9)
    ranked = model.recommend(people, 6)

    shares = model.shares(people, ranked.ids)

    assert shares.shape == (9, 6, 2)
    assert np.allclose(shares.sum(axis=2), ranked.scores, atol=1e-6)


def test_a_customers_list_has_the_evidence_of_the_run_itself() -> None:
    shops.of_tastes()
    run = shops.train()
    customer = Customer.objects.get(external_id="c0000")
    bought = OrderLine.objects.filter(order__customer=customer)
    titles = {f"Product {id_}" for id_ in bought.values_list("product_id", flat=True)}

    [listed] = (
        inspecting.of_customer(customer, [run], language="en", actor="staff:1", now=NOW) or []
    )

    assert listed.places[0].bases
    for place in listed.places:
        assert sum(part.value for part in place.parts) == pytest.approx(place.score, rel=1e-3)
        assert {base.name for base in place.bases} <= titles
        assert sum(base.value for base in place.bases) <= place.score * 1.001
        because = f"Because you bought {place.bases[0].name}" if place.bases else ""
        assert place.reason == (because or "Popular this month")
    # A product's list says how many customers bought both, as counted by hand.
    first = listed.places[0].product_id
    [near] = inspecting.of_product(first, [run], language="en")
    other = near.places[0]
    buyers = [
        set(
            OrderLine.objects.filter(product_id=id_, order__customer__isnull=False).values_list(
                "order__customer", flat=True
            )
        )
        for id_ in (first, other.product_id)
    ]
    assert other.n_people == len(buyers[0] & buyers[1])


def made_run(customer: Customer, ids: list[str], *, is_active: bool = False) -> TrainingRun:
    run = TrainingRun.objects.create(
        engine="blend", as_of=NOW, verdict=TrainingRun.Verdict.BEATS_POPULAR, created_at=NOW,
        n_customers=1, n_products=1, n_interactions=1, cpu_seconds=1, peak_rss_mb=1, finished_at=NOW,
        parameters={"engine": "blend", "parts": [{"engine": "ease", "weight": 1.0}]},
        is_active=is_active, activated_at=NOW if is_active else None,
    )  # fmt: skip
    items = [[id_, 1.0, "because_you_bought", ["p0"]] for id_ in ids]
    evidence = [[[1.0], [["p0", 0.75]]] for _ in ids]
    listed.customer(run, customer, items, evidence)
    listed.product(run, "p0", items)
    return run


def test_two_runs_stand_side_by_side_with_what_they_have_in_common() -> None:
    for number in range(5):
        make.product(f"p{number}")
    customer = make.customer("c7", full_name="Ann Lee", email="ann.lee@example.com")
    runs = [
        made_run(customer, ["p1", "p2", "p3"], is_active=True),
        made_run(customer, ["p3", "p4"]),
    ]

    one, other = inspecting.of_customer(customer, runs, language="en", actor="x:1", now=NOW) or []

    assert (one.n_common, other.n_common) == (1, 1)
    assert [place.other for place in one.places] == [0, 0, 1]
    assert other.places[0].other == 3


def test_the_page_is_masked_and_audited_and_says_which_rules_left_out_what() -> None:
    for number in range(5):
        make.product(f"p{number}")
    customer = make.customer("c7", full_name="Ann Lee", email="ann.lee@example.com")
    made_run(customer, ["p1", "p2", "p3"], is_active=True)
    Scenario.objects.create(placement="home", name="Home", never_shown=["p2"])

    page = browser().get(PAGE, {"customer": "c7", "placement": "home"}).content.decode()

    assert "ann.lee@example.com" not in page
    assert "Ann Lee" not in page
    assert "Regression (EASE) 1.000" in page
    assert "+0.750" in page
    assert "On the list of what is never shown" in page
    entry = AuditEntry.objects.get(action="recommendations.inspected")
    assert entry.purpose == "recommend"
    assert str(customer.subject_id) in entry.subjects
    assert AuditEntry.objects.filter(action="purpose.opened", purpose="recommend").exists()


def test_categories_and_titles_are_in_the_readers_language() -> None:
    told = {"zh-hans": {"title": "数据线", "category": "线材"}}
    for number in range(3):
        make.product(f"p{number}", f"Cable {number}", category="Cables", translations=told)
    customer = make.customer("c7")
    made_run(customer, ["p1", "p2"], is_active=True)
    Scenario.objects.create(placement="home", name="Home", never_shown=["p2"])
    asked = {"customer": "c7", "placement": "home"}

    answer = browser().get(PAGE, asked, headers={"Accept-Language": "zh-hans"})
    page = re.sub("<datalist.*?</datalist>", "", answer.content.decode(), flags=re.DOTALL)

    assert "线材 · p1" in page
    assert "Cables" not in page
    assert "数据线<small>p2</small>" in page
    assert "Cable 2" not in page


def test_the_page_names_the_placements_rule_that_took_a_product_and_its_boosts() -> None:
    for number in range(1, 4):
        make.product(f"p{number}")
    Product.objects.filter(product_id="p2").update(brand="Sony")
    customer = make.customer("c7")
    made_run(customer, ["p1", "p2", "p3"], is_active=True)
    rules = [
        {"effect": effect, "when": {"combinator": "and", "rules": [condition]}, **more}
        for effect, brand, more in (("boost", "LG", {"factor": 10}), ("drop", "Sony", {}))
        for condition in [{"field": "brand", "operator": "=", "value": brand}]
    ]
    Scenario.objects.create(placement="home", name="Home", rules=rules)

    answer = browser().get(PAGE, {"customer": "c7", "placement": "home"})

    assert ("Product p2", "p2", "Rule 2 of the placement") in answer.context["left_out"]
    assert [(row["is_boost"], row["n_taken"]) for row in answer.context["rule_rows"]] == [
        (True, 0),
        (False, 1),
    ]
    assert "Filters and boosts" in answer.content.decode()


def test_the_page_says_which_boost_moved_a_product_and_from_where() -> None:
    for number in range(1, 4):
        make.product(f"p{number}")
    Product.objects.filter(product_id="p3").update(brand="LG", stock=5)
    made_run(make.customer("c7"), ["p1", "p2", "p3"], is_active=True)
    rules = [
        {
            "effect": "boost", "factor": factor,
            "when": {
                "combinator": "and",
                "rules": [{"field": "brand", "operator": "=", "value": brand}],
            },
        }
        for brand, factor in (("Sony", 2), ("LG", 10))
    ]  # fmt: skip
    Scenario.objects.create(placement="home", name="Home", rules=rules)

    answer = browser().get(PAGE, {"customer": "c7", "placement": "home"})

    told = [(item.product_id, moved) for item, moved in answer.context["placed_items"]]
    assert told == [("p3", "Boost (rule 2): from place 3 to 1"), ("p1", ""), ("p2", "")]
    assert "Boost (rule 2): from place 3 to 1" in answer.content.decode()


def test_of_a_customer_who_refuses_profiling_nothing_of_their_own_is_shown() -> None:
    make.product("p1")
    customer = make.customer("c7")
    made_run(customer, ["p1"], is_active=True)
    Subject.objects.filter(uuid=customer.subject_id).update(no_profiling=True)

    page = browser().get(PAGE, {"customer": "c7"}).content.decode()

    assert "may not use this customer" in page
    assert "ease 1.000" not in page


def test_an_id_nobody_has_shows_what_a_stranger_sees_and_chinese_reads_chinese() -> None:
    client = browser()

    chinese = client.get(PAGE, {"product": "no"}, headers={"accept-language": "zh-hans"})
    assert "并排比较" in chinese.content.decode()
    assert "Nobody and nothing has this id" in client.get(PAGE, {"customer": "no"}).content.decode()
