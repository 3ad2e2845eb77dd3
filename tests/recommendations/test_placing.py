"""Placements: where products come from, which rules leave out, and what fills the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from privacy.models import Subject
from profiles.models import Cart, CartLine, Customer
from recommendations import placing
from recommendations.explaining import Reason
from recommendations.fitting import diverse
from recommendations.models import Product, Scenario, TrainingRun
from recommendations.placing import Asked
from tests import make
from tests.make import NOW
from tests.recommendations import listed

pytestmark = pytest.mark.django_db
Kind = Scenario.Kind
MOST_QUERIES = 14  # of which each step that fills places has two


@pytest.fixture
def run() -> TrainingRun:
    """A serving run; P, Q and R are popular, in this order."""
    made = TrainingRun.objects.create(
        engine="blend",
        as_of=NOW,
        n_customers=1,
        n_products=1,
        n_interactions=1,
        cpu_seconds=1,
        peak_rss_mb=1,
        is_active=True,
        verdict=TrainingRun.Verdict.BEATS_POPULAR,
        created_at=NOW,
        finished_at=NOW,
        activated_at=NOW,
    )
    for id_ in "PQR":
        make.product(id_, f"Title {id_}")
    popular = [[id_, 3 - n, Reason.POPULAR_NOW, []] for n, id_ in enumerate("PQR")]
    listed.product(made, "", popular)
    return made


def products(*ids: str, **columns: Any) -> None:
    for id_ in ids:
        make.product(id_, f"Title {id_}", **columns)


def remember(run: TrainingRun, customer: Customer, *ids: str) -> None:
    items = [[id_, 1 - n / 10, Reason.BOUGHT, []] for n, id_ in enumerate(ids)]
    listed.customer(run, customer, items)


def near(run: TrainingRun, of: str, *ids: str) -> None:
    items = [[id_, 1 - n / 10, Reason.TOGETHER, [of]] for n, id_ in enumerate(ids)]
    listed.product(run, of, items)


def scenario(kind: Kind, **rules: Any) -> Scenario:
    rules = {"diversity": 0.0, "fills_up": False, **rules}
    return Scenario(placement="p", name="P", kind=kind, **rules)


def shown(of: Scenario, **asked: Any) -> str:
    placed = placing.place(of, Asked(**asked), now=NOW)
    return " ".join(item.product_id for item in placed.items)


# Where products come from -------------------------------------------------------------------


def test_for_you_is_the_own_list_moved_by_what_was_looked_at(run: TrainingRun) -> None:
    products("A", "B", "X")
    customer = make.customer()
    remember(run, customer, "A", "B")
    near(run, "X", "B")

    assert shown(scenario(Kind.FOR_YOU), customer_pk=customer.pk) == "A B"
    assert shown(scenario(Kind.EMAIL), customer_pk=customer.pk) == "A B"
    looked = shown(scenario(Kind.FOR_YOU), customer_pk=customer.pk, recent_product_ids=("X",))
    assert looked == "B A"
    assert shown(scenario(Kind.FOR_YOU), recent_product_ids=("X",)) == "B"


def test_similar_keeps_to_the_category_and_bought_together_does_not(run: TrainingRun) -> None:
    products("X", "A", category="Phones")
    products("B", category="Cases")
    near(run, "X", "B", "A")

    assert shown(scenario(Kind.SIMILAR), product_ids=("X",)) == "A"
    assert shown(scenario(Kind.TOGETHER), product_ids=("X",)) == "B A"


def test_what_goes_with_the_cart_sums_over_it_and_leaves_it_out(run: TrainingRun) -> None:
    products("X", "Y", "A", "B")
    near(run, "X", "A", "Y")
    near(run, "Y", "B", "A")
    customer = make.customer()
    cart = Cart.objects.create(
        cart_id="k",
        customer=customer,
        source=make.source(),
        currency="EUR",
        opened_at=NOW,
        changed_at=NOW,
    )
    CartLine.objects.bulk_create(
        CartLine(cart=cart, product_id=id_, quantity=1, unit_price_minor=1) for id_ in "XY"
    )

    assert shown(scenario(Kind.CART), product_ids=("X", "Y")) == "A B"
    assert shown(scenario(Kind.CART), customer_pk=customer.pk) == "A B"


@pytest.mark.usefixtures("run")
def test_buy_again_shows_what_is_used_up_longest_ago_first() -> None:
    products("ink", "paper", is_consumable=True)
    products("printer")
    customer = make.customer()
    make.order(customer, ("ink", "", 1, 100), ("printer", "", 1, 100), days_ago=90)
    make.order(customer, ("paper", "", 1, 100), days_ago=120)
    make.order(customer, ("paper", "", 1, 100), days_ago=5)

    placed = placing.place(scenario(Kind.AGAIN), Asked(customer.pk), now=NOW)

    assert [item.product_id for item in placed.items] == ["ink", "paper"]
    assert placed.items[0].reason_text == "You bought this before"


@pytest.mark.usefixtures("run")
def test_recently_viewed_is_newest_first() -> None:
    products("A", "B")

    assert shown(scenario(Kind.VIEWED), recent_product_ids=("B", "A", "B", "gone")) == "B A"


@pytest.mark.usefixtures("run")
def test_trending_is_what_sold_more_than_its_weeks_before() -> None:
    products("steady", "rising", "rare")
    for day in (1, 3, 5, 8, 10, 12, 15, 17, 19, 22, 24, 26, 29, 31, 33):
        make.order(None, ("steady", "", 1, 100), days_ago=day)
    for day in (1, 2, 3, 4, 5, 20):
        make.order(None, ("rising", "", 1, 100), days_ago=day)
    make.order(None, ("rare", "", 1, 100), days_ago=1)

    assert shown(scenario(Kind.TRENDING)) == "rising steady"


@pytest.mark.usefixtures("run")
def test_new_is_what_came_last() -> None:
    make.product("old")
    Product.objects.filter(product_id__in="PQR").delete()
    make.product("fresh")
    Product.objects.filter(product_id="old").update(created_at=NOW - timedelta(days=9))

    assert shown(scenario(Kind.NEW)) == "fresh old"


PHONE = {"sockets": ["usb-c"], "needs_watts": 5, "model": "P9"}
FIT = {"plugs": ["usb-c"]}
MISFIT = {"plugs": ["lightning"]}


def test_accessories_fit_what_is_owned_and_say_so(run: TrainingRun) -> None:
    products("phone", category="Phones", specs=PHONE)
    products("maybe", accessory_for=["Phones"])
    products("misfit", accessory_for=["Phones"], specs=MISFIT)
    products("fits", accessory_for=["Phones"], specs=FIT)
    products("tripod", accessory_for=["Cameras"])
    products("game")
    near(run, "phone", "game", "maybe", "misfit", "tripod", "fits")
    customer = make.customer()
    make.order(customer, ("phone", "", 1, 100), days_ago=9)

    placed = placing.place(scenario(Kind.ACCESSORIES), Asked(customer.pk), now=NOW)

    assert [item.product_id for item in placed.items] == ["fits", "maybe"]
    assert placed.items[0].reason_text == "Fits Title phone"
    assert placed.items[0].based_on == ("phone",)
    assert placed.left_out["misfit"] == "incompatible"


def test_an_incompatible_accessory_is_shown_nowhere_not_even_pinned(run: TrainingRun) -> None:
    products("phone", category="Phones", specs=PHONE)
    products("misfit", accessory_for=["Phones"], specs=MISFIT)
    customer = make.customer()
    make.order(customer, ("phone", "", 1, 100), days_ago=9)
    remember(run, customer, "misfit")

    for kind in (Kind.FOR_YOU, Kind.NEW):
        ids = shown(scenario(kind, pinned=["misfit"], fills_up=True), customer_pk=customer.pk)
        assert "misfit" not in ids.split()
    stranger = shown(scenario(Kind.FOR_YOU, pinned=["misfit"]), product_ids=())
    assert stranger == "misfit"


def test_an_accessory_that_fits_one_of_the_devices_is_shown(run: TrainingRun) -> None:
    products("phone", category="Phones", specs=PHONE)
    products("other", category="Phones", specs={"sockets": ["lightning"]})
    products("cable", accessory_for=["Phones"], specs=MISFIT)
    customer = make.customer()
    make.order(customer, ("phone", "", 1, 100), ("other", "", 1, 100), days_ago=9)
    remember(run, customer, "cable")

    assert shown(scenario(Kind.FOR_YOU), customer_pk=customer.pk) == "cable"
    beside_phone = shown(scenario(Kind.FOR_YOU), customer_pk=customer.pk, product_ids=("phone",))
    assert beside_phone == ""


# Rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "rules", "reason"),
    [
        ({"is_active": False}, {}, "off_sale"),
        ({"stock": 0}, {}, "out_of_stock"),
        ({}, {"never_shown": ["A"]}, "never_shown"),
        ({"price_minor": 999}, {"price_from_minor": 1_000}, "price"),
        ({"price_minor": 1_001}, {"price_to_minor": 1_000}, "price"),
        ({"price_minor": None}, {"price_to_minor": 1_000}, "price"),
    ],
)
def test_each_rule_leaves_out_and_says_why(
    run: TrainingRun, columns: dict[str, Any], rules: dict[str, Any], reason: str
) -> None:
    products("A", **columns)
    customer = make.customer()
    remember(run, customer, "A")

    placed = placing.place(scenario(Kind.FOR_YOU, **rules), Asked(customer.pk), now=NOW)

    assert placed.items == []
    assert placed.left_out == {"A": reason}


@pytest.mark.parametrize(
    ("columns", "rules"),
    [
        ({"stock": 0}, {"in_stock_only": False}),
        ({"stock": 1}, {}),
        ({"price_minor": 1_000}, {"price_from_minor": 1_000, "price_to_minor": 1_000}),
    ],
)
def test_what_keeps_to_the_rules_is_shown(
    run: TrainingRun, columns: dict[str, Any], rules: dict[str, Any]
) -> None:
    products("A", **columns)
    customer = make.customer()
    remember(run, customer, "A")

    assert shown(scenario(Kind.FOR_YOU, **rules), customer_pk=customer.pk) == "A"


def test_owned_and_returned_are_left_out_each_by_its_switch(run: TrainingRun) -> None:
    products("owned", "back")
    products("ink", is_consumable=True)
    customer = make.customer()
    order = make.order(customer, *((id_, "", 1, 100) for id_ in ("owned", "back", "ink")))
    order.lines.filter(product_id="back").update(refunded_quantity=1)
    remember(run, customer, "owned", "back", "ink")

    of = scenario(Kind.FOR_YOU)
    placed = placing.place(of, Asked(customer.pk), now=NOW)
    lax = scenario(Kind.FOR_YOU, hides_owned=False, hides_returned=False)

    assert [item.product_id for item in placed.items] == ["ink"]
    assert placed.left_out == {"owned": "owned", "back": "returned"}
    assert shown(lax, customer_pk=customer.pk) == "owned back ink"


def test_of_a_model_family_the_first_is_shown(run: TrainingRun) -> None:
    products("black", "white", family="P9")
    products("A", "B")
    customer = make.customer()
    remember(run, customer, "black", "A", "white", "B")

    assert shown(scenario(Kind.FOR_YOU), customer_pk=customer.pk) == "black A B"
    several = scenario(Kind.FOR_YOU, one_per_family=False)
    assert shown(several, customer_pk=customer.pk) == "black A white B"


def test_pins_come_first_in_their_order(run: TrainingRun) -> None:
    products("A", "B", "C")
    customer = make.customer()
    remember(run, customer, "A", "B")

    of = scenario(Kind.FOR_YOU, pinned=["C", "B"])
    placed = placing.place(of, Asked(customer.pk, n=3), now=NOW)

    assert [item.product_id for item in placed.items] == ["C", "B", "A"]
    assert placed.items[0].reason_text == "Picked by the shop"


def test_diversity_spreads_categories_and_0_keeps_the_order() -> None:
    ranked = [
        Product(product_id=f"{category}{n}", category=category, brand="b")
        for category, n in (("tv", 1), ("tv", 2), ("tv", 3), ("hifi", 1), ("hifi", 2))
    ]

    def order(diversity: float, n: int = 5) -> list[str]:
        return [product.product_id for product in diverse(ranked, n, diversity)]

    assert order(0) == ["tv1", "tv2", "tv3", "hifi1", "hifi2"]
    assert order(0.5, 2) == ["tv1", "hifi1"]
    assert sorted(order(1)) == sorted(order(0))
    assert order(0.5, 0) == []


# Filling up ---------------------------------------------------------------------------------


def test_a_short_list_is_filled_step_by_step_and_says_with_what(run: TrainingRun) -> None:
    products("A", "N")
    customer = make.customer()
    remember(run, customer, "A")
    of = scenario(Kind.TOGETHER, fills_up=True, never_shown=["Q"])

    placed = placing.place(of, Asked(customer.pk, n=4), now=NOW)
    own = placing.place(of, Asked(customer.pk, n=1), now=NOW)

    assert [item.product_id for item in placed.items] == ["A", "P", "R", "N"]
    assert placed.filled_with == ("for_you", "popular", "new")
    assert own.filled_with == ("for_you",)


def test_who_refuses_profiling_gets_nothing_personal(run: TrainingRun) -> None:
    products("A", "ink", is_consumable=True)
    customer = make.customer()
    remember(run, customer, "A")
    make.order(customer, ("ink", "", 1, 100), days_ago=9)
    Subject.objects.filter(uuid=customer.subject_id).update(no_profiling=True)

    for kind in (Kind.FOR_YOU, Kind.AGAIN, Kind.VIEWED, Kind.ACCESSORIES):
        of = scenario(kind)
        asked = {"customer_pk": customer.pk, "recent_product_ids": ("A",)}
        assert not set(shown(of, **asked).split()) & {"A", "ink"}
    filled = placing.place(scenario(Kind.FOR_YOU, fills_up=True), Asked(customer.pk, n=2), now=NOW)
    assert filled.filled_with == ("popular",)


@pytest.mark.parametrize("kind", list(Kind))
def test_an_empty_shop_shows_nothing_and_does_not_fail(kind: Kind) -> None:
    asked = Asked(customer_pk=1, product_ids=("?",), recent_product_ids=("?",))

    placed = placing.place(scenario(kind, fills_up=True), asked, now=NOW)

    assert placed == placing.Placed([], (), {}, None, "p")


@pytest.mark.parametrize("kind", list(Kind))
def test_the_number_of_queries_does_not_grow_with_the_history(run: TrainingRun, kind: Kind) -> None:
    counts = []
    for size in (3, 100):
        ids = [f"{size}-{n}" for n in range(size)]
        Product.objects.bulk_create(
            Product(product_id=id_, title=id_, category="Phones", specs=PHONE, created_at=NOW)
            for id_ in ids
        )
        customer = make.customer(f"c{size}")
        make.order(customer, *((id_, "", 1, 100) for id_ in ids[: size // 2]), days_ago=2)
        remember(run, customer, *ids)
        asked = Asked(customer.pk, tuple(ids[:20]), tuple(ids[:20]), n=min(size, 50))
        placing.place(scenario(Kind.TRENDING), asked, now=NOW)  # what is trending is kept a while
        with CaptureQueriesContext(connection) as queries:
            placing.place(scenario(kind, fills_up=True), asked, now=NOW)
        counts.append(len(queries))

    assert max(counts) <= MOST_QUERIES


@pytest.mark.parametrize("kind", list(Kind))
def test_lists_for_many_are_those_of_each_and_ask_no_more(run: TrainingRun, kind: Kind) -> None:
    products("phone", category="Phones", specs=PHONE)
    products("cable", accessory_for=["Phones"], specs=FIT)
    products("A", "B", category="Phones")
    products("ink", is_consumable=True)
    near(run, "phone", "A", "B", "cable")
    asked = []
    for number in range(12):
        customer = make.customer(f"m{number}")
        owned = ("phone", "ink") if number % 2 else ("A", "P")
        make.order(customer, *((id_, "", 1, 100) for id_ in owned), days_ago=number + 1)
        remember(run, customer, *("B", "Q", "cable")[number % 3 :])
        looked = ("phone",) if number % 4 else ()
        asked.append(Asked(customer.pk, looked, looked, n=4))
    refusing = Customer.objects.get(external_id="m3")
    Subject.objects.filter(uuid=refusing.subject_id).update(no_profiling=True)
    rules = [ruled("drop", "product", "R"), ruled("boost", "product", "Q", factor=3)]
    of = scenario(kind, fills_up=True, rules=rules)
    alone = [placing.place(of, one, now=NOW) for one in asked]

    with CaptureQueriesContext(connection) as queries:
        together = placing.place_many(of, asked, now=NOW)

    assert together == alone
    assert len(queries) <= MOST_QUERIES


def ruled(effect: str, field: str, value: Any, **more: Any) -> dict[str, Any]:
    condition = {"field": field, "operator": "=", "value": value}
    return {"effect": effect, "when": {"combinator": "and", "rules": [condition]}, **more}


@pytest.mark.parametrize("kind", Kind)
def test_a_filter_takes_away_in_every_kind_and_from_what_fills_up(
    run: TrainingRun, kind: Kind
) -> None:
    products("A", "B", brand="Bad", is_consumable=True)
    Product.objects.filter(product_id__in=["P", "R"]).update(brand="Bad")
    near(run, "Q", "A", "B")
    customer = make.customer("c")
    remember(run, customer, "A", "Q")
    make.order(customer, ("A", "", 1, 100), days_ago=1)
    rules = [ruled("drop", "brand", "bad")]
    of = scenario(kind, fills_up=True, rules=rules, pinned=["B"])

    placed = placing.place(of, Asked(customer.pk, (), ("Q", "A")), now=NOW)

    assert {item.product_id for item in placed.items} <= {"Q"}
    assert placed.ruled_out["P"] == 0
    assert placed.left_out["P"] == "rule"


def test_a_boost_moves_by_score_times_factor_and_not_what_is_pinned(run: TrainingRun) -> None:
    products("A", "B", "C")
    Product.objects.filter(product_id="C").update(brand="Good")
    Product.objects.filter(product_id="A").update(tags=["old"])
    customer = make.customer("c")
    remember(run, customer, "A", "B", "C")  # with scores of 1, .9 and .8
    lift = [ruled("boost", "brand", "Good", factor=1.2), ruled("boost", "tag", "old", factor=0.1)]
    of = scenario(Kind.FOR_YOU, rules=lift, pinned=["P"])

    placed = placing.place(of, Asked(customer.pk, n=4), now=NOW)

    assert [item.product_id for item in placed.items] == ["P", "C", "B", "A"]
    assert [round(item.score, 3) for item in placed.items[1:]] == [0.96, 0.9, 0.1]


def test_a_boosted_one_of_a_family_stands_for_it(run: TrainingRun) -> None:
    products("A", "B", family="one")
    Product.objects.filter(product_id="B").update(brand="Good")
    customer = make.customer("c")
    remember(run, customer, "A", "B")

    plain = scenario(Kind.FOR_YOU)
    lifted = scenario(Kind.FOR_YOU, rules=[ruled("boost", "brand", "Good", factor=2)])

    assert shown(plain, customer_pk=customer.pk) == "A"
    assert shown(lifted, customer_pk=customer.pk) == "B"


def test_no_list_is_made_for_nobody(run: TrainingRun) -> None:
    assert placing.place_many(scenario(Kind.FOR_YOU), [], now=NOW) == []
    assert run.is_active


def test_a_price_band_upside_down_is_refused_by_the_database() -> None:
    of = scenario(Kind.NEW, price_from_minor=2, price_to_minor=1)

    with pytest.raises(IntegrityError), transaction.atomic():
        of.save()


def test_what_the_catalogue_says_fits_is_shown_whatever_specifications_say(
    run: TrainingRun,
) -> None:
    products("phone", category="Phones", specs=PHONE)
    products("made", accessory_for=["Phones"], specs=MISFIT, fits_products=["phone"])
    customer = make.customer()
    make.order(customer, ("phone", "", 1, 100), days_ago=9)
    remember(run, customer, "made")

    ids = shown(scenario(Kind.FOR_YOU, fills_up=False), customer_pk=customer.pk)

    assert ids == "made"
