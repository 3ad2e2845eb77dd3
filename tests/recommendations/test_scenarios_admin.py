"""Placements in the admin: typed as people write, looked at before they are saved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from privacy.models import AuditEntry, Staff
from recommendations.models import Product, Scenario, TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed

pytestmark = pytest.mark.django_db
LIST = "/admin/recommendations/scenario/"


@pytest.fixture
def browser() -> Client:
    make.shop(currency="EUR")
    for id_ in ("tv", "hifi", "radio"):
        make.product(id_, f"Title {id_}", price_minor=50_000)
    client = Client()
    client.force_login(make.staff(Staff.Role.ADMINISTRATOR))
    return client


def rules(**more: Any) -> dict[str, Any]:
    given = {"placement": "home", "name": "Home", "kind": "new", "is_active": "on"}
    return {**given, "diversity": "0.2", "fills_up": "on", **more}


def test_a_placement_is_saved_with_its_lists_and_amounts(browser: Client) -> None:
    typed = rules(never_shown=" tv \n\ntv\nhifi", pinned="radio", price_to_minor="499.90")

    answer = browser.post(f"{LIST}add/", typed)

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = Scenario.objects.get()
    assert (made.never_shown, made.pinned) == (["tv", "hifi"], ["radio"])
    assert (made.price_from_minor, made.price_to_minor) == (None, 49_990)
    page = browser.get(f"{LIST}{made.pk}/change/").content.decode()
    assert "tv\nhifi" in page
    assert "499.90" in page


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"never_shown": "tv\nno-such"}, "never_shown"),
        ({"pinned": "\n".join(f"p{n}" for n in range(501))}, "pinned"),
        ({"diversity": "1.1"}, "diversity"),
        ({"placement": "home page"}, "placement"),
        ({"price_from_minor": "2", "price_to_minor": "1"}, "__all__"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    browser: Client, typed: dict[str, str], field: str
) -> None:
    answer = browser.post(f"{LIST}add/", rules(**typed))

    assert answer.context["adminform"].form.errors.keys() == {field}
    assert not Scenario.objects.exists()


def test_a_preview_shows_what_the_rules_would_show_and_saves_nothing(browser: Client) -> None:
    there = Scenario.objects.create(placement="home", name="Home", kind="new")

    answer = browser.post(f"{LIST}preview/", rules(never_shown="tv", pinned="radio"))

    shown = [item.product_id for item in answer.context["placed"].items]
    assert shown == ["radio", "hifi"]
    assert answer.context["left_out"] == [("Title tv", "tv", "On the list of what is never shown")]
    assert "Picked by the shop" in answer.content.decode()
    there.refresh_from_db()
    assert (there.never_shown, there.pinned) == ([], [])


def test_a_preview_for_a_customer_leaves_out_what_is_owned(browser: Client) -> None:
    make.order(make.customer("C-1"), ("tv", "", 1, 100), days_ago=2)

    owner = browser.post(f"{LIST}preview/", rules(seen_by="C-1", hides_owned="on"))
    stranger = browser.post(f"{LIST}preview/", rules(seen_by="C-2", hides_owned="on"))

    assert "tv" not in [item.product_id for item in owner.context["placed"].items]
    assert "tv" in [item.product_id for item in stranger.context["placed"].items]
    assert "what a stranger would see" in stranger.content.decode()


def test_a_preview_of_wrong_rules_names_the_field(browser: Client) -> None:
    answer = browser.post(f"{LIST}preview/", rules(pinned="no-such"))

    assert "The catalogue has no product no-such." in answer.content.decode()


def test_who_may_only_look_gets_no_preview() -> None:
    client = Client()
    client.force_login(make.staff(Staff.Role.VIEWER))

    assert client.post(f"{LIST}preview/", rules()).status_code == 403


# Filters and boosts ---------------------------------------------------------------------------


def ruled(effect: str, field: str, value: str, **more: Any) -> dict[str, Any]:
    condition = {"field": field, "operator": "=", "value": value}
    return {"effect": effect, "when": {"combinator": "and", "rules": [condition]}, **more}


def test_rules_are_saved_as_versions_and_put_back(browser: Client) -> None:
    drop, lift = ruled("drop", "brand", "Bad"), ruled("boost", "tag", "sale", factor=2)
    browser.post(f"{LIST}add/", rules(rules=json.dumps([drop])))
    made = Scenario.objects.get()
    page = f"{LIST}{made.pk}/change/"
    browser.post(page, rules(rules=json.dumps([drop, lift]), name="Start"))
    browser.post(page, rules(rules=json.dumps([drop, lift]), name="Start"))

    shown = browser.get(page)

    assert [(one["number"], one["changed"]) for one in shown.context["versions"]] == [
        (2, ["name"]),
        (1, []),
    ]
    assert "Takes away products of which this holds: brand is Bad." in shown.content.decode()
    browser.post(f"{LIST}{made.pk}/restore/1/")
    made.refresh_from_db()
    assert (made.rules, made.name, made.version) == ([drop], "Home", 3)


def test_a_placement_made_without_history_keeps_how_it_was(browser: Client) -> None:
    made = Scenario.objects.create(placement="home", name="Before", kind="new")

    browser.post(f"{LIST}{made.pk}/change/", rules(name="After"))

    kept = made.versions.order_by("number").values_list("number", "settings__name")
    assert list(kept) == [(1, "Before"), (2, "After")]


def test_settings_that_clash_by_now_are_not_put_back(browser: Client) -> None:
    browser.post(f"{LIST}add/", rules())
    made = Scenario.objects.get()
    browser.post(f"{LIST}{made.pk}/change/", rules(placement="elsewhere"))
    Scenario.objects.create(placement="home", name="Other", kind="new")

    answer = browser.post(f"{LIST}{made.pk}/restore/1/", follow=True)

    assert "cannot be used any more" in answer.content.decode()
    made.refresh_from_db()
    assert (made.placement, made.version) == ("elsewhere", 2)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("{", "not JSON"),
        (json.dumps([ruled("drop", "colour", "x")]), "Rule 1: there is no field"),
        (
            json.dumps([ruled("boost", "brand", "x", factor=11)]),
            "Rule 1: a factor from 0.1 to 10 is expected",
        ),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_and_shown_again(
    browser: Client, told: str, text: str
) -> None:
    answer = browser.post(f"{LIST}add/", rules(rules=told))

    assert text in str(answer.context["adminform"].form.errors["rules"])
    assert not Scenario.objects.exists()


def test_rules_are_read_back_and_counted_while_they_are_written(browser: Client) -> None:
    Product.objects.filter(product_id="tv").update(brand="Sony")
    told = json.dumps([ruled("keep", "brand", "sony"), ruled("boost", "brand", "LG", factor=2)])

    good = browser.post(f"{LIST}rules/", {"rules": told}).json()
    bad = browser.post(f"{LIST}rules/", {"rules": json.dumps([ruled("keep", "x", "y")])}).json()

    assert [one["count"] for one in good["rules"]] == [
        "leaves 1 of 3 products on sale",
        "moves 0 of 3 products on sale",
    ]
    assert good["rules"][0]["text"] == "Shows only products of which this holds: brand is sony."
    assert (bad["ok"], bad["at"]) == (False, 0)


def test_a_rule_that_is_not_finished_is_named_in_the_readers_words(browser: Client) -> None:
    told = json.dumps([ruled("drop", "brand", "Sony"), ruled("drop", "brand", "")])
    chinese = {"Accept-Language": "zh-hans"}

    english = browser.post(f"{LIST}preview/", rules(rules=told)).content.decode()
    page = browser.post(f"{LIST}preview/", rules(rules=told), headers=chinese).content.decode()
    checked = browser.post(f"{LIST}rules/", {"rules": told}, headers=chinese).json()

    assert "Rule 2: a text is expected" in english
    assert "规则 2：请填写文本" in page
    assert (checked["text"], checked["at"]) == ("请填写文本", 1)


def test_a_preview_sets_both_lists_side_by_side_and_counts_by_rule(browser: Client) -> None:
    Scenario.objects.create(placement="home", name="Home", kind="new", diversity=0)
    Product.objects.filter(product_id="tv").update(brand="Sony")
    Product.objects.filter(product_id="hifi").update(brand="LG")
    told = [ruled("drop", "brand", "Sony"), ruled("boost", "brand", "LG", factor=10)]

    answer = browser.post(f"{LIST}preview/", rules(rules=json.dumps(told), diversity="0"))

    before = {item.product_id: place for item, place in answer.context["before_items"]}
    assert before == {"radio": 2, "hifi": 1, "tv": 0}
    assert [item.product_id for item, _at, _boost in answer.context["after_items"]] == [
        "hifi",
        "radio",
    ]
    assert [rule["n_taken"] for rule in answer.context["rule_rows"]] == [1, 0]
    assert ("Title tv", "tv", "Rule 1 of the placement") in answer.context["left_out"]
    assert Scenario.objects.get().rules == []


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            {
                "p01": "Boost (rule 1): keeps place 1",
                "p10": "Boost (rule 2): from place 10 to 2",
                "p12": "Boost (rule 3): not in the list without it",
            },
        ),
        (
            "zh-hans",
            {
                "p01": "提升（规则 1）：仍在第 1 位",
                "p10": "提升（规则 2）：从第 10 位到第 2 位",
                "p12": "提升（规则 3）：没有它就不在列表中",
            },
        ),
    ],
)
def test_a_preview_says_of_each_product_what_its_boosts_did(
    browser: Client, language: str, told: dict[str, str]
) -> None:
    Product.objects.update(is_active=False)
    ids = [f"p{n:02}" for n in range(1, 13)]
    made = [make.product(id_, f"Title {id_}") for id_ in ids]
    Product.objects.bulk_update(
        [Product(pk=one.pk, brand=f"{one.product_id}!") for one in made], ["brand"]
    )
    run = TrainingRun.objects.create(
        engine="ease", as_of=NOW, verdict=TrainingRun.Verdict.BEATS_POPULAR, created_at=NOW,
        finished_at=NOW, is_active=True, activated_at=NOW, parameters={"engine": "ease"},
        n_customers=1, n_products=12, n_interactions=1, cpu_seconds=1, peak_rss_mb=1,
    )  # fmt: skip
    listed.customer(run, make.customer("C-1"), [[id_, 1.0, "popular", []] for id_ in ids])
    boosts = [
        ruled("boost", "brand", f"{id_}!", factor=factor)
        for id_, factor in (("p01", 9), ("p10", 6), ("p12", 3))
    ]
    typed = rules(
        kind="for_you", diversity="0", rules=json.dumps(boosts), seen_by="C-1", fills_up=""
    )

    answer = browser.post(f"{LIST}preview/", typed, headers={"accept-language": language})

    said = {item.product_id: text for item, _at, text in answer.context["after_items"] if text}
    assert said == told
    assert all(text in answer.content.decode() for text in told.values())


def test_a_look_at_a_customer_is_masked_and_written_down(browser: Client) -> None:
    make.customer("C-1", full_name="Ann Lee")

    page = browser.post(f"{LIST}preview/", rules(seen_by="C-1")).content.decode()

    assert "Ann Lee" not in page
    assert "C-1" in page
    assert AuditEntry.objects.filter(action="recommendations.inspected").count() == 1
